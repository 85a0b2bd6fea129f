//! From what was read to what is judged: checks a wire Job, finds what groups it, shares its strings.

use std::{borrow::Cow, collections::HashSet, hash::Hash, mem, sync::Arc};

use jiff::Timestamp;

use crate::{
    decode,
    job::{
        CREATED, Common, Controller, Deletion, Job, KEEP, Own, Protection, State, generated_after,
        grouping::{Grouping, INSTANCE, Key, TRACKING_ID, tracked_application},
        ids::Stamp,
        mark::{ArgoMark, HELM_RELEASE, Kustomization, Marks, OtherTool},
        query::Query,
        rules::{self, Match, Matched, RuleNumber},
    },
};

/// Where Argo CD keeps an object's sync options.
const ARGO_SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";
/// Where Helm is told what to do with an object that it would remove.
const HELM_RESOURCE_POLICY: &str = "helm.sh/resource-policy";
/// The annotation or label with which Flux is told not to remove an object.
const FLUX_PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
/// Kubernetes' own label for the application, which Argo CD 2 sets, and so do others.
const KUBERNETES_INSTANCE: &str = "app.kubernetes.io/instance";
/// Where Argo CD and Helm are told that an object is a hook.
const ARGO_HOOK: &str = "argocd.argoproj.io/hook";
const HELM_HOOK: &str = "helm.sh/hook";
/// The labels with which Flux names the Kustomization and the HelmRelease that an object is of.
const FLUX_KUSTOMIZATION: [&str; 2] = [
    "kustomize.toolkit.fluxcd.io/namespace",
    "kustomize.toolkit.fluxcd.io/name",
];
const FLUX_HELM_RELEASE: &str = "helm.toolkit.fluxcd.io/name";
/// The annotations of Config Sync and Fleet, and the label of kapp.
const CONFIG_SYNC: &str = "configsync.gke.io/resource-id";
const FLEET: &str = "objectset.rio.cattle.io/id";
const KAPP: &str = "kapp.k14s.io/app";

/// Why a Job cannot be judged. One such Job fails the whole plan: a lost newest would make its predecessor look newest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IntakeError {
    /// It has no name.
    #[error("a Job without a name")]
    NoName,
    /// It has no creationTimestamp, so its age is unknown.
    #[error("Job {0} without a creationTimestamp")]
    NoCreation(String),
    /// A time is beyond what a calendar can hold.
    #[error("Job {0} with a time out of range")]
    TimeRange(String),
    /// It has no uid or resourceVersion, without which no delete is safe.
    #[error("Job {0} without a uid or resourceVersion")]
    NoIdentity(String),
}

/// What a Job must have to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// A uid and a resourceVersion, since it may be deleted.
    Required,
    /// Neither: the plan is only to be looked at.
    Optional,
}

/// Turns wire Jobs into Jobs, sharing equal strings between them.
#[derive(Debug)]
pub struct Intake {
    grouping: Grouping,
    identity: Identity,
    rules: Arc<[Match]>,
    strings: HashSet<Arc<str>>,
    value_lists: HashSet<Arc<[Arc<str>]>>,
    /// Room for the values of a Job, until it is known whether there is such a list.
    values: Vec<Arc<str>>,
    marks: HashSet<Arc<Marks>>,
    commons: HashSet<Arc<Common>>,
}

impl Intake {
    /// For Jobs that are grouped like this, and that these rules are for.
    pub fn new(grouping: &Grouping, rules: &Arc<[Match]>, identity: Identity) -> Intake {
        Intake {
            grouping: grouping.clone(),
            identity,
            rules: Arc::clone(rules),
            strings: HashSet::new(),
            value_lists: HashSet::new(),
            values: Vec::new(),
            marks: HashSet::new(),
            commons: HashSet::new(),
        }
    }

    /// Take a Job in; `None` if it belongs to no group.
    ///
    /// # Errors
    /// If it cannot be judged or not be deleted safely, see [`IntakeError`].
    pub fn take(&mut self, job: &decode::Job<'_>) -> Result<Option<Job>, IntakeError> {
        let no_meta = decode::ObjectMeta::default();
        let meta = job.metadata.as_ref().unwrap_or(&no_meta);
        let Some(group_values) = self.group_values(meta) else {
            return Ok(None);
        };
        let no_status = decode::JobStatus::default();
        let status = job.status.as_ref().unwrap_or(&no_status);
        let protection = protection(meta);
        let (state, condition_time) = state(status);
        let has_run = state.is_finished() || seconds(status.start_time).is_some();
        let restored = if has_run { None } else { restored(meta) };
        let marks = self.marks(meta);
        let rule = self.rule(meta, &group_values);
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let name = meta.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            return Err(IntakeError::NoName);
        }
        let who = || format!("{namespace}/{name}");
        let uid = meta.uid.as_deref().unwrap_or_default();
        let resource_version = meta.resource_version.as_deref().unwrap_or_default();
        if self.identity == Identity::Required && (uid.is_empty() || resource_version.is_empty()) {
            return Err(IntakeError::NoIdentity(who()));
        }
        let time = |time: Option<decode::Time>| match seconds(time) {
            None => Ok(None),
            Some(seconds) => match Stamp::from_second(seconds) {
                None => Err(IntakeError::TimeRange(who())),
                stamp => Ok(stamp),
            },
        };
        let stamped =
            time(meta.creation_timestamp)?.ok_or_else(|| IntakeError::NoCreation(who()))?;
        let deleted = time(meta.deletion_timestamp)?;
        let own = Own {
            // Never later: what a person writes there must not make a Job the newest.
            created: restored.map_or(stamped, |created| created.min(stamped)),
            started: time(status.start_time)?,
            finished: match time(status.completion_time)? {
                Some(completed) => Some(completed),
                None => time(condition_time)?,
            },
            name: name.into(),
            uid: uid.into(),
            resource_version: resource_version.into(),
            size: job.size,
        };
        let common = Common {
            namespace: self.share(namespace),
            group_values,
            generated_after: (meta.generate_name.as_deref())
                .and_then(|generate_name| generated_after(name, generate_name)),
            state,
            deletion: deleted.map(|since| Deletion {
                since,
                finalizers: meta.finalizers.iter().map(|name| (**name).into()).collect(),
            }),
            protection,
            controller: controller(&meta.owner_references),
            marks,
            rule,
        };
        Ok(Some(Job::new(held_once(&mut self.commons, common), own)))
    }

    fn group_values(&mut self, meta: &decode::ObjectMeta<'_>) -> Option<Arc<[Arc<str>]>> {
        let mut values = mem::take(&mut self.values);
        values.clear();
        let shared = self.collect_values(meta, &mut values).then(|| {
            if let Some(shared) = self.value_lists.get(values.as_slice()) {
                return Arc::clone(shared);
            }
            let shared: Arc<[Arc<str>]> = values.as_slice().into();
            self.value_lists.insert(Arc::clone(&shared));
            shared
        });
        self.values = values;
        shared
    }

    /// Collect what puts a Job into a group, and say whether it is in one.
    fn collect_values(
        &mut self,
        meta: &decode::ObjectMeta<'_>,
        values: &mut Vec<Arc<str>>,
    ) -> bool {
        let number = match &self.grouping {
            Grouping::Family => return true,
            Grouping::Application => {
                let application = application(meta);
                values.extend(application.map(|application| self.share(application)));
                1
            }
            Grouping::Keys(keys) => {
                let number = keys.len();
                for index in 0..number {
                    let value = value_of(meta, &self.grouping.keys()[index]);
                    values.extend(value.map(|value| self.share(value)));
                }
                number
            }
        };
        values.len() == number
    }

    /// The first rule that is for a Job, by what it says now.
    fn rule(&self, meta: &decode::ObjectMeta<'_>, values: &[Arc<str>]) -> Option<RuleNumber> {
        let application = match &self.grouping {
            Grouping::Application => values.first().map(AsRef::as_ref),
            Grouping::Keys(_) | Grouping::Family => None,
        };
        let job = Matched {
            namespace: meta.namespace.as_deref().unwrap_or_default(),
            application,
            label: |key: &str| meta.labels.get(key),
        };
        rules::first(&self.rules, &job)
    }

    /// What a Job says of who manages it.
    pub(crate) fn marks(&mut self, meta: &decode::ObjectMeta<'_>) -> Option<Arc<Marks>> {
        let annotation = |key: &str| meta.annotations.get(key);
        let label = |key: &str| meta.labels.get(key).filter(|value| !value.is_empty());
        // One that is skipped is never run (Argo CD, gitops-engine/pkg/sync/hook/hook.go).
        let is_hook = annotation(ARGO_HOOK).is_some_and(|phase| phase.trim() != "Skip")
            || annotation(HELM_HOOK).is_some();
        let argocd = (tracked(meta))
            .or_else(|| label(INSTANCE))
            .map(|application| (application, true))
            .or_else(|| Some((label(KUBERNETES_INSTANCE)?, false)));
        let [flux_namespace, flux_name] = FLUX_KUSTOMIZATION.map(label);
        let release = annotation(HELM_RELEASE)
            .filter(|release| !release.is_empty() && annotation(HELM_HOOK).is_none());
        let other = if label(FLUX_HELM_RELEASE).is_some() && !is_hook && release.is_none() {
            Some(OtherTool::HelmRelease)
        } else if annotation(CONFIG_SYNC).is_some() {
            Some(OtherTool::ConfigSync)
        } else if annotation(FLEET).is_some_and(|id| !id.is_empty()) {
            Some(OtherTool::Fleet)
        } else {
            label(KAPP).map(|_| OtherTool::Kapp)
        };
        let marks = Marks {
            argocd: argocd.map(|(application, is_certain)| ArgoMark {
                application: self.share(application),
                is_certain,
            }),
            flux: (flux_namespace.zip(flux_name)).map(|(namespace, name)| Kustomization {
                namespace: self.share(namespace),
                name: self.share(name),
            }),
            release: release.map(|release| self.share(release)),
            is_hook,
            other,
        };
        if marks == Marks::default() {
            return None;
        }
        Some(held_once(&mut self.marks, marks))
    }

    fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.strings.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = text.into();
        self.strings.insert(Arc::clone(&shared));
        shared
    }
}

/// What is equal to this and there already, or this, which is there from now on.
fn held_once<T: Eq + Hash>(held: &mut HashSet<Arc<T>>, value: T) -> Arc<T> {
    if let Some(shared) = held.get(&value) {
        return Arc::clone(shared);
    }
    let shared = Arc::new(value);
    held.insert(Arc::clone(&shared));
    shared
}

/// The controller among a Job's owners, if it has one.
fn controller(owners: &[decode::OwnerReference<'_>]) -> Option<Controller> {
    let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
    Some(Controller {
        kind: owner.kind.as_deref().unwrap_or_default().into(),
        name: owner.name.as_deref().unwrap_or_default().into(),
    })
}

/// The Argo CD application that a Job belongs to.
fn application<'m>(meta: &'m decode::ObjectMeta<'_>) -> Option<&'m str> {
    tracked(meta).or_else(|| meta.labels.get(INSTANCE))
}

/// The Argo CD application in the tracking-id of a Job.
fn tracked<'m>(meta: &'m decode::ObjectMeta<'_>) -> Option<&'m str> {
    tracked_application(
        meta.annotations.get(TRACKING_ID)?,
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
        meta.generate_name.as_deref(),
    )
}

fn value_of<'m>(meta: &'m decode::ObjectMeta<'_>, key: &Key) -> Option<&'m str> {
    match key {
        Key::Label(key) => meta.labels.get(key.as_str()),
        Key::Annotation(key) => meta.annotations.get(key.as_str()),
    }
}

/// Whether the selectors of a query select a Job.
pub(crate) fn is_selected(job: &decode::Job<'_>, query: &Query) -> bool {
    let no_meta = decode::ObjectMeta::default();
    let meta = job.metadata.as_ref().unwrap_or(&no_meta);
    let field = |field: &str| -> Cow<'_, str> {
        match field {
            "metadata.name" => meta.name.as_deref().unwrap_or_default().into(),
            "metadata.namespace" => meta.namespace.as_deref().unwrap_or_default().into(),
            _ => {
                let succeeded = job.status.as_ref().and_then(|status| status.succeeded);
                succeeded.unwrap_or_default().to_string().into()
            }
        }
    };
    query.selector.matches(|key| meta.labels.get(key)) && query.fields.matches(field)
}

/// When the Job was created that this one was restored from. It counts until this one has run itself.
fn restored(meta: &decode::ObjectMeta<'_>) -> Option<Stamp> {
    let created: Timestamp = meta.annotations.get(CREATED)?.parse().ok()?;
    Some(created.into())
}

/// A time that is not set is a message without seconds.
fn seconds(time: Option<decode::Time>) -> Option<i64> {
    time.and_then(|time| time.seconds)
}

/// The state in kubectl's order of precedence, and when it was reached if it is a final one.
fn state(status: &decode::JobStatus<'_>) -> (State, Option<decode::Time>) {
    let holds = |kind: &str| {
        status.conditions.iter().find(|condition| {
            condition.kind.as_deref() == Some(kind) && condition.status.as_deref() == Some("True")
        })
    };
    if let Some(condition) = holds("Complete") {
        (State::Complete, condition.last_transition_time)
    } else if let Some(condition) = holds("Failed") {
        (State::Failed, condition.last_transition_time)
    } else if holds("Suspended").is_some() {
        (State::Suspended, None)
    } else if holds("FailureTarget").is_some() {
        (State::FailureTarget, None)
    } else if holds("SuccessCriteriaMet").is_some() {
        (State::SuccessCriteriaMet, None)
    } else {
        (State::Running, None)
    }
}

/// What the marks with which a user keeps an object say.
pub(crate) fn keep_marks<'m>(meta: &'m decode::ObjectMeta<'_>) -> impl Iterator<Item = &'m str> {
    let maps = [&meta.annotations, &meta.labels];
    maps.into_iter().filter_map(|map| map.get(KEEP))
}

/// Read generously: a near miss was meant to keep the Job.
fn protection(meta: &decode::ObjectMeta<'_>) -> Option<Protection> {
    let is = |found: &str, word: &str| found.trim().eq_ignore_ascii_case(word);
    let holds = |key: &str, word: &str| {
        let maps = [&meta.annotations, &meta.labels];
        let mut found = maps.into_iter().filter_map(|map| map.get(key));
        found.any(|found| is(found, word))
    };
    let holds_back = |option: &str| {
        option.split_once('=').is_some_and(|(option, value)| {
            ["Delete", "Prune"].iter().any(|known| is(option, known))
                && ["false", "confirm"].iter().any(|known| is(value, known))
        })
    };
    let annotation = |key: &str| meta.annotations.get(key);
    if holds(KEEP, "true") {
        Some(Protection::KeepMark)
    } else if annotation(ARGO_SYNC_OPTIONS)
        .is_some_and(|options| options.split(',').any(holds_back))
    {
        Some(Protection::ArgoSyncOptions)
    } else if annotation(HELM_RESOURCE_POLICY).is_some_and(|policy| is(policy, "keep")) {
        Some(Protection::HelmResourcePolicy)
    } else if holds(FLUX_PRUNE, "disabled") {
        Some(Protection::FluxPrune)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deleted_at_once_by_one_finalizer_is_held_once() {
        let job = |name: &str, second: u32, finalizer: &str| {
            format!(
                r#"{{"metadata":{{"name":"{name}","labels":{{"app":"x"}},"creationTimestamp":"2026-01-01T00:00:00Z",
                    "deletionTimestamp":"2026-01-02T00:00:0{second}Z","finalizers":["{finalizer}"]}}}}"#
            )
        };
        let mut intake = Intake::new(
            &"label:app".parse().unwrap(),
            &Arc::default(),
            Identity::Optional,
        );
        let mut taken = |text: &str| {
            let job = intake.take(&serde_json::from_str(text).unwrap());
            job.unwrap().unwrap()
        };
        let first = taken(&job("a", 0, "hold"));
        assert!(std::ptr::eq(
            first.common(),
            taken(&job("b", 0, "hold")).common()
        ));
        for other in [job("c", 1, "hold"), job("d", 0, "other")] {
            assert_ne!(first.deletion(), taken(&other).deletion());
        }
    }
}
