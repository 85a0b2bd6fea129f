//! A Job as far as a verdict needs it: who it is, how old it is, what state it is in, who claims it.

use std::{num::NonZeroU8, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use crate::compact::{Stamp, Uid, Version};

/// One Job of the cluster, reduced to what a verdict and a safe delete need.
///
/// Namespaces and label values are shared between Jobs: tens of thousands of rows name only a few of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name, unique within the namespace at any one time.
    pub name: Box<str>,
    /// How much of the name is its `metadata.generateName`, if the server completed that to the name.
    pub generated_after: Option<NonZeroU8>,
    /// The server's identity of this very object; empty when it was read from a file that has none.
    pub uid: Uid,
    /// The version of the object that was read; opaque.
    pub resource_version: Version,
    /// The value of every cleanup label, in the order in which the keys were asked for.
    pub label_values: Arc<[Arc<str>]>,
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
    /// Why it must stay, if somebody said so on the object itself.
    pub protection: Option<Protection>,
    /// Its controller, if it has one.
    pub controller: Option<Arc<Controller>>,
}

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

    /// Its `metadata.generateName`, as far as the server took it into the name.
    pub fn generate_name(&self) -> Option<&str> {
        self.name.get(..usize::from(self.generated_after?.get()))
    }

    /// The family that it belongs to: its `generateName` without the last separator, or that of its name, see [`family`].
    pub fn family(&self) -> &str {
        let generate_name = self.generate_name().unwrap_or_default();
        let base = generate_name.strip_suffix(['-', '.']);
        match base.unwrap_or(generate_name) {
            "" => family(&self.name),
            base => base,
        }
    }
}

/// The characters that Kubernetes draws from when it completes a `generateName`: no vowels, nothing easily misread.
const GENERATE_NAME_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// How many of them it draws.
const GENERATED: usize = 5;

/// How much of a name is this `generateName`, if the rest is what the server completes one with. A name that was given
/// besides may go on in any way.
///
/// The server cuts a `generateName` off after 58 characters. What is left does not tell Jobs apart whose names differ in
/// what was cut off, so such a name is one like any other.
pub fn generated_after(name: &str, generate_name: &str) -> Option<NonZeroU8> {
    let rest = name.strip_prefix(generate_name)?;
    if !is_drawn(rest.as_bytes()) {
        return None;
    }
    NonZeroU8::new(u8::try_from(generate_name.len()).ok()?)
}

/// A Job's family: its name without the endings that are made anew for every release.
///
/// Trailing segments, separated by `-`, are stripped while they look generated: all digits; lower-case hex of six or more
/// with at least one digit; five characters of Kubernetes' generateName alphabet with at least one digit, since there are
/// words of five consonants; a version such as `v2`, `r12` or `1.2.3`. If that would strip everything, the name itself is
/// the family.
pub fn family(name: &str) -> &str {
    let mut rest = name;
    loop {
        match rest.rsplit_once('-') {
            Some(("", tail)) if is_generated(tail) => return name,
            Some((head, tail)) if is_generated(tail) => rest = head,
            None if is_generated(rest) => return name,
            _ => return rest,
        }
    }
}

fn is_generated(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let is_suffix = is_drawn(bytes) && bytes.iter().any(u8::is_ascii_digit);
    is_version(segment) || is_hex_hash(bytes) || is_suffix
}

/// All digits, or digits parted by dots, either with a leading `v` or `r`.
fn is_version(segment: &str) -> bool {
    let number = segment.strip_prefix(['v', 'r']).unwrap_or(segment);
    number
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn is_hex_hash(bytes: &[u8]) -> bool {
    bytes.len() >= 6
        && bytes
            .iter()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
        && bytes.iter().any(u8::is_ascii_digit)
}

/// Whether Kubernetes may have drawn this to complete a `generateName`.
fn is_drawn(bytes: &[u8]) -> bool {
    bytes.len() == GENERATED && bytes.iter().all(|b| GENERATE_NAME_ALPHABET.contains(b))
}

#[cfg(test)]
mod tests {
    use super::{family, generated_after};

    #[test]
    fn a_name_tells_whether_the_server_completed_it() {
        let length = |name: &str, base: &str| {
            let length = generated_after(name, base)?;
            Some(usize::from(length.get()))
        };
        assert_eq!(length("backup-mssql", "backup-"), Some(7));
        assert_eq!(length("backupmssql", "backup"), Some(6));
        assert_eq!(length("backup-mssql", ""), None);
        assert_eq!(
            length("backup-mysql", "backup-"),
            None,
            "no letter that is drawn"
        );
        assert_eq!(length("backup-mssqlx", "backup-"), None);
        assert_eq!(length("backup-mssql", "restore-"), None);
        assert_eq!(length("mssql", ""), None);
        let long = "a".repeat(70);
        let cut = format!("{}x7k2p", &long[..58]);
        assert_eq!(length(&cut, &long), None, "what was cut off may differ");
    }

    #[test]
    fn generated_endings_are_stripped() {
        for (name, expected) in [
            ("prefix-3152469713", "prefix"),
            ("prefix-a41f09c2", "prefix"),
            ("db-migrate-1a2b3c", "db-migrate"),
            ("create-user-1a2b3c", "create-user"),
            ("sync-x7k2p", "sync"),
            ("app-v2", "app"),
            ("app-r12", "app"),
            ("app-1.2.3", "app"),
            ("app-v1.2.3", "app"),
            ("nightly-2024-01-31", "nightly"),
            ("app-v2-29012345-x7k2p", "app"),
        ] {
            assert_eq!(family(name), expected, "{name}");
        }
    }

    #[test]
    fn words_stay() {
        for name in [
            "db-migrate",
            "app-facade", // hex letters alone are a word
            "app-dead1",  // hex, but five
            "app-tests",  // five characters, with a vowel
            "app-mssql",  // five consonants, and a word
            "app-v",
            "app-1.",
            "app-1..2",
            "a-",
            "plain",
        ] {
            assert_eq!(family(name), name, "{name}");
        }
    }

    #[test]
    fn a_name_that_is_all_generated_is_its_own_family() {
        for name in ["12345", "2024-01-31", "a41f09c2", "v1-3152469713"] {
            assert_eq!(family(name), name);
        }
    }
}
