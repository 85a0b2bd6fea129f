//! What a run came to, written for a monitoring system when it ends.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use super::whole_file::{self, Readers};
use crate::{
    cli::Options,
    error::{Error, Exit, io_words},
    output::metrics::{Ending, Known},
    plan::{Plan, report::Report},
    time,
    ui::Ui,
};

/// Collects it, if that was asked for.
pub(super) struct Metrics<'a> {
    path: Option<&'a Path>,
    begun: Instant,
    known: Known,
}

impl<'a> Metrics<'a> {
    /// For a run that begins.
    pub(super) fn begin(options: &'a Options) -> Metrics<'a> {
        Metrics {
            path: options.metrics_file.as_deref(),
            begun: Instant::now(),
            known: Known::default(),
        }
    }

    /// It has a plan.
    pub(super) fn plan(&mut self, plan: &Plan) {
        if self.path.is_some() {
            self.known.plan(plan);
        }
    }

    /// The plan was carried out.
    pub(super) fn report(&mut self, report: &Report) {
        if self.path.is_some() {
            self.known.report(report);
        }
    }

    /// The run ends so: write the file. That it cannot be written does not hide how the run ended.
    pub(super) fn end(self, ended: Result<Exit, Error>, ui: &Ui) -> Result<Exit, Error> {
        let Some(path) = self.path else {
            return ended;
        };
        let ending = Ending {
            at: time::now(),
            // Finer than that it is of no use.
            took: Duration::from_millis(self.begun.elapsed().as_millis() as u64),
            exit: ended.as_ref().map_or_else(|error| error.exit, |exit| *exit),
        };
        let contents = |out: &mut dyn io::Write| self.known.write(out, ending);
        match whole_file::write(path, Readers::All, contents) {
            Ok(()) => ended,
            Err(error) => {
                let (path, why) = (path.display(), io_words(&error));
                ui.failure(&format!("cannot write the metrics {path}: {why}"));
                match ended {
                    Ok(Exit::Success) => Ok(Exit::Incomplete),
                    ended => ended,
                }
            }
        }
    }
}
