//! A Job as far as a verdict needs it: who it is, how old it is, what state it is in, who claims it.

pub mod family;
pub mod field;
pub mod grouping;
pub mod ids;
pub mod label;
pub mod mark;
pub mod namespaces;
pub mod pattern;
pub mod query;
pub mod rules;
pub mod selector;

use std::{
    num::{NonZeroU8, NonZeroU32},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use self::{
    ids::{Stamp, Uid, Version},
    mark::Marks,
    rules::RuleNumber,
};

/// One Job of the cluster, reduced to what a verdict and a safe delete need.
///
/// Namespaces and what makes groups are shared between Jobs: tens of thousands of rows name only a few of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub namespace: Arc<str>,
    /// Its name, unique within the namespace at any one time.
    pub name: Box<str>,
    /// How much of the name is its `metadata.generateName`, if the name begins with that.
    pub generated_after: Option<NonZeroU8>,
    /// The server's identity of this very object; empty when it was read from a file that has none.
    pub uid: Uid,
    /// The version of the object that was read; opaque.
    pub resource_version: Version,
    /// What puts it into its group: the application, or the value of every key in the order in which the keys were asked
    /// for.
    pub group_values: Arc<[Arc<str>]>,
    /// `metadata.creationTimestamp`, whole seconds, by the server's clock; of a restored Job that has not run again, when
    /// the one was created that it was restored from, see [`CREATED`].
    pub created: Stamp,
    /// `status.startTime`.
    pub started: Option<Stamp>,
    /// When it completed or failed.
    pub finished: Option<Stamp>,
    /// What its conditions say.
    pub state: State,
    /// Set if it is already on its way out. Few are, so it is kept apart.
    pub deletion: Option<Arc<Deletion>>,
    /// Why it must stay, if the object itself says so.
    pub protection: Option<Protection>,
    /// Its controller, if it has one.
    pub controller: Option<Arc<Controller>>,
    /// What it says of who manages it, if it says anything.
    pub marks: Option<Arc<Marks>>,
    /// The first rule of a policy that is for it; none if the defaults are.
    pub rule: Option<RuleNumber>,
    /// About how many bytes it takes in the API server's store, if that is known. The store holds it as a list in protobuf
    /// does, with a small head; of JSON it is the text that is counted.
    pub size: Option<NonZeroU32>,
}

#[cfg(test)]
impl Job {
    /// A complete one of 1970 that says nothing else of itself.
    pub(crate) fn complete(namespace: &str, name: &str, uid: &str, group_value: &str) -> Job {
        Job {
            namespace: namespace.into(),
            name: name.into(),
            generated_after: None,
            uid: uid.into(),
            resource_version: "1".into(),
            group_values: [group_value.into()].into(),
            created: jiff::Timestamp::UNIX_EPOCH.into(),
            started: None,
            finished: None,
            state: State::Complete,
            deletion: None,
            protection: None,
            controller: None,
            marks: None,
            rule: None,
            size: None,
        }
    }
}

/// The annotation or label with which a user keeps a Job, or all Jobs of a namespace.
pub const KEEP: &str = "jobclean/keep";

/// The annotation of a restored Job that says when the one was created that it was restored from.
pub const CREATED: &str = "jobclean/created";

/// What a Job's conditions say of it; only a condition whose status is `True` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Finished with success.
    Complete,
    /// Finished without.
    Failed,
    /// `spec.suspend` took effect: it has no Pods, and may go on later.
    Suspended,
    /// It has failed, and its last Pods are still ending.
    FailureTarget,
    /// It has succeeded, and its last Pods are still ending.
    SuccessCriteriaMet,
    /// Anything else that is not finished, a Job without a Pod yet among them.
    Running,
}

impl State {
    /// Whether nothing more will happen to it.
    pub fn is_finished(self) -> bool {
        matches!(self, State::Complete | State::Failed)
    }
}

/// That a Job has a deletionTimestamp and waits for its finalizers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deletion {
    /// `metadata.deletionTimestamp`.
    pub since: Stamp,
    /// What has to be done before it may go.
    pub finalizers: Vec<Box<str>>,
}

/// How a Job says that it must not be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protection {
    /// The annotation or label `jobclean/keep` is `true`.
    KeepMark,
    /// Argo CD's sync options hold `Delete` or `Prune` with `false` or `confirm`.
    ArgoSyncOptions,
    /// Helm's annotation `helm.sh/resource-policy` is `keep`.
    HelmResourcePolicy,
    /// Flux's annotation or label `kustomize.toolkit.fluxcd.io/prune` is `disabled`.
    FluxPrune,
}

/// The ownerReference whose `controller` is true.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Controller {
    /// Its kind, `CronJob` for one.
    pub kind: Box<str>,
    /// Its name, in the Job's namespace.
    pub name: Box<str>,
}

impl Job {
    /// All the words that [`Job::status`] may be.
    pub const STATUSES: [&str; 7] = [
        "Complete",
        "Failed",
        "Terminating",
        "Suspended",
        "FailureTarget",
        "SuccessCriteriaMet",
        "Running",
    ];

    /// The word that `kubectl get jobs` shows in its STATUS column.
    pub fn status(&self) -> &'static str {
        match self.state {
            State::Complete => "Complete",
            State::Failed => "Failed",
            _ if self.is_terminating() => "Terminating",
            State::Suspended => "Suspended",
            State::FailureTarget => "FailureTarget",
            State::SuccessCriteriaMet => "SuccessCriteriaMet",
            State::Running => "Running",
        }
    }

    /// Whether it is already on its way out.
    pub fn is_terminating(&self) -> bool {
        self.deletion.is_some()
    }

    /// How long it has been on its way out.
    pub fn terminating_for(&self, now: Timestamp) -> Option<SignedDuration> {
        let deletion = self.deletion.as_ref()?;
        Some(now.duration_since(deletion.since.timestamp()))
    }

    /// The order of "newest first": by creationTimestamp, then name, then uid.
    ///
    /// It is total, since the stamp has whole seconds only and ties are normal: the same cluster must always give
    /// the same plan. Among equals the name that sorts first counts as newest.
    pub fn newest_first(a: &Job, b: &Job) -> std::cmp::Ordering {
        b.created
            .cmp(&a.created)
            .then_with(|| a.name.cmp(&b.name))
            .then_with(|| a.uid.cmp(&b.uid))
    }

    /// Its `metadata.generateName`, if its name begins with that.
    pub fn generate_name(&self) -> Option<&str> {
        self.name.get(..usize::from(self.generated_after?.get()))
    }
}

/// How much of a name is this `generateName`, if it begins with that and goes on.
///
/// The server cuts a `generateName` off after 58 characters. What is left does not tell Jobs apart whose names differ in
/// what was cut off, so such a name is one like any other.
pub fn generated_after(name: &str, generate_name: &str) -> Option<NonZeroU8> {
    let rest = name.strip_prefix(generate_name)?;
    if rest.is_empty() {
        return None;
    }
    NonZeroU8::new(u8::try_from(generate_name.len()).ok()?)
}
