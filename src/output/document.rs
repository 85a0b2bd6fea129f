//! The one document that `-o json` and `-o yaml` print. Its fields are part of the contract with scripts.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Serialize, Serializer, ser::SerializeSeq};

#[cfg(feature = "schema")]
use super::schema;
use super::{API_VERSION, Row, View, extras::Extras, words};
use crate::{
    job::label::LabelKey,
    plan::{Plan, PlannedGroup, Source, report::Outcome},
};

/// How the text of a document is prepared for the form that it is written in.
pub(super) type Prepare = for<'a> fn(&'a str) -> Cow<'a, str>;

/// What is to become of the Jobs of every cleanup group (a Plan), or what has become of them (a Report).
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = schema::document))]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    /// The version of this form; fields may be added within a version.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::api_version"))]
    api_version: &'static str,
    /// Plan before, Report after a purge or a server dry run.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::kind"))]
    kind: &'static str,
    /// Where the Jobs are, unless they come from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cluster<'a>>,
    /// The file that the Jobs come from, - for stdin.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Cow<'a, str>>,
    /// The labels whose values name the cleanup group.
    labels: Vec<&'a str>,
    /// The one resourceVersion that all Jobs were listed at, empty for a file.
    resource_version: Cow<'a, str>,
    /// When the Jobs were listed, by the clock of the machine that did.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::time"))]
    taken_at: String,
    /// The totals.
    summary: Summary,
    /// That the plan is held, since it would purge more than --max-purge allows; nothing was deleted then.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    /// What is worth knowing about the plan, in words.
    warnings: Vec<String>,
    /// Ordered by namespace, then by label values.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Group<'static>>"))]
    groups: Groups<'a>,
    /// What --plan needs to carry it out; only --save-plan writes it.
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

/// How a plan exceeds its limit.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Held {
    /// The limit, as a number of Jobs or a percentage of those listed.
    max_purge: String,
    /// How many Jobs the plan would purge.
    purge: usize,
    /// How many Jobs were listed for it.
    listed: usize,
}

/// A cluster, as the kubeconfig has it.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Cluster<'a> {
    /// The context's name.
    context: Cow<'a, str>,
    /// The API server's address.
    server: Cow<'a, str>,
}

/// The totals.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Summary {
    /// How many groups there are.
    groups: usize,
    /// How many Jobs there are, the sum of skip and purge.
    jobs: usize,
    /// How many Jobs are kept.
    skip: usize,
    /// How many Jobs are to be deleted.
    purge: usize,
    /// How many Jobs had each outcome; they add up to purge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::outcomes"))]
    outcomes: Option<BTreeMap<&'static str, usize>>,
}

/// The groups, made as they are written: a document of 100,000 Jobs is never held as a whole.
struct Groups<'a> {
    view: View<'a>,
    prepare: Prepare,
}

/// A cleanup group.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Group<'a> {
    /// The namespace of its Jobs.
    namespace: Cow<'a, str>,
    /// The value of each of the plan's labels.
    labels: BTreeMap<&'a str, Cow<'a, str>>,
    /// The family of its Jobs, with --mixed-groups=split.
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<Cow<'a, str>>,
    /// Newest first.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    jobs: Vec<Job<'a>>,
}

/// A Job and what is to become of it.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = schema::job))]
#[serde(rename_all = "camelCase")]
struct Job<'a> {
    /// Its name.
    name: Cow<'a, str>,
    /// Its generateName, if the server completed that to the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    generate_name: Option<Cow<'a, str>>,
    /// The server's identity of this very object.
    uid: Cow<'a, str>,
    /// The version of the object that was judged.
    resource_version: Cow<'a, str>,
    /// Its creationTimestamp.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::time"))]
    created: String,
    /// Its deletionTimestamp, if it is on its way out already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::time"))]
    deletion_timestamp: Option<String>,
    /// The word that kubectl shows.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::status"))]
    status: &'static str,
    /// Whether it is kept or deleted.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::verdict"))]
    verdict: &'static str,
    /// Why.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::reasons"))]
    reasons: Vec<&'static str>,
    /// Its place in the group, the newest is 1.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    rank: usize,
    /// What has become of it; every PURGE Job of a Report has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::outcome"))]
    outcome: Option<&'static str>,
    /// What there is to say about an outcome: how it has changed, or why the delete failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
    /// The finalizers of a Job that is on its way out already, or that was waited for in vain.
    #[serde(skip_serializing_if = "Option::is_none")]
    finalizers: Option<Vec<Cow<'a, str>>>,
    /// The Pods that such a Job waits for, as far as they may be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<Vec<Pod<'a>>>,
}

/// A Pod that a Job waits for.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Pod<'a> {
    /// Its name, in the Job's namespace.
    name: Cow<'a, str>,
    /// What holds it in turn.
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
            generate_name: job.generate_name().map(prepare),
            uid: prepare(&job.uid.to_string()).into_owned().into(),
            resource_version: prepare(&job.resource_version.to_string())
                .into_owned()
                .into(),
            created: job.created.to_string(),
            deletion_timestamp: job
                .deletion
                .as_ref()
                .map(|deletion| deletion.since.to_string()),
            status: job.status(),
            verdict: row.planned.verdict.as_str(),
            reasons: row.planned.verdict.reasons(),
            rank: row.rank,
            outcome: row.outcome.map(Outcome::as_str),
            message: row
                .outcome
                .and_then(Outcome::message)
                .map(|message| prepare(&message).into_owned().into()),
            finalizers: match (row.held, &job.deletion) {
                (Some(held), _) => Some(all(&held.finalizers)),
                (None, Some(deletion)) => {
                    let names = deletion.finalizers.iter();
                    Some(names.map(|name| prepare(name)).collect())
                }
                (None, None) => None,
            },
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
        held: plan.exceeded.map(|exceeded| Held {
            max_purge: exceeded.limit.to_string(),
            purge: exceeded.purge,
            listed: exceeded.listed,
        }),
        warnings: plan
            .warnings
            .iter()
            .map(|warning| prepare(&words::warning(plan, warning)).into_owned())
            .collect(),
        groups: Groups { view, prepare },
        saved: None,
    }
}

/// The schema, with its keys in alphabetical order.
#[cfg(feature = "schema")]
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(schema::never_null);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Document>()
        .to_value();
    schema["title"] = format!("{API_VERSION} Plan or Report").into();
    schema.sort_all_objects();
    schema
}
