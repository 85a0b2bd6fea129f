//! `--metrics-file`: what a run came to, for a monitoring system.
//!
//! It is text that both OpenMetrics and the older text format of Prometheus allow: node_exporter and the Pushgateway read
//! that one. No Job and no namespace is a label, so that there are never more lines.

use std::{
    fmt::Display,
    io::{self, Write},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    error::Exit,
    plan::{
        Summary,
        report::{OutcomeCounts, Report},
        retention::KeepReason,
    },
};

/// What is known of a run, however far it came.
#[derive(Debug, Default)]
pub struct Known {
    plan: Option<Summary>,
    outcomes: Option<OutcomeCounts>,
    purged_bytes: Option<u64>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    pub exit: Exit,
}

impl Known {
    /// It has a plan.
    pub fn plan(&mut self, summary: Summary) {
        self.plan = Some(summary);
    }

    /// The plan was carried out.
    pub fn report(&mut self, report: &Report) {
        self.plan(report.plan.summary());
        self.outcomes = Some(report.counts());
        self.purged_bytes = report.purged_bytes();
    }

    /// Write what is known of a run that ended like this.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn write(&self, out: &mut dyn Write, ending: Ending) -> io::Result<()> {
        let mut gauges = Gauges(out);
        if let Some(summary) = &self.plan {
            let verdicts = [("SKIP", summary.skip), ("PURGE", summary.purge)];
            gauges.each("jobs", "Jobs by verdict", "verdict", verdicts)?;
            gauges.one("groups", "Groups", summary.groups)?;
            gauges.one(
                "ungrouped_jobs",
                "Jobs that belong to no group",
                summary.ungrouped,
            )?;
            let kept =
                KeepReason::ALL.map(|reason| (reason.as_str(), summary.kept.of(reason).jobs));
            gauges.each(
                "kept_jobs",
                "Jobs that stay, by reason; a Job with several reasons counts for each",
                "reason",
                kept,
            )?;
        }
        if let Some(counts) = self.outcomes {
            let help = "Jobs that were to be purged, by outcome";
            gauges.each("outcomes", help, "outcome", counts.iter())?;
        }
        if let Some(bytes) = self.purged_bytes {
            let help = "About how many bytes the deleted Jobs took in the API server's store";
            gauges.one("purged_bytes", help, bytes)?;
        }
        gauges.one(
            "run_duration_seconds",
            "How long the last run took",
            ending.took.as_secs_f64(),
        )?;
        let at = ending.at.as_second();
        let help = "When the last run ended";
        gauges.one("last_run_timestamp_seconds", help, at)?;
        if ending.exit == Exit::Success {
            let help = "When the last run ended that exited with 0";
            gauges.one("last_success_timestamp_seconds", help, at)?;
        }
        let help = "What the last run exited with";
        gauges.one("exit_code", help, ending.exit.code())?;
        let version = [(env!("CARGO_PKG_VERSION"), 1)];
        gauges.each("info", "The tool", "version", version)?;
        writeln!(out, "# EOF")
    }
}

/// Writes metrics. All are gauges: each run says what it came to, and nothing adds up over runs.
struct Gauges<'a>(&'a mut dyn Write);

impl Gauges<'_> {
    fn begin(&mut self, name: &str, help: &str) -> io::Result<()> {
        writeln!(self.0, "# TYPE jobclean_{name} gauge")?;
        for unit in ["seconds", "bytes"] {
            if name.ends_with(&format!("_{unit}")) {
                writeln!(self.0, "# UNIT jobclean_{name} {unit}")?;
            }
        }
        writeln!(self.0, "# HELP jobclean_{name} {help}.")
    }

    fn one(&mut self, name: &str, help: &str, value: impl Display) -> io::Result<()> {
        self.begin(name, help)?;
        writeln!(self.0, "jobclean_{name} {value}")
    }

    /// One for each value of a label. They are words of this tool, which need no escapes.
    fn each<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, usize)>,
    ) -> io::Result<()> {
        self.begin(name, help)?;
        for (word, value) in values {
            writeln!(self.0, "jobclean_{name}{{{label}=\"{word}\"}} {value}")?;
        }
        Ok(())
    }
}
