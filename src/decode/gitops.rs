//! What of an Application of Argo CD and of a Kustomization of Flux tells what they want, from JSON.
//!
//! The rest is skipped where it stands: specs hold values of Helm charts, and some hold secrets. Field names and meanings
//! were read in Argo CD 3.5.1 (`pkg/apis/application/v1alpha1/types.go`) and kustomize-controller 1.9.4
//! (`api/v1/kustomization_types.go`).

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

use super::{ListMeta, Map, Text, Time, null_is_default};
use crate::{
    gitops::{
        Unsettled,
        argocd::{Application, Destination, Listed, Status},
        flux::{JOB_ID, Kustomization},
    },
    job::ids::Stamp,
};

/// The parts of an object, each as it stands there.
#[derive(Debug, Default, Deserialize)]
pub struct Parts<'a> {
    #[serde(borrow)]
    pub metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub spec: Option<&'a RawValue>,
    #[serde(borrow)]
    pub status: Option<&'a RawValue>,
    /// What an Application is to do now.
    #[serde(borrow)]
    pub operation: Option<&'a RawValue>,
}

/// One page of a list of such objects.
#[derive(Debug, Default, Deserialize)]
pub struct Page<'a> {
    /// `ApplicationList` for one.
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub metadata: ListMeta,
    /// The server always says them: a list without is not one of none.
    #[serde(borrow, deserialize_with = "null_is_default")]
    pub items: Vec<Parts<'a>>,
}

/// The kinds of a group, `metav1.APIResourceList`.
#[derive(Debug, Deserialize)]
pub struct Resources<'a> {
    #[serde(borrow)]
    pub resources: Vec<ApiResource<'a>>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub struct ApiResource<'a> {
    /// Its plural, `applications` for one.
    #[serde(borrow)]
    pub name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    namespace: Option<Text<'a>>,
    generation: Option<i64>,
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    annotations: Map<'a>,
}

/// What an Application is made of, and for: in its spec, and where that was last compared with git.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Compared<'a> {
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    sources: Vec<&'a RawValue>,
    #[serde(borrow)]
    destination: Option<Place<'a>>,
    /// Only in a spec.
    #[serde(borrow)]
    source_hydrator: Option<Hydrator<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Place<'a> {
    #[serde(borrow)]
    server: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    namespace: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hydrator<'a> {
    #[serde(borrow, default)]
    dry_source: Option<Source<'a>>,
    #[serde(borrow, default)]
    sync_source: Option<Source<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Source<'a> {
    #[serde(borrow, rename = "repoURL")]
    repo_url: Option<Text<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
    #[serde(borrow, rename = "targetRevision")]
    target_revision: Option<Text<'a>>,
    #[serde(borrow, rename = "targetBranch")]
    target_branch: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApplicationStatus<'a> {
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    resources: Vec<Resource<'a>>,
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    conditions: Vec<Condition<'a>>,
    #[serde(borrow)]
    sync: Option<Sync<'a>>,
    #[serde(borrow)]
    operation_state: Option<OperationState<'a>>,
    reconciled_at: Option<Time>,
    #[serde(borrow)]
    controller_namespace: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    #[serde(borrow)]
    group: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    namespace: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    hook: Option<bool>,
    requires_pruning: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
struct Condition<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sync<'a> {
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    compared_to: Option<Compared<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct OperationState<'a> {
    #[serde(borrow)]
    phase: Option<Text<'a>>,
    operation: Option<Operation>,
}

#[derive(Debug, Default, Deserialize)]
struct Operation {
    sync: Option<SyncOperation>,
}

#[derive(Debug, Default, Deserialize)]
struct SyncOperation {
    #[serde(default, deserialize_with = "null_is_default")]
    manifests: Vec<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KustomizationSpec {
    kube_config: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KustomizationStatus<'a> {
    observed_generation: Option<i64>,
    #[serde(borrow)]
    last_applied_revision: Option<Text<'a>>,
    #[serde(borrow)]
    last_attempted_revision: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    conditions: Vec<Condition<'a>>,
    #[serde(borrow)]
    inventory: Option<Inventory<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Inventory<'a> {
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    entries: Vec<Entry<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

/// The annotations with which Argo CD is told to leave an Application alone, and to look at it again.
const SKIP_RECONCILE: &str = "argocd.argoproj.io/skip-reconcile";
const REFRESH: &str = "argocd.argoproj.io/refresh";

/// Read an Application.
///
/// # Errors
/// If it is not as Argo CD writes it. The error names no value of it.
pub fn application(parts: &Parts<'_>) -> Result<Application, serde_json::Error> {
    let meta: Meta<'_> = part(parts.metadata)?;
    let spec: Compared<'_> = part(parts.spec)?;
    let status: ApplicationStatus<'_> = part(parts.status)?;
    let has_operation = parts
        .operation
        .is_some_and(|operation| operation.get() != "null");
    let phase = (status.operation_state.as_ref()).and_then(|state| state.phase.as_deref());
    let is_syncing = has_operation || matches!(phase, Some("Running" | "Terminating"));
    let destination = spec.destination.as_ref();
    let owned = |text: &Option<Text<'_>>| {
        text.as_deref()
            .filter(|text| !text.is_empty())
            .map(Box::from)
    };
    let mut application = Application {
        namespace: owned(&meta.namespace).unwrap_or_default(),
        name: owned(&meta.name).unwrap_or_default(),
        destination: Destination {
            server: destination.and_then(|place| owned(&place.server)),
            name: destination.and_then(|place| owned(&place.name)),
        },
        controller_namespace: owned(&status.controller_namespace),
        reconciled_at: (status.reconciled_at).and_then(|at| Stamp::from_second(at.seconds?)),
        unsettled: unsettled(&meta, &spec, &status, is_syncing),
        is_syncing,
        jobs: Vec::new(),
    };
    let default_namespace = destination.and_then(|place| place.namespace.as_deref());
    let jobs = status.resources.iter().filter_map(|resource| {
        let is_job =
            resource.group.as_deref() == Some("batch") && resource.kind.as_deref() == Some("Job");
        let name = resource
            .name
            .as_deref()
            .filter(|name| is_job && !name.is_empty())?;
        Some(Listed {
            namespace: resource.namespace.as_deref().or(default_namespace)?.into(),
            name: name.into(),
            status: match resource.status.as_deref() {
                Some("Synced") => Status::Synced,
                Some("OutOfSync") => Status::OutOfSync,
                Some("Unknown") => Status::Unknown,
                _ => Status::Absent,
            },
            is_hook: resource.hook == Some(true),
            requires_pruning: resource.requires_pruning == Some(true),
        })
    });
    application.jobs = jobs.collect();
    Ok(application)
}

/// The first sign that the status of an Application is not to be trusted.
fn unsettled(
    meta: &Meta<'_>,
    spec: &Compared<'_>,
    status: &ApplicationStatus<'_>,
    is_syncing: bool,
) -> Option<Unsettled> {
    let has = |condition: &str| {
        let mut kinds = status.conditions.iter().map(|found| found.kind.as_deref());
        kinds.any(|kind| kind == Some(condition))
    };
    let sync = status.sync.as_ref();
    let compared = sync.and_then(|sync| sync.status.as_deref());
    let manifests = (status.operation_state.as_ref())
        .and_then(|state| state.operation.as_ref()?.sync.as_ref())
        .map_or(0, |sync| sync.manifests.len());
    // As Go's strconv.ParseBool reads it.
    let is_skipped = matches!(
        meta.annotations.get(SKIP_RECONCILE),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True")
    );
    first_sign([
        (is_syncing, Unsettled::Syncing),
        // A comparison that has failed may look like a good one otherwise.
        (has("ComparisonError"), Unsettled::ComparisonError),
        (has("InvalidSpecError"), Unsettled::InvalidSpecError),
        (has("UnknownError"), Unsettled::UnknownError),
        (is_skipped, Unsettled::SkipReconcile),
        (
            matches!(compared, None | Some("" | "Unknown")) || status.reconciled_at.is_none(),
            Unsettled::NotCompared,
        ),
        (manifests > 0, Unsettled::LocalManifests),
        (
            !sync.is_some_and(|sync| is_compared(spec, sync.compared_to.as_ref())),
            Unsettled::SpecChanged,
        ),
        (
            meta.annotations.get(REFRESH).is_some(),
            Unsettled::RefreshAsked,
        ),
    ])
}

/// The first of these signs that is there.
fn first_sign<const N: usize>(signs: [(bool, Unsettled); N]) -> Option<Unsettled> {
    signs
        .into_iter()
        .find_map(|(is_there, why)| is_there.then_some(why))
}

/// A text that Go would leave empty if it is absent.
fn plain<'t>(text: &'t Option<Text<'_>>) -> &'t str {
    text.as_deref().unwrap_or_default()
}

/// Whether this spec is the one that was compared with git. A hydrator counts before several sources, and these before
/// one (`controller/appcontroller.go`, `currentSourceEqualsSyncedSource`).
fn is_compared(spec: &Compared<'_>, compared: Option<&Compared<'_>>) -> bool {
    let Some(compared) = compared else {
        return false;
    };
    let sources_are_same = if let Some(hydrator) = &spec.source_hydrator {
        (compared.source).is_some_and(|source| hydrator.is_synced_to(source))
    } else if spec.sources.is_empty() {
        are_same(spec.source, compared.source)
    } else {
        let (now, then) = (&spec.sources, &compared.sources);
        now.len() == then.len()
            && now
                .iter()
                .zip(then)
                .all(|(now, then)| are_same(Some(now), Some(then)))
    };
    let empty = Place::default();
    let now = spec.destination.as_ref().unwrap_or(&empty);
    let then = compared.destination.as_ref().unwrap_or(&empty);
    sources_are_same && now.is_same(then)
}

impl Hydrator<'_> {
    /// Whether this is the source that Argo CD makes of it (`GetSyncSource`).
    fn is_synced_to(&self, source: &RawValue) -> bool {
        let Ok(found) = serde_json::from_str::<Source<'_>>(source.get()) else {
            return false;
        };
        let none = Source::default();
        let (dry, sync) = (
            self.dry_source.as_ref().unwrap_or(&none),
            self.sync_source.as_ref().unwrap_or(&none),
        );
        let repo_url = sync.repo_url.as_deref().or(dry.repo_url.as_deref());
        plain(&found.repo_url) == repo_url.unwrap_or_default()
            && plain(&found.path) == plain(&sync.path)
            && plain(&found.target_revision) == plain(&sync.target_branch)
    }
}

impl Place<'_> {
    /// Whether two destinations are one. Argo CD 2 adds what it can infer to one of them.
    fn is_same(&self, other: &Place<'_>) -> bool {
        let [one, two] = [self, other].map(|place| plain(&place.server).trim_end_matches('/'));
        let is_same = if one.is_empty() || two.is_empty() {
            plain(&self.name) == plain(&other.name)
        } else {
            one == two
        };
        is_same && plain(&self.namespace) == plain(&other.namespace)
    }
}

/// Whether two values are the same but for what is empty in them: Go leaves that out or writes it, as it comes.
fn are_same(one: Option<&RawValue>, other: Option<&RawValue>) -> bool {
    let [one, other] = [one, other].map(|text| text.map_or("null", RawValue::get));
    let read = |text| serde_json::from_str(text).map(without_empty);
    one == other || matches!((read(one), read(other)), (Ok(one), Ok(other)) if one == other)
}

fn without_empty(mut value: Value) -> Value {
    let is_empty = match &mut value {
        Value::Null => true,
        Value::Bool(is_set) => !*is_set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => {
            let left = std::mem::take(items).into_iter().map(without_empty);
            *items = left.filter(|item| !item.is_null()).collect();
            items.is_empty()
        }
        Value::Object(members) => {
            members
                .values_mut()
                .for_each(|member| *member = without_empty(member.take()));
            members.retain(|_, member| !member.is_null());
            members.is_empty()
        }
    };
    if is_empty { Value::Null } else { value }
}

/// Read a Kustomization.
///
/// # Errors
/// If it is not as Flux writes it. The error names no value of it.
pub fn kustomization(parts: &Parts<'_>) -> Result<Kustomization, serde_json::Error> {
    let meta: Meta<'_> = part(parts.metadata)?;
    let spec: KustomizationSpec = part(parts.spec)?;
    let status: KustomizationStatus<'_> = part(parts.status)?;
    let holds = |condition: &str| {
        status.conditions.iter().any(|found| {
            found.kind.as_deref() == Some(condition) && found.status.as_deref() == Some("True")
        })
    };
    let is_observed = (meta.generation.zip(status.observed_generation))
        .is_none_or(|(now, observed)| now == observed);
    let attempted = plain(&status.last_attempted_revision);
    let applied = plain(&status.last_applied_revision);
    let unsettled = first_sign([
        (holds("Reconciling"), Unsettled::Reconciling),
        // A source that cannot be had shows in no other place.
        (!holds("Ready"), Unsettled::NotReady),
        (!is_observed, Unsettled::NotObserved),
        (
            !attempted.is_empty() && attempted != applied,
            Unsettled::NotApplied,
        ),
    ]);
    let entries = status.inventory.unwrap_or_default().entries;
    let ids = entries.iter().filter_map(|entry| entry.id.as_deref());
    Ok(Kustomization {
        namespace: plain(&meta.namespace).into(),
        name: plain(&meta.name).into(),
        is_elsewhere: spec.kube_config.is_some(),
        unsettled,
        jobs: ids
            .filter(|id| id.ends_with(JOB_ID))
            .map(Box::from)
            .collect(),
    })
}

/// Read a part of an object; what is absent or null is empty.
fn part<'a, T: Deserialize<'a> + Default>(
    text: Option<&'a RawValue>,
) -> Result<T, serde_json::Error> {
    let part = text.map(|text| serde_json::from_str::<Option<T>>(text.get()));
    Ok(part.transpose()?.flatten().unwrap_or_default())
}
