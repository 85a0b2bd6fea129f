//! The one document that `-o json` and `-o yaml` print. Its fields are part of the contract with scripts.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::{Row, View, extras::Extras, words};
use crate::{
    outcome::Outcome,
    plan::{Plan, PlannedGroup, Source},
    selector::LabelKey,
};

/// The version of the document's form.
pub const API_VERSION: &str = "jobclean/v1";

/// How the text of a document is prepared for the form that it is written in.
pub(super) type Prepare = for<'a> fn(&'a str) -> Cow<'a, str>;

/// A Plan or a Report.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cluster<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Cow<'a, str>>,
    labels: Vec<&'a str>,
    resource_version: Cow<'a, str>,
    taken_at: String,
    summary: Summary,
    warnings: Vec<String>,
    groups: Groups<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<&'a Extras>,
}

impl<'a> Document<'a> {
    /// With what carrying it out later needs.
    pub(super) fn saved_with(self, extras: &'a Extras) -> Document<'a> {
        Document {
            saved: Some(extras),
            ..self
        }
    }
}

#[derive(Serialize)]
struct Cluster<'a> {
    context: Cow<'a, str>,
    server: Cow<'a, str>,
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
struct Groups<'a> {
    view: View<'a>,
    prepare: Prepare,
}

#[derive(Serialize)]
struct Group<'a> {
    namespace: Cow<'a, str>,
    labels: BTreeMap<&'a str, Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<Cow<'a, str>>,
    jobs: Vec<Job<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Job<'a> {
    name: Cow<'a, str>,
    uid: Cow<'a, str>,
    resource_version: Cow<'a, str>,
    created: String,
    status: &'static str,
    verdict: &'static str,
    reasons: Vec<&'static str>,
    rank: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
    /// What holds a Job that was waited for in vain.
    #[serde(skip_serializing_if = "Option::is_none")]
    finalizers: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<Vec<Pod<'a>>>,
}

/// A Pod that a Job waits for.
#[derive(Serialize)]
struct Pod<'a> {
    name: Cow<'a, str>,
    finalizers: Vec<Cow<'a, str>>,
}

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plan = self.view.plan();
        let mut groups = serializer.serialize_seq(Some(plan.groups.len()))?;
        for (group, rows) in self.view.groups() {
            groups.serialize_element(&Group::new(&plan.labels, group, rows, self.prepare))?;
        }
        groups.end()
    }
}

impl<'a> Group<'a> {
    fn new(
        labels: &'a [LabelKey],
        group: &'a PlannedGroup,
        rows: Vec<Row<'a>>,
        prepare: Prepare,
    ) -> Group<'a> {
        Group {
            namespace: prepare(&group.key.namespace),
            labels: labels
                .iter()
                .map(LabelKey::as_str)
                .zip(group.key.values.iter().map(|value| prepare(value)))
                .collect(),
            family: group.family.as_deref().map(prepare),
            jobs: rows.into_iter().map(|row| Job::new(row, prepare)).collect(),
        }
    }
}

impl<'a> Job<'a> {
    fn new(row: Row<'a>, prepare: Prepare) -> Job<'a> {
        let job = &row.planned.job;
        let all = |texts: &'a [String]| texts.iter().map(|text| prepare(text)).collect();
        let pods = row.held.map(|held| held.pods.iter());
        Job {
            name: prepare(&job.name),
            uid: prepare(&job.uid.to_string()).into_owned().into(),
            resource_version: prepare(&job.resource_version.to_string())
                .into_owned()
                .into(),
            created: job.created.to_string(),
            status: job.status(),
            verdict: row.planned.verdict.as_str(),
            reasons: row.planned.verdict.reasons(),
            rank: row.rank,
            outcome: row.outcome.map(Outcome::as_str),
            message: row
                .outcome
                .and_then(Outcome::message)
                .map(|message| prepare(&message).into_owned().into()),
            finalizers: row.held.map(|held| all(&held.finalizers)),
            pods: pods.filter(|pods| pods.len() > 0).map(|pods| {
                pods.map(|pod| Pod {
                    name: prepare(&pod.name),
                    finalizers: all(&pod.finalizers),
                })
                .collect()
            }),
        }
    }
}

/// The document of a plan or report.
pub(super) fn document(view: View<'_>, prepare: Prepare) -> Document<'_> {
    let plan: &Plan = view.plan();
    let summary = plan.summary();
    let (kind, outcomes) = match view {
        View::Plan(_) => ("Plan", None),
        View::Report(report) => ("Report", Some(report.counts().iter().collect())),
    };
    let (cluster, file) = match &plan.source {
        Source::Cluster { context, server } => (
            Some(Cluster {
                context: prepare(context),
                server: prepare(server),
            }),
            None,
        ),
        Source::File { path } => (None, Some(prepare(path))),
    };
    Document {
        api_version: API_VERSION,
        kind,
        cluster,
        file,
        labels: plan.labels.iter().map(LabelKey::as_str).collect(),
        resource_version: prepare(&plan.resource_version),
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
            .map(|warning| prepare(&words::warning(plan, warning)).into_owned())
            .collect(),
        groups: Groups { view, prepare },
        saved: None,
    }
}
