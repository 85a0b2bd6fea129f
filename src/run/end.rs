//! What a run leaves behind when it ends: metrics for a monitoring system, and one line for Kubernetes, which shows it as
//! the Pod's termination message.

use std::{
    env,
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Instant,
};

use super::whole_file::{self, Readers};
use crate::{
    cli::Options,
    error::{Error, Exit, io_words},
    output::{
        metrics::{Ending, Known},
        words,
    },
    plan::{Plan, report::Report},
    text::harmless,
    time,
    ui::Ui,
};

/// Where Kubernetes looks for the message of a container, unless the Pod names another file.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// Names that other file.
const TERMINATION_LOG_VARIABLE: &str = "JOBCLEAN_TERMINATION_LOG";

/// Kubernetes shows no more than this.
const TERMINATION_LOG_MAX: usize = 4096;

/// Collects what is known of a run.
pub(super) struct AtEnd<'a> {
    metrics: Option<&'a Path>,
    begun: Instant,
    known: Known,
    /// What it came to so far, in words.
    said: Option<String>,
    has_report: bool,
}

impl<'a> AtEnd<'a> {
    /// For a run that begins.
    pub(super) fn begin(options: &'a Options) -> AtEnd<'a> {
        AtEnd {
            metrics: options.metrics_file.as_deref(),
            begun: Instant::now(),
            known: Known::default(),
            said: None,
            has_report: false,
        }
    }

    /// It has a plan.
    pub(super) fn plan(&mut self, plan: &Plan) {
        let summary = plan.summary();
        self.said = Some(words::totals(&summary));
        self.known.plan(summary);
    }

    /// The plan was carried out.
    pub(super) fn report(&mut self, report: &Report) {
        self.known.report(report);
        self.has_report = true;
        self.said = Some(words::totals_and_outcomes(report));
    }

    /// The run ends so: write both. That they cannot be written does not hide how the run ended.
    pub(super) fn end(self, ended: Result<Exit, Error>, ui: &Ui) -> Result<Exit, Error> {
        let said = match (&ended, self.said) {
            (Err(error), _) => Some(format!("error: {}", error.message)),
            (Ok(Exit::Interrupted | Exit::Terminated), said) if !self.has_report => {
                let said = said.map(|said| format!("{said}; ")).unwrap_or_default();
                Some(format!("{said}stopped, and nothing was deleted"))
            }
            (Ok(_), said) => said,
        };
        if let Some(said) = said {
            // A line that is lost here is in the log of the container as well.
            let _ = write_termination_log(&said);
        }
        let Some(path) = self.metrics else {
            return ended;
        };
        let ending = Ending {
            at: time::now(),
            took: time::in_milliseconds(self.begun.elapsed()),
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

/// Write a line into the termination log, where there is one: it is Kubernetes that makes the file.
fn write_termination_log(line: &str) -> io::Result<()> {
    let path = env::var_os(TERMINATION_LOG_VARIABLE)
        .map_or_else(|| PathBuf::from(TERMINATION_LOG), PathBuf::from);
    let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
    let line = harmless(line);
    let mut end = line.len().min(TERMINATION_LOG_MAX - 1);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    writeln!(file, "{}", &line[..end])
}
