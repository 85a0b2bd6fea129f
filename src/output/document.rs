//! `-o json` and `-o yaml`: one document, whose fields are part of the contract with scripts.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Write},
};

use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::{Row, View, words};
use crate::{
    outcome::Outcome,
    plan::{Plan, PlannedGroup, Source},
    selector::LabelKey,
    text::is_unsafe,
};

/// The version of the document's form.
const API_VERSION: &str = "jobclean/v1";

/// A Plan or a Report.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cluster<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    labels: Vec<&'a str>,
    resource_version: &'a str,
    taken_at: String,
    summary: Summary,
    warnings: Vec<String>,
    groups: Groups<'a>,
}

#[derive(Serialize)]
struct Cluster<'a> {
    context: &'a str,
    server: &'a str,
}

#[derive(Serialize)]
struct Summary {
    groups: usize,
    jobs: usize,
    skip: usize,
    purge: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes: Option<BTreeMap<&'static str, usize>>,
}

/// The groups, made as they are written: a document of 100,000 Jobs is never held as a whole.
struct Groups<'a>(View<'a>);

#[derive(Serialize)]
struct Group<'a> {
    namespace: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'a str>,
    jobs: Vec<Job<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Job<'a> {
    name: &'a str,
    uid: &'a str,
    resource_version: &'a str,
    created: String,
    status: &'static str,
    verdict: &'static str,
    reasons: Vec<&'static str>,
    rank: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
}

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plan = self.0.plan();
        let mut groups = serializer.serialize_seq(Some(plan.groups.len()))?;
        for (group, rows) in self.0.groups() {
            groups.serialize_element(&Group::new(&plan.labels, group, rows))?;
        }
        groups.end()
    }
}

impl<'a> Group<'a> {
    fn new(labels: &'a [LabelKey], group: &'a PlannedGroup, rows: Vec<Row<'a>>) -> Group<'a> {
        Group {
            namespace: &group.key.namespace,
            labels: labels
                .iter()
                .map(LabelKey::as_str)
                .zip(group.key.values.iter().map(AsRef::as_ref))
                .collect(),
            family: group.family.as_deref(),
            jobs: rows.into_iter().map(Job::new).collect(),
        }
    }
}

impl<'a> Job<'a> {
    fn new(row: Row<'a>) -> Job<'a> {
        let job = &row.planned.job;
        Job {
            name: &job.name,
            uid: &job.uid,
            resource_version: &job.resource_version,
            created: job.created.to_string(),
            status: job.status(),
            verdict: row.planned.verdict.as_str(),
            reasons: row.planned.verdict.reasons(),
            rank: row.rank,
            outcome: row.outcome.map(Outcome::as_str),
            message: row.outcome.and_then(Outcome::message),
        }
    }
}

fn document(view: View) -> Document {
    let plan: &Plan = view.plan();
    let summary = plan.summary();
    let (kind, outcomes) = match view {
        View::Plan(_) => ("Plan", None),
        View::Report(report) => ("Report", Some(report.counts().iter().collect())),
    };
    let (cluster, file) = match &plan.source {
        Source::Cluster { context, server } => (Some(Cluster { context, server }), None),
        Source::File { path } => (None, Some(path.as_str())),
    };
    Document {
        api_version: API_VERSION,
        kind,
        cluster,
        file,
        labels: plan.labels.iter().map(LabelKey::as_str).collect(),
        resource_version: &plan.resource_version,
        taken_at: plan.taken_at.to_string(),
        summary: Summary {
            groups: summary.groups,
            jobs: summary.jobs,
            skip: summary.skip,
            purge: summary.purge,
            outcomes,
        },
        warnings: plan
            .warnings
            .iter()
            .map(|warning| words::warning(plan, warning))
            .collect(),
        groups: Groups(view),
    }
}

/// Write the document as JSON.
///
/// # Errors
/// If the writer fails.
pub fn write_json(out: &mut dyn Write, view: View) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, TerminalSafe::default());
    document(view).serialize(&mut serializer)?;
    writeln!(out)
}

/// Write the document as YAML.
///
/// # Errors
/// If the writer fails.
pub fn write_yaml(out: &mut dyn Write, view: View) -> io::Result<()> {
    serde_saphyr::to_io_writer(&mut &mut *out, &document(view)).map_err(io::Error::other)
}

/// Indented JSON that also escapes the characters that could steer a terminal, beyond those that JSON itself demands.
#[derive(Default)]
struct TerminalSafe(serde_json::ser::PrettyFormatter<'static>);

impl serde_json::ser::Formatter for TerminalSafe {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}
