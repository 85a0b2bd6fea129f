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
    fmt,
    num::{NonZeroU8, NonZeroU32},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use self::{
    ids::{Identity, Stamp, Uid, Version},
    mark::Marks,
    rules::RuleNumber,
};

/// One Job of the cluster, reduced to what a verdict and a safe delete need.
///
/// A plan may hold a million, so what Jobs have in common is held once, and the names of those that were read together
/// stand in one text.
#[derive(Clone)]
pub struct Job {
    common: Arc<Common>,
    /// The text that its name is a part of.
    names: Arc<Box<str>>,
    name_at: u32,
    /// [`WHOLE_TEXT`] if its name is all of the text.
    name_length: u8,
    identity: Identity,
    created: Stamp,
    started: Option<Stamp>,
    finished: Option<Stamp>,
    size: Option<NonZeroU32>,
}

/// What a Job has in common with others: tens of thousands of Jobs differ in a few of these only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Common {
    pub namespace: Arc<str>,
    /// What puts it into its group: the application, or the value of every key in the order in which the keys were asked
    /// for.
    pub group_values: Arc<[Arc<str>]>,
    /// How much of the name is its `metadata.generateName`, if the name begins with that.
    pub generated_after: Option<NonZeroU8>,
    /// What its conditions say.
    pub state: State,
    /// Set if it is already on its way out. What a large purge deletes goes by the thousands in one second, held by the same
    /// finalizer.
    pub deletion: Option<Deletion>,
    /// Why it must stay, if the object itself says so.
    pub protection: Option<Protection>,
    /// Its controller, if it has one.
    pub controller: Option<Controller>,
    /// What it says of who manages it, if it says anything.
    pub marks: Option<Arc<Marks>>,
    /// The first rule of a policy that is for it; none if the defaults are.
    pub rule: Option<RuleNumber>,
}

/// What a Job has of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Its name, unique within the namespace at any one time.
    pub name: Box<str>,
    /// The server's identity of this very object; empty when it was read from a file that has none.
    pub uid: Uid,
    /// The version of the object that was read; opaque.
    pub resource_version: Version,
    /// `metadata.creationTimestamp`, whole seconds, by the server's clock; of a restored Job that has not run again, when
    /// the one was created that it was restored from, see [`CREATED`].
    pub created: Stamp,
    /// `status.startTime`.
    pub started: Option<Stamp>,
    /// When it completed or failed.
    pub finished: Option<Stamp>,
    /// About how many bytes it takes in the API server's store, if that is known. The store holds it as a list in protobuf
    /// does, with a small head; of JSON it is the text that is counted.
    pub size: Option<NonZeroU32>,
}

impl Common {
    /// Of a Job in this state that says nothing else of itself.
    pub fn new(namespace: Arc<str>, group_values: Arc<[Arc<str>]>, state: State) -> Common {
        Common {
            namespace,
            group_values,
            generated_after: None,
            state,
            deletion: None,
            protection: None,
            controller: None,
            marks: None,
            rule: None,
        }
    }
}

#[cfg(test)]
impl Job {
    /// A complete one of 1970 that says nothing else of itself.
    pub(crate) fn complete(namespace: &str, name: &str, uid: &str, group_value: &str) -> Job {
        Job::new(
            Arc::new(Common::new(
                namespace.into(),
                [group_value.into()].into(),
                State::Complete,
            )),
            Own {
                name: name.into(),
                uid: uid.into(),
                resource_version: "1".into(),
                created: jiff::Timestamp::UNIX_EPOCH.into(),
                started: None,
                finished: None,
                size: None,
            },
        )
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

/// Stands for the length of a name that is all of its text: that may be longer than a byte can say.
const WHOLE_TEXT: u8 = u8::MAX;

impl Job {
    /// Put a Job together.
    pub fn new(common: Arc<Common>, own: Own) -> Job {
        Job {
            common,
            names: Arc::new(own.name),
            name_at: 0,
            name_length: WHOLE_TEXT,
            identity: Identity::new(own.uid, own.resource_version),
            created: own.created,
            started: own.started,
            finished: own.finished,
            size: own.size,
        }
    }

    /// What [`Job::new`] would make this Job of.
    pub fn parts(&self) -> (Common, Own) {
        let own = Own {
            name: self.name().into(),
            uid: self.uid(),
            resource_version: self.resource_version(),
            created: self.created,
            started: self.started,
            finished: self.finished,
            size: self.size,
        };
        (Common::clone(&self.common), own)
    }

    /// Put the names of Jobs into one text, so that each takes no more room than its letters. The text stays as long as any
    /// of the Jobs does.
    pub fn pack_names(jobs: &mut [Job]) {
        let is_short = |job: &Job| job.name().len() < usize::from(WHOLE_TEXT);
        let short = jobs.iter().filter(|job| is_short(job));
        let mut text = String::with_capacity(short.clone().map(|job| job.name().len()).sum());
        short.for_each(|job| text.push_str(job.name()));
        let names = Arc::new(text.into_boxed_str());
        let mut at = 0;
        for job in jobs.iter_mut().filter(|job| is_short(job)) {
            let length = job.name().len();
            let (Ok(name_at), Ok(name_length)) = (u32::try_from(at), u8::try_from(length)) else {
                // The text is longer than that. Its last names may stay where they are.
                return;
            };
            job.names = Arc::clone(&names);
            (job.name_at, job.name_length) = (name_at, name_length);
            at += length;
        }
    }

    /// What it has in common with others.
    pub fn common(&self) -> &Common {
        &self.common
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.common.namespace
    }

    /// See [`Common::group_values`].
    pub fn group_values(&self) -> &[Arc<str>] {
        &self.common.group_values
    }

    /// What its conditions say.
    pub fn state(&self) -> State {
        self.common.state
    }

    /// Set if it is already on its way out.
    pub fn deletion(&self) -> Option<&Deletion> {
        self.common.deletion.as_ref()
    }

    /// Why it must stay, if the object itself says so.
    pub fn protection(&self) -> Option<Protection> {
        self.common.protection
    }

    /// Its controller, if it has one.
    pub fn controller(&self) -> Option<&Controller> {
        self.common.controller.as_ref()
    }

    /// What it says of who manages it, if it says anything.
    pub fn marks(&self) -> Option<&Marks> {
        self.common.marks.as_deref()
    }

    /// The first rule of a policy that is for it; none if the defaults are.
    pub fn rule(&self) -> Option<RuleNumber> {
        self.common.rule
    }

    /// Its name, unique within the namespace at any one time.
    pub fn name(&self) -> &str {
        match self.name_length {
            WHOLE_TEXT => &self.names,
            length => {
                let at = self.name_at as usize;
                &self.names[at..at + usize::from(length)]
            }
        }
    }

    /// Its `metadata.generateName`, if its name begins with that.
    pub fn generate_name(&self) -> Option<&str> {
        self.name()
            .get(..usize::from(self.common.generated_after?.get()))
    }

    /// See [`Own::uid`].
    pub fn uid(&self) -> Uid {
        self.identity.uid()
    }

    /// See [`Own::resource_version`].
    pub fn resource_version(&self) -> Version {
        self.identity.resource_version()
    }

    /// See [`Own::created`].
    pub fn created(&self) -> Stamp {
        self.created
    }

    /// See [`Own::started`].
    pub fn started(&self) -> Option<Stamp> {
        self.started
    }

    /// See [`Own::finished`].
    pub fn finished(&self) -> Option<Stamp> {
        self.finished
    }

    /// See [`Own::size`].
    pub fn size(&self) -> Option<NonZeroU32> {
        self.size
    }

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
        match self.state() {
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
        self.deletion().is_some()
    }

    /// How long it has been on its way out.
    pub fn terminating_for(&self, now: Timestamp) -> Option<SignedDuration> {
        let deletion = self.deletion()?;
        Some(now.duration_since(deletion.since.timestamp()))
    }

    /// The order of "newest first": by creationTimestamp, then name, then uid.
    ///
    /// It is total, since the stamp has whole seconds only and ties are normal: the same cluster must always give
    /// the same plan. Among equals the name that sorts first counts as newest.
    pub fn newest_first(a: &Job, b: &Job) -> std::cmp::Ordering {
        b.created
            .cmp(&a.created)
            .then_with(|| a.name().cmp(b.name()))
            .then_with(|| a.uid().cmp(&b.uid()))
    }
}

/// Where a name stands does not matter.
impl PartialEq for Job {
    fn eq(&self, other: &Job) -> bool {
        let rest = |job: &Job| (job.created, job.started, job.finished, job.size);
        self.identity == other.identity
            && self.name() == other.name()
            && rest(self) == rest(other)
            && self.common == other.common
    }
}

impl Eq for Job {}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (common, own) = self.parts();
        f.debug_tuple("Job").field(&own).field(&common).finish()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_small() {
        assert_eq!(size_of::<Job>(), 64);
    }

    #[test]
    fn packed_names_are_the_same() {
        let names = [
            "a",
            "",
            "sync-1a2b3c",
            &"l".repeat(254),
            &"m".repeat(255),
            "z",
        ];
        let job = |name: &&str| Job::complete("team-a", name, "uid", "shop");
        let jobs: Vec<Job> = names.iter().map(job).collect();
        let mut packed = jobs.clone();
        Job::pack_names(&mut packed[1..]);
        assert_eq!(packed, jobs);
        // Some are packed already.
        Job::pack_names(&mut packed);
        assert_eq!(packed, jobs);
        assert!(packed.iter().map(Job::name).eq(names));
        let share = |a: usize, b: usize| Arc::ptr_eq(&packed[a].names, &packed[b].names);
        assert!(share(0, 3) && share(0, 5) && !share(0, 4));
    }
}
