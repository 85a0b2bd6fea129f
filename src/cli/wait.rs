//! Whether to wait for the purged Jobs to be gone.

use std::time::Duration;

use clap::Args;

use crate::time::{HumanDuration, ParseDurationError};

/// Whether to wait for the purged Jobs to be gone.
#[derive(Debug, Args)]
#[command(next_help_heading = "Deletion")]
pub struct Waiting {
    /// Wait until the purged Jobs are gone, and say what holds those that are not; a dry run does not wait
    #[arg(long, value_name = "BOOL", conflicts_with_all = ["filename", "save_plan"])]
    wait: Option<bool>,
    /// Wait no longer than this (90s, 5m, 1h; 0 is for ever), then exit 3 if some are still there; implies --wait
    #[arg(long, value_name = "DURATION", value_parser = limit, conflicts_with_all = ["filename", "save_plan"])]
    timeout: Option<HumanDuration>,
}

/// How long a run stays when its deletes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// It does not wait: accepted is done.
    ///
    /// kubectl waits by default, as it mostly deletes one thing. After a large purge with `foreground` that would be
    /// hours at the garbage collector's pace, and for ever where no controller removes a finalizer.
    None,
    /// Until all Jobs are gone, or the limit has passed.
    UntilGone(Option<Duration>),
}

impl Waiting {
    /// How long to stay when the deletes are sent.
    pub fn patience(&self) -> Patience {
        match (self.wait, self.timeout) {
            (None | Some(true), Some(limit)) => {
                Patience::UntilGone(Some(limit.0).filter(|limit| !limit.is_zero()))
            }
            (Some(true), None) => Patience::UntilGone(None),
            (None, None) | (Some(false), _) => Patience::None,
        }
    }

    /// What contradicts itself in a way that clap cannot see.
    pub(super) fn contradiction(&self) -> Option<String> {
        (self.wait == Some(false) && self.timeout.is_some())
            .then(|| "--timeout says how long to wait, and --wait=false not to".to_owned())
    }
}

/// A length of time, or kubectl's bare 0 for no limit.
fn limit(text: &str) -> Result<HumanDuration, ParseDurationError> {
    match text {
        "0" => Ok(HumanDuration(Duration::ZERO)),
        _ => text.parse(),
    }
}
