//! `--log-format`: what happens, a line each, for the log of a CronJob. The fields of a line are part of the contract with
//! programs that read it.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Write},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    escape::{Escapes, Escaping},
    words,
};
use crate::{
    job::{Job, grouping::Grouping},
    plan::{
        Summary,
        report::{Outcome, OutcomeCounts, Report},
        retention::{Policy, Verdict},
    },
    text::{count, harmless},
    time,
};

/// The form of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(
    tag = "event",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub enum Line<'a> {
    /// A run begins.
    Start {
        version: &'static str,
        context: Cow<'a, str>,
        server: Cow<'a, str>,
        user_agent: Cow<'a, str>,
        group_by: Cow<'a, str>,
        /// What is kept, in words.
        policy: Cow<'a, str>,
    },
    /// A Job was judged, or has its outcome.
    Job {
        namespace: Cow<'a, str>,
        name: Cow<'a, str>,
        uid: Cow<'a, str>,
        verdict: &'static str,
        reasons: Vec<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        outcome: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<Cow<'a, str>>,
    },
    /// All Jobs of a group have their verdict or outcome.
    Group {
        namespace: Cow<'a, str>,
        group: Cow<'a, str>,
        jobs: usize,
        skip: usize,
        purge: usize,
        outcomes: Counts,
    },
    /// The run ends.
    End {
        groups: usize,
        jobs: usize,
        skip: usize,
        purge: usize,
        outcomes: Counts,
        /// How long the deletes took, and waiting for them; none where none were sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
        /// The same in words.
        message: Cow<'a, str>,
    },
    /// Something that a person should know.
    Message {
        level: &'static str,
        message: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<Cow<'a, str>>,
    },
}

/// How many Jobs had each outcome that there was.
type Counts = BTreeMap<&'static str, usize>;

/// A line and when it was written.
#[derive(Serialize)]
struct Timed<'a> {
    time: Timestamp,
    #[serde(flatten)]
    line: &'a Line<'a>,
}

impl<'a> Line<'a> {
    /// A run begins against this cluster.
    pub fn start(
        (context, server): (&'a str, &'a str),
        user_agent: &'a str,
        grouping: &Grouping,
        policy: &Policy,
    ) -> Line<'a> {
        Line::Start {
            version: env!("CARGO_PKG_VERSION"),
            context: context.into(),
            server: server.into(),
            user_agent: user_agent.into(),
            group_by: grouping.to_string().into(),
            policy: words::policy(policy, grouping).into(),
        }
    }

    /// A Job has this verdict, and this outcome if it is known.
    pub fn job(job: &'a Job, verdict: Verdict, outcome: Option<&'a Outcome>) -> Line<'a> {
        Line::Job {
            namespace: job.namespace().into(),
            name: job.name().into(),
            uid: job.uid().to_string().into(),
            verdict: verdict.as_str(),
            reasons: verdict.reasons(),
            outcome: outcome.map(Outcome::as_str),
            message: outcome.and_then(Outcome::message),
        }
    }

    /// All Jobs of a group have their verdict, and these outcomes.
    pub fn group(
        (namespace, group): (&'a str, Cow<'a, str>),
        jobs: usize,
        purge: usize,
        outcomes: OutcomeCounts,
    ) -> Line<'a> {
        Line::Group {
            namespace: namespace.into(),
            group,
            jobs,
            skip: jobs - purge,
            purge,
            outcomes: counts(outcomes),
        }
    }

    /// The run ends with this plan, which may have been carried out.
    pub fn end(summary: &Summary, report: Option<&Report>) -> Line<'a> {
        Line::End {
            groups: summary.groups,
            jobs: summary.jobs,
            skip: summary.skip,
            purge: summary.purge,
            outcomes: report.map_or_else(Counts::new, |report| counts(report.counts())),
            seconds: report.map(|report| time::in_milliseconds(report.took).as_secs_f64()),
            message: report
                .map_or_else(|| words::totals(summary), words::totals_and_outcomes)
                .into(),
        }
    }

    /// Write the line, and when that was.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn write(&self, out: &mut dyn Write, format: LogFormat, at: Timestamp) -> io::Result<()> {
        match format {
            LogFormat::Text => writeln!(out, "{at} {}", harmless(&self.text())),
            LogFormat::Json => {
                let mut escaping = Escaping::new(&mut *out, Escapes::Json);
                let written = serde_json::to_writer(
                    &mut escaping,
                    &Timed {
                        time: at,
                        line: self,
                    },
                );
                escaping.outcome(written)?;
                writeln!(out)
            }
        }
    }

    /// For people; not made harmless.
    fn text(&self) -> String {
        match self {
            Line::Start {
                version,
                context,
                server,
                user_agent,
                group_by,
                policy,
            } => {
                let context = match &**context {
                    "" => String::new(),
                    context => format!(", context {context}"),
                };
                format!(
                    "kubectl-jobclean {version} at {server}{context}, as {user_agent}; groups Jobs by {group_by}; {policy}"
                )
            }
            Line::Job {
                namespace,
                name,
                verdict,
                reasons,
                outcome,
                message,
                ..
            } => {
                let told = match (outcome, message) {
                    (None, _) => reasons.join(", "),
                    (Some(outcome), None) => (*outcome).to_owned(),
                    (Some(outcome), Some(message)) => format!("{outcome}: {message}"),
                };
                format!("{verdict} {namespace}/{name} {told}")
            }
            Line::Group {
                namespace,
                group,
                jobs,
                skip,
                purge,
                outcomes,
            } => {
                let outcomes: Vec<String> = (outcomes.iter())
                    .map(|(word, count)| format!("{count} {word}"))
                    .collect();
                let begin = if outcomes.is_empty() { "" } else { ": " };
                format!(
                    "GROUP {namespace} {group}: {}, {skip} SKIP, {purge} PURGE{begin}{}",
                    count(*jobs, "Job"),
                    outcomes.join(", ")
                )
            }
            Line::End { message, .. } => format!("END {message}"),
            Line::Message { level, message, .. } => format!("{level}: {message}"),
        }
    }
}

/// The outcomes that there were.
fn counts(counts: OutcomeCounts) -> Counts {
    counts.iter().filter(|(_, count)| *count > 0).collect()
}
