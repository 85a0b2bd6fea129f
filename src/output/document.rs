//! The one document that `-o json` and `-o yaml` print, and that `--plan` reads. Its fields are part of the contract with
//! scripts.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeSeq};

#[cfg(feature = "schema")]
use super::schema;
use super::{API_VERSION, Rows, View, escape::Text, words};
use crate::{
    gitops::{Answer, Mode, Places},
    job::{
        family::NameEndingError,
        grouping::Grouping,
        label::LabelKey,
        rules::{self, Match},
        selector::SelectorError,
    },
    plan::{
        Plan, PlannedGroup, Source,
        group::MixedGroups,
        report::{Outcome, RECREATED, Row},
        retention::{KeepReason, Policy},
        rules::{Retention, Rule, Rules, Ruling, Treatment},
    },
};

/// What is to become of the Jobs of every cleanup group (a Plan), or what has become of them (a Report).
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[cfg_attr(feature = "schema", schemars(transform = schema::document))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Document<'a, G> {
    /// The version of this form; fields may be added within a version.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::api_version"))]
    pub(super) api_version: Text<'a>,
    /// Plan before, Report after a purge or a server dry run.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::kind"))]
    pub(super) kind: Text<'a>,
    /// Where the Jobs are, unless they come from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cluster: Option<Cluster<'a>>,
    /// The file that the Jobs come from, - for stdin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<Text<'a>>,
    /// What makes Jobs one group, as --group-by takes it, unless it is the labels below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group_by: Option<Text<'a>>,
    /// The labels whose values name the cleanup group.
    pub(super) labels: Vec<Text<'a>>,
    /// The one resourceVersion that all Jobs were listed at, empty for a file.
    pub(super) resource_version: Text<'a>,
    /// When the Jobs were listed, by the clock of the machine that did.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::time"))]
    pub(super) taken_at: Timestamp,
    /// What GitOps tools were asked, and what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gitops: Option<GitOps<'a>>,
    /// The totals.
    pub(super) summary: Summary<'a>,
    /// That the plan is held, since it would purge more than --max-purge allows; nothing was deleted then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<Held<'a>>,
    /// What is worth knowing about the plan, in words.
    pub(super) warnings: Vec<Text<'a>>,
    /// Ordered by namespace, then by label values.
    pub(super) groups: G,
    /// What --plan needs to carry it out; only --save-plan writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) saved: Option<Extras>,
}

/// What GitOps tools were asked, and what came of it.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GitOps<'a> {
    /// How far they are heeded, as --gitops says.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::gitops_mode"))]
    pub(super) mode: Text<'a>,
    /// What came of asking for Argo CD's Applications. They are not asked for if nothing would be purged.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::gitops_answer"))]
    pub(super) argocd: Text<'a>,
    /// How many Applications were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) applications: Option<usize>,
    /// What came of asking for Flux's Kustomizations.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::gitops_answer"))]
    pub(super) flux: Text<'a>,
    /// How many Kustomizations were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kustomizations: Option<usize>,
    /// How many of the Jobs to purge a tool has marked that does not answer for them.
    pub(super) unanswered: usize,
    /// How many Jobs stay for no other reason than that they are wanted.
    pub(super) wanted: usize,
    /// How many Jobs stay for no other reason than that a tool cannot say now whether it wants them.
    pub(super) unsettled: usize,
}

/// What one tool says of a Job.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[serde(deny_unknown_fields)]
pub(super) struct Claim<'a> {
    /// Who says it: an object of the tool, or the tool.
    pub(super) by: Text<'a>,
    /// The reason that it adds.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::says"))]
    pub(super) says: Text<'a>,
    /// What it rests on.
    pub(super) why: Text<'a>,
}

/// How a plan exceeds its limit.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Held<'a> {
    /// The limit, as a number of Jobs or a percentage of those listed.
    pub(super) max_purge: Text<'a>,
    /// How many Jobs the plan would purge.
    pub(super) purge: usize,
    /// How many Jobs were listed for it.
    pub(super) listed: usize,
}

/// A cluster, as the kubeconfig has it.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster<'a> {
    /// The context's name.
    pub(super) context: Text<'a>,
    /// The API server's address.
    pub(super) server: Text<'a>,
}

/// The totals.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[serde(deny_unknown_fields)]
pub(super) struct Summary<'a> {
    /// How many groups there are.
    pub(super) groups: usize,
    /// How many Jobs there are, the sum of skip and purge.
    pub(super) jobs: usize,
    /// How many Jobs are kept.
    pub(super) skip: usize,
    /// How many Jobs are to be deleted.
    pub(super) purge: usize,
    /// About how many bytes those take in the API server's store, if that is known.
    #[serde(rename = "purgeBytes", skip_serializing_if = "Option::is_none")]
    pub(super) purge_bytes: Option<u64>,
    /// How many other Jobs belong to no group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ungrouped: Option<usize>,
    /// What is held since it is in groups of several families.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<HeldGroups>,
    /// How many Jobs had each outcome; they add up to purge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::outcomes"))]
    pub(super) outcomes: Option<BTreeMap<Text<'a>, usize>>,
}

/// Groups that are held, since each has several families.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[serde(deny_unknown_fields)]
pub(super) struct HeldGroups {
    /// How many groups.
    pub(super) groups: usize,
    /// How many Jobs in them are kept for no other reason.
    pub(super) jobs: usize,
    /// How many Jobs --mixed-groups=split would purge of them.
    pub(super) split: usize,
    /// How many Jobs --mixed-groups=merge would purge of them.
    pub(super) merge: usize,
}

/// A group of several families.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[serde(deny_unknown_fields)]
pub(super) struct Mixed<'a> {
    /// Its families.
    #[cfg_attr(feature = "schema", schemars(length(min = 2)))]
    pub(super) families: Vec<Text<'a>>,
    /// If it is held: how many Jobs --mixed-groups=split would purge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) split: Option<usize>,
    /// If it is held: how many Jobs --mixed-groups=merge would purge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) merge: Option<usize>,
    /// If it is held: a --family that makes one family of it, and purges what merge does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ending: Option<Text<'a>>,
}

/// The groups, made as they are written: a document of 100,000 Jobs is never held as a whole.
struct Groups<'a>(View<'a>, Rows);

/// A cleanup group.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[serde(deny_unknown_fields)]
pub(super) struct Group<'a> {
    /// The namespace of its Jobs.
    pub(super) namespace: Text<'a>,
    /// The value of each of the plan's labels.
    pub(super) labels: BTreeMap<Text<'a>, Text<'a>>,
    /// The value of each annotation that the plan groups by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<Text<'a>, Text<'a>>,
    /// The Argo CD application, where the plan groups by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) application: Option<Text<'a>>,
    /// The family of its Jobs, where each family is a group of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) family: Option<Text<'a>>,
    /// That its Jobs belong to several families.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mixed: Option<Mixed<'a>>,
    /// The rule of the policy that is for its Jobs, or defaults, if it is the same for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<Text<'a>>,
    /// Newest first.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub(super) jobs: Vec<Job<'a>>,
}

/// A Job and what is to become of it.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[cfg_attr(feature = "schema", schemars(transform = schema::job))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Job<'a> {
    /// Its name.
    pub(super) name: Text<'a>,
    /// Its generateName, if the server completed that to the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generate_name: Option<Text<'a>>,
    /// The server's identity of this very object.
    pub(super) uid: Text<'a>,
    /// The version of the object that was judged.
    pub(super) resource_version: Text<'a>,
    /// Its creationTimestamp.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::time"))]
    pub(super) created: Timestamp,
    /// Its deletionTimestamp, if it is on its way out already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::time"))]
    pub(super) deletion_timestamp: Option<Timestamp>,
    /// The word that kubectl shows.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::status"))]
    pub(super) status: Text<'a>,
    /// Whether it is kept or deleted.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::verdict"))]
    pub(super) verdict: Text<'a>,
    /// Why.
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::reasons"))]
    pub(super) reasons: Vec<Text<'a>>,
    /// The rule of the policy that is for it, or defaults, where the Jobs of its group have several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<Text<'a>>,
    /// What GitOps tools say of it, if one of the reasons is theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) claims: Vec<Claim<'a>>,
    /// About how many bytes it takes in the API server's store, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<NonZeroU32>,
    /// Its place in the group, the newest is 1.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub(super) rank: usize,
    /// What has become of it; every PURGE Job of a Report has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::outcome"))]
    pub(super) outcome: Option<Text<'a>>,
    /// What there is to say about an outcome: how it has changed, or why the delete failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<Text<'a>>,
    /// The finalizers of a Job that is on its way out already, or that was waited for in vain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finalizers: Option<Vec<Text<'a>>>,
    /// The Pods that such a Job waits for, as far as they may be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pods: Option<Vec<Pod<'a>>>,
}

/// A Pod that a Job waits for.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::open))]
#[serde(deny_unknown_fields)]
pub(super) struct Pod<'a> {
    /// Its name, in the Job's namespace.
    pub(super) name: Text<'a>,
    /// What holds it in turn.
    pub(super) finalizers: Vec<Text<'a>>,
}

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plan = self.0.plan();
        let length = (self.1 == Rows::All).then_some(plan.groups.len());
        let mut groups = serializer.serialize_seq(length)?;
        for (group, rows) in self.0.groups(self.1) {
            groups.serialize_element(&Group::new(plan, group, rows))?;
        }
        groups.end()
    }
}

impl<'a> Group<'a> {
    fn new(plan: &'a Plan, group: &'a PlannedGroup, rows: Vec<Row<'a>>) -> Group<'a> {
        let values = plan.grouping.part(&group.key.values);
        let texts = |values: BTreeMap<&'a str, &'a str>| {
            let texts = values.into_iter();
            texts
                .map(|(key, value)| (key.into(), value.into()))
                .collect()
        };
        let ways = group.ways_out();
        let rule = group.rule();
        let names_rules = rule.is_none();
        Group {
            namespace: (&*group.key.namespace).into(),
            labels: texts(values.labels),
            annotations: texts(values.annotations),
            application: values.application.map(Text::from),
            family: group.family.as_deref().map(Text::from),
            mixed: group.mixed.as_ref().map(|mixed| Mixed {
                families: all(mixed.families.iter().map(|family| &**family)),
                split: ways.map(|ways| ways.split),
                merge: ways.map(|ways| ways.merge),
                ending: ways.and_then(|ways| Some(ways.family.as_ref()?.to_string().into())),
            }),
            rule: rule.and_then(|rule| Some(Text(plan.rules.as_ref()?.name(rule)))),
            jobs: (rows.into_iter())
                .map(|row| Job::new(plan, row, names_rules))
                .collect(),
        }
    }
}

impl<'a> Job<'a> {
    fn new(plan: &'a Plan, row: Row<'a>, names_rule: bool) -> Job<'a> {
        let job = &row.planned.job;
        let claims = plan.claims_on(row.planned);
        let pods = row.held.map(|held| held.pods.iter());
        Job {
            name: job.name().into(),
            generate_name: job.generate_name().map(Text::from),
            uid: job.uid().to_string().into(),
            resource_version: job.resource_version().to_string().into(),
            created: job.created().timestamp(),
            deletion_timestamp: job.deletion().map(|deletion| deletion.since.timestamp()),
            status: job.status().into(),
            verdict: row.planned.verdict.as_str().into(),
            reasons: all(row.planned.verdict.reasons()),
            rule: plan.rule_of(job).filter(|_| names_rule).map(Text),
            claims: (claims.iter())
                .map(|claim| Claim {
                    by: claim.by.to_string().into(),
                    says: words::says(claim.says).into(),
                    why: claim.says.why().into(),
                })
                .collect(),
            bytes: job.size(),
            rank: row.rank,
            outcome: row.outcome.map(|outcome| outcome.as_str().into()),
            message: row.outcome.and_then(Outcome::message).map(Text),
            finalizers: match (row.held, job.deletion()) {
                (Some(held), _) => Some(all(held.finalizers.iter().map(String::as_str))),
                (None, Some(deletion)) => Some(all(deletion.finalizers.iter().map(|name| &**name))),
                (None, None) => None,
            },
            pods: pods.filter(|pods| pods.len() > 0).map(|pods| {
                pods.map(|pod| Pod {
                    name: pod.name.as_str().into(),
                    finalizers: all(pod.finalizers.iter().map(String::as_str)),
                })
                .collect()
            }),
        }
    }
}

fn all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Text<'a>> {
    texts.into_iter().map(Text::from).collect()
}

/// The document of a plan or report; with what carrying the plan out later needs, if that is given.
pub(super) fn document(view: View<'_>, rows: Rows, saved: Option<Extras>) -> impl Serialize {
    let plan: &Plan = view.plan();
    let summary = plan.summary();
    let (kind, outcomes) = match view {
        View::Plan(_) => ("Plan", None),
        View::Report(report) => {
            let counts = report.counts().iter();
            // Only --wait can find one that was made again, so that programs are not bothered with it otherwise.
            let counts = counts.filter(|(word, count)| *count > 0 || *word != RECREATED);
            let counts = counts.map(|(word, count)| (word.into(), count));
            ("Report", Some(counts.collect()))
        }
    };
    let (cluster, file) = match &plan.source {
        Source::Cluster { context, server } => (
            Some(Cluster {
                context: context.into(),
                server: server.into(),
            }),
            None,
        ),
        Source::File { path } => (None, Some(path.into())),
    };
    let warnings = plan.warnings.iter();
    let (argocd, flux) = (&plan.claims.argocd, &plan.claims.flux);
    Document {
        api_version: API_VERSION.into(),
        kind: kind.into(),
        cluster,
        file,
        group_by: (!plan.grouping.is_by_labels()).then(|| plan.grouping.to_string().into()),
        labels: all(plan.grouping.label_keys().map(LabelKey::as_str)),
        resource_version: (&plan.resource_version).into(),
        taken_at: plan.taken_at,
        gitops: Some(GitOps {
            mode: plan.gitops.as_str().into(),
            argocd: words::answer(argocd.answer()).into(),
            applications: (*argocd.answer() != Answer::NotAsked).then_some(argocd.len()),
            flux: words::answer(flux.answer()).into(),
            kustomizations: (*flux.answer() != Answer::NotAsked).then_some(flux.len()),
            unanswered: match plan.gitops {
                Mode::Ignore => 0,
                Mode::Auto | Mode::Require => plan.unanswered(),
            },
            wanted: summary.kept.of(KeepReason::Wanted).alone,
            unsettled: summary.kept.of(KeepReason::Unsettled).alone,
        }),
        summary: Summary {
            groups: summary.groups,
            jobs: summary.jobs,
            skip: summary.skip,
            purge: summary.purge,
            purge_bytes: summary.purge_bytes,
            ungrouped: (summary.ungrouped > 0).then_some(summary.ungrouped),
            held: (summary.held.groups > 0).then_some(HeldGroups {
                groups: summary.held.groups,
                jobs: summary.held.jobs,
                split: summary.held.split,
                merge: summary.held.merge,
            }),
            outcomes,
        },
        held: plan.exceeded.map(|exceeded| Held {
            max_purge: exceeded.limit.to_string().into(),
            purge: exceeded.purge,
            listed: exceeded.listed,
        }),
        warnings: warnings
            .map(|warning| words::warning(plan, warning).into())
            .collect(),
        groups: Groups(view, rows),
        saved,
    }
}

/// The documents of several clusters: a list of plans or reports.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Documents<T> {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<T>,
}

/// The documents of several clusters as one.
pub(super) fn documents(views: &[View<'_>], rows: Rows) -> impl Serialize {
    let is_plan = |view: &View<'_>| matches!(view, View::Plan(_));
    Documents {
        api_version: API_VERSION,
        kind: if views.iter().all(is_plan) {
            "PlanList"
        } else {
            "ReportList"
        },
        items: (views.iter())
            .map(|view| document(*view, rows, None))
            .collect(),
    }
}

/// What tells one cluster from another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The SHA-256 of the certificate authority that its server is trusted by, in hex; none for the system's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_sha256: Option<String>,
    /// The uid of its namespace `kube-system`; none where that may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// What a saved plan has beyond the document of a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Extras {
    /// Which cluster it is for.
    pub identity: Identity,
    /// None for every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The selector as the user gave it, empty for none.
    pub selector: String,
    /// The field selector as the user gave it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field_selector: String,
    /// The namespaces that were left out, as --exclude-namespace takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_namespaces: Vec<String>,
    /// What is to be kept.
    pub policy: PolicyDocument,
    /// The context that leads to Argo CD, where that runs on another cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argocd_context: Option<String>,
    /// The namespaces in which GitOps tools are asked; every one if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gitops_namespaces: Vec<String>,
}

impl Extras {
    /// Where GitOps tools are asked.
    pub(super) fn places(&self) -> Places {
        Places {
            argocd_context: self.argocd_context.clone(),
            namespaces: self.gitops_namespaces.clone(),
        }
    }
}

/// A [`Policy`] as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyDocument {
    keep: NonZeroUsize,
    keep_succeeded: usize,
    keep_failed: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_within_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_superseded_within_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_finished_within_seconds: Option<u64>,
    include_active: bool,
    include_owned: bool,
    mixed_groups: MixedGroups,
    /// The ending of names that --family describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    family: Option<String>,
    /// How far GitOps tools are heeded.
    #[serde(default)]
    gitops: Mode,
    /// The rules of --policy, in order; what stands above is its defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rules: Option<Vec<RuleDocument>>,
    /// Whether namespaces are asked if they keep all of their Jobs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    namespace_annotations: bool,
}

/// A [`Rule`] as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuleDocument {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    namespaces: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    applications: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    selector: String,
    ruling: RulingDocument,
}

/// What is kept under a rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
enum RulingDocument {
    /// Everything.
    Hold,
    /// What this says.
    Keep(RetentionDocument),
}

/// A [`Retention`] as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RetentionDocument {
    keep: NonZeroUsize,
    keep_succeeded: usize,
    keep_failed: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_within_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_superseded_within_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_finished_within_seconds: Option<u64>,
    include_active: bool,
    include_owned: bool,
}

impl RetentionDocument {
    fn new(kept: &Retention) -> RetentionDocument {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
        RetentionDocument {
            keep: kept.keep,
            keep_succeeded: kept.keep_succeeded,
            keep_failed: kept.keep_failed,
            keep_within_seconds: seconds(kept.keep_within),
            keep_superseded_within_seconds: seconds(kept.keep_superseded_within),
            keep_finished_within_seconds: seconds(kept.keep_finished_within),
            include_active: kept.active == Treatment::Judge,
            include_owned: kept.owned == Treatment::Judge,
        }
    }

    fn retention(self) -> Retention {
        let time = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        Retention {
            keep: self.keep,
            keep_succeeded: self.keep_succeeded,
            keep_failed: self.keep_failed,
            keep_within: time(self.keep_within_seconds),
            keep_superseded_within: time(self.keep_superseded_within_seconds),
            keep_finished_within: time(self.keep_finished_within_seconds),
            active: Treatment::included(self.include_active),
            owned: Treatment::included(self.include_owned),
        }
    }
}

impl RuleDocument {
    fn new(rule: &Rule) -> RuleDocument {
        let Match {
            namespaces,
            applications,
            selector,
        } = &rule.matches;
        RuleDocument {
            name: rule.name.as_deref().map(str::to_owned),
            namespaces: namespaces.iter().map(ToString::to_string).collect(),
            applications: applications.iter().map(ToString::to_string).collect(),
            selector: selector.to_string(),
            ruling: match &rule.ruling {
                Ruling::Hold => RulingDocument::Hold,
                Ruling::Keep(kept) => RulingDocument::Keep(RetentionDocument::new(kept)),
            },
        }
    }

    fn rule(self) -> Result<Rule, String> {
        let namespaces = self.namespaces.iter().map(|pattern| pattern.parse());
        let applications = self.applications.iter().map(|pattern| pattern.parse());
        Ok(Rule {
            name: self.name.map(Into::into),
            matches: Match {
                namespaces: namespaces.collect::<Result<_, &str>>()?,
                applications: applications.collect::<Result<_, &str>>()?,
                selector: (self.selector.parse())
                    .map_err(|error: SelectorError| error.to_string())?,
            },
            ruling: match self.ruling {
                RulingDocument::Hold => Ruling::Hold,
                RulingDocument::Keep(kept) => Ruling::Keep(kept.retention()),
            },
        })
    }
}

impl PolicyDocument {
    /// What is written down of a policy for Jobs that are grouped like this.
    pub(super) fn new(policy: &Policy, grouping: &Grouping) -> PolicyDocument {
        let defaults = RetentionDocument::new(&policy.defaults);
        let rules = policy.rules.as_ref();
        PolicyDocument {
            keep: defaults.keep,
            keep_succeeded: defaults.keep_succeeded,
            keep_failed: defaults.keep_failed,
            keep_within_seconds: defaults.keep_within_seconds,
            keep_superseded_within_seconds: defaults.keep_superseded_within_seconds,
            keep_finished_within_seconds: defaults.keep_finished_within_seconds,
            include_active: defaults.include_active,
            include_owned: defaults.include_owned,
            mixed_groups: policy.mixed_groups(grouping),
            family: policy.family.as_ref().map(ToString::to_string),
            gitops: policy.gitops,
            rules: rules.map(|rules| rules.iter().map(RuleDocument::new).collect()),
            namespace_annotations: policy.asks_namespaces,
        }
    }

    /// The policy that it says.
    ///
    /// # Errors
    /// If the ending of names in it is not one, or a rule in it makes no sense; a fragment.
    pub(super) fn policy(self) -> Result<Policy, String> {
        let defaults = RetentionDocument {
            keep: self.keep,
            keep_succeeded: self.keep_succeeded,
            keep_failed: self.keep_failed,
            keep_within_seconds: self.keep_within_seconds,
            keep_superseded_within_seconds: self.keep_superseded_within_seconds,
            keep_finished_within_seconds: self.keep_finished_within_seconds,
            include_active: self.include_active,
            include_owned: self.include_owned,
        };
        let family = self.family.map(|ending| ending.parse()).transpose();
        let rules = self.rules.map(|rules| {
            let rules = rules.into_iter().enumerate();
            let rules = rules.map(|(place, rule)| {
                rule.rule()
                    .map_err(|error| format!("its rule {}: {error}", place + 1))
            });
            rules.collect::<Result<Vec<Rule>, String>>()
        });
        let rules = rules.transpose()?;
        if rules.as_ref().is_some_and(|rules| rules.len() > rules::MAX) {
            return Err("it has too many rules".to_owned());
        }
        Ok(Policy {
            defaults: defaults.retention(),
            mixed_groups: Some(self.mixed_groups),
            family: family.map_err(|error: NameEndingError| format!("its family: {error}"))?,
            gitops: self.gitops,
            rules: rules.map(Rules::new),
            asks_namespaces: self.namespace_annotations,
        })
    }
}

/// The schema, with its keys in alphabetical order.
#[cfg(feature = "schema")]
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(crate::text::schema::never_null);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Document<'_, Vec<Group<'_>>>>()
        .to_value();
    schema["title"] = format!("{API_VERSION} Plan or Report").into();
    schema.sort_all_objects();
    schema
}
