//! A plan in a file, to be carried out later: written whole or not at all, and believed only if it makes sense.

use std::{
    collections::{BTreeMap, HashSet},
    fmt, fs,
    io::{self, Write},
    num::NonZeroUsize,
    path::Path,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    backup::sync_dir,
    cluster::list::{Query, Scope},
    group::{GroupKey, MixedGroups},
    job::{Deletion, Job, State},
    output::{View, document},
    plan::{Plan, PlannedGroup, PlannedJob, Source},
    retention::{KeepReason, KeepReasons, Policy, SUPERSEDED, Treatment, Verdict},
    selector::{LabelKey, Selector},
};

/// A plan with all that carrying it out needs.
#[derive(Debug, Clone)]
pub struct SavedPlan {
    /// What was shown when it was saved.
    pub plan: Plan,
    /// What was listed for it.
    pub query: Query,
    /// What was to be kept.
    pub policy: Policy,
    /// Which cluster it is for.
    pub identity: Identity,
}

/// What tells one cluster from another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The SHA-256 of the certificate authority that its server is trusted by, in hex; none for the system's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_sha256: Option<String>,
    /// The uid of its namespace `kube-system`; none where that may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

impl Identity {
    /// Whether both can be of one cluster. What one of them does not know does not count.
    pub fn may_equal(&self, other: &Identity) -> bool {
        let uids_differ = matches!((&self.uid, &other.uid), (Some(a), Some(b)) if a != b);
        self.ca_sha256 == other.ca_sha256 && !uids_differ
    }
}

/// What a saved plan has beyond the document of a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Extras {
    identity: Identity,
    /// None for every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    selector: String,
    policy: PolicyDocument,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicyDocument {
    keep: NonZeroUsize,
    keep_succeeded: usize,
    keep_failed: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_within_seconds: Option<u64>,
    include_active: bool,
    include_owned: bool,
    mixed_groups: MixedGroupsWord,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MixedGroupsWord {
    Hold,
    Split,
    Merge,
}

/// Why a file is no plan that can be carried out: a lowercase fragment.
#[derive(Debug)]
pub enum LoadError {
    /// It cannot be read.
    Read(io::Error),
    /// It is of a version that this program does not know.
    Version(String),
    /// It is not a plan, or was edited into nonsense.
    Nonsense(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Read(error) => f.write_str(&crate::error::io_words(error)),
            LoadError::Version(version) => write!(
                f,
                "its version is {version:?}, and this program knows {KNOWN:?} only"
            ),
            LoadError::Nonsense(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LoadError {}

/// The version of the documents that are believed.
const KNOWN: &str = document::API_VERSION;

impl SavedPlan {
    /// Write it for this user alone, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written; what was there before is then untouched.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        let mut buffered = io::BufWriter::new(&mut file);
        crate::output::json::write_saved(&mut buffered, View::Plan(&self.plan), &self.extras())?;
        buffered.flush()?;
        drop(buffered);
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        sync_dir(dir)
    }

    fn extras(&self) -> Extras {
        Extras {
            identity: self.identity.clone(),
            namespace: match &self.query.scope {
                Scope::AllNamespaces => None,
                Scope::Namespace(namespace) => Some(namespace.clone()),
            },
            selector: self.query.selector.to_string(),
            policy: PolicyDocument {
                keep: self.policy.keep,
                keep_succeeded: self.policy.keep_succeeded,
                keep_failed: self.policy.keep_failed,
                keep_within_seconds: self.policy.keep_within.map(|within| within.as_secs()),
                include_active: self.policy.active == Treatment::Judge,
                include_owned: self.policy.owned == Treatment::Judge,
                mixed_groups: match self.policy.mixed_groups {
                    MixedGroups::Hold => MixedGroupsWord::Hold,
                    MixedGroups::Split => MixedGroupsWord::Split,
                    MixedGroups::Merge => MixedGroupsWord::Merge,
                },
            },
        }
    }

    /// Read one, and make sure that it makes sense.
    ///
    /// # Errors
    /// If it cannot be read, or is not what [`SavedPlan::save`] writes.
    pub fn load(path: &Path, chunk_size: u32) -> Result<SavedPlan, LoadError> {
        let text = fs::read(path).map_err(LoadError::Read)?;
        SavedPlan::parse(&text, chunk_size)
    }

    /// As [`SavedPlan::load`], from the text.
    ///
    /// # Errors
    /// As [`SavedPlan::load`].
    pub fn parse(text: &[u8], chunk_size: u32) -> Result<SavedPlan, LoadError> {
        let head: Head =
            serde_json::from_slice(text).map_err(|_| nonsense("it is not a JSON document"))?;
        match (head.api_version.as_deref(), head.kind.as_deref()) {
            (Some(KNOWN), Some("Plan")) => {}
            (Some(KNOWN), kind) => {
                return Err(nonsense(format!(
                    "it is a {}, not a Plan",
                    kind.unwrap_or("document of no kind")
                )));
            }
            (version, _) => return Err(LoadError::Version(version.unwrap_or_default().to_owned())),
        }
        let document: Document = serde_json::from_slice(text)
            .map_err(|error| nonsense(format!("it is not a saved plan: {error}")))?;
        document.check(chunk_size)
    }
}

fn nonsense(why: impl Into<String>) -> LoadError {
    LoadError::Nonsense(why.into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<String>,
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code)] // Fields that are only there to be known.
struct Document {
    api_version: String,
    kind: String,
    cluster: ClusterDocument,
    labels: Vec<String>,
    resource_version: String,
    taken_at: Timestamp,
    summary: SummaryDocument,
    warnings: Vec<String>,
    groups: Vec<GroupDocument>,
    saved: Extras,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterDocument {
    context: String,
    server: String,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct SummaryDocument {
    groups: usize,
    jobs: usize,
    skip: usize,
    purge: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupDocument {
    namespace: String,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    family: Option<String>,
    jobs: Vec<JobDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JobDocument {
    name: String,
    uid: String,
    resource_version: String,
    created: Timestamp,
    status: String,
    verdict: String,
    reasons: Vec<String>,
    rank: usize,
}

impl Document {
    fn check(self, chunk_size: u32) -> Result<SavedPlan, LoadError> {
        let labels: Vec<LabelKey> = self
            .labels
            .iter()
            .map(|label| {
                label
                    .parse()
                    .map_err(|error| nonsense(format!("its label {label:?}: {error}")))
            })
            .collect::<Result<_, _>>()?;
        let selector: Selector = self
            .saved
            .selector
            .parse()
            .map_err(|error| nonsense(format!("its selector: {error}")))?;
        if labels.is_empty() || self.cluster.server.is_empty() {
            return Err(nonsense("it names no label or no server"));
        }
        let groups: Vec<PlannedGroup> = self
            .groups
            .into_iter()
            .map(|group| group.check(&self.labels, self.saved.namespace.as_deref()))
            .collect::<Result<_, _>>()?;
        let mut uids = HashSet::new();
        if !groups
            .iter()
            .flat_map(|group| &group.jobs)
            .all(|planned| uids.insert(&planned.job.uid))
        {
            return Err(nonsense("a Job is in it twice"));
        }
        if !groups.is_sorted_by(|a, b| (&a.key, &a.family) < (&b.key, &b.family)) {
            return Err(nonsense(
                "its groups are out of order, or one is there twice",
            ));
        }
        let policy = self.saved.policy;
        let treatment = |include| {
            if include {
                Treatment::Judge
            } else {
                Treatment::Keep
            }
        };
        let saved = SavedPlan {
            query: Query {
                labels: labels.clone(),
                selector,
                scope: match self.saved.namespace {
                    None => Scope::AllNamespaces,
                    Some(namespace) => Scope::Namespace(namespace),
                },
                chunk_size,
            },
            policy: Policy {
                keep: policy.keep,
                keep_succeeded: policy.keep_succeeded,
                keep_failed: policy.keep_failed,
                keep_within: policy.keep_within_seconds.map(Duration::from_secs),
                active: treatment(policy.include_active),
                owned: treatment(policy.include_owned),
                mixed_groups: match policy.mixed_groups {
                    MixedGroupsWord::Hold => MixedGroups::Hold,
                    MixedGroupsWord::Split => MixedGroups::Split,
                    MixedGroupsWord::Merge => MixedGroups::Merge,
                },
            },
            identity: self.saved.identity,
            plan: Plan {
                source: Source::Cluster {
                    context: self.cluster.context,
                    server: self.cluster.server,
                },
                labels,
                resource_version: self.resource_version,
                taken_at: self.taken_at,
                warnings: Vec::new(),
                groups,
            },
        };
        let counted = saved.plan.summary();
        let counted = SummaryDocument {
            groups: counted.groups,
            jobs: counted.jobs,
            skip: counted.skip,
            purge: counted.purge,
        };
        match counted == self.summary {
            true => Ok(saved),
            false => Err(nonsense("its summary does not count what is in it")),
        }
    }
}

impl GroupDocument {
    fn check(self, labels: &[String], namespace: Option<&str>) -> Result<PlannedGroup, LoadError> {
        let who = format!("its group in namespace {:?}", self.namespace);
        if self.namespace.is_empty()
            || namespace.is_some_and(|namespace| namespace != self.namespace)
        {
            return Err(nonsense(format!("{who} is not where the plan looked")));
        }
        let values: Vec<Arc<str>> = labels
            .iter()
            .map(|label| self.labels.get(label).map(|value| value.as_str().into()))
            .collect::<Option<_>>()
            .filter(|values: &Vec<_>| values.len() == self.labels.len())
            .ok_or_else(|| nonsense(format!("{who} does not have the labels of the plan")))?;
        let key = GroupKey {
            namespace: self.namespace.into(),
            values: values.into(),
        };
        let jobs: Vec<PlannedJob> = self
            .jobs
            .into_iter()
            .enumerate()
            .map(|(index, job)| job.check(&key, index + 1))
            .collect::<Result<_, _>>()?;
        let in_order = jobs.is_sorted_by(|a, b| Job::newest_first(&a.job, &b.job).is_lt());
        let keeps_newest = jobs
            .iter()
            .any(|planned| matches!(planned.verdict, Verdict::Skip(why) if why.contains(KeepReason::Newest)));
        let purges = jobs.iter().any(|planned| planned.verdict.is_purge());
        if jobs.is_empty() || !in_order || (purges && !keeps_newest) {
            return Err(nonsense(format!(
                "{who} is empty, out of order, or keeps nothing"
            )));
        }
        Ok(PlannedGroup {
            key,
            family: self.family.map(Into::into),
            jobs,
        })
    }
}

impl JobDocument {
    fn check(self, key: &GroupKey, rank: usize) -> Result<PlannedJob, LoadError> {
        let wrong = |what: &str| nonsense(format!("its Job {:?}: {what}", self.name));
        let identified = ![&self.name, &self.uid, &self.resource_version]
            .iter()
            .any(|text| text.is_empty());
        if !identified || self.rank != rank {
            return Err(wrong("it lacks its name, uid, resourceVersion or rank"));
        }
        let state = match self.status.as_str() {
            "Complete" => State::Complete,
            "Failed" => State::Failed,
            "Suspended" => State::Suspended,
            "FailureTarget" => State::FailureTarget,
            "Running" | "Terminating" => State::Running,
            _ => return Err(wrong("its status is no status")),
        };
        let reasons = self.reasons.iter().map(|word| {
            let known = KeepReason::ALL
                .into_iter()
                .find(|reason| reason.as_str() == word);
            known.ok_or_else(|| wrong("its reasons do not go with its verdict"))
        });
        let verdict = match self.verdict.as_str() {
            "PURGE" if self.reasons == [SUPERSEDED] && self.status != "Terminating" => {
                Verdict::Purge
            }
            "SKIP" => KeepReasons::new(reasons.collect::<Result<Vec<_>, _>>()?)
                .map(Verdict::Skip)
                .ok_or_else(|| wrong("it is kept for no reason"))?,
            _ => return Err(wrong("its reasons do not go with its verdict")),
        };
        let terminating = self.status == "Terminating"
            || matches!(verdict, Verdict::Skip(why) if why.contains(KeepReason::Terminating));
        Ok(PlannedJob {
            job: Job {
                namespace: Arc::clone(&key.namespace),
                name: self.name.into(),
                uid: self.uid.into(),
                resource_version: self.resource_version.into(),
                label_values: Arc::clone(&key.values),
                created: self.created,
                started: None,
                finished: None,
                state,
                deletion: if terminating {
                    Deletion::Requested
                } else {
                    Deletion::None
                },
                protection: None,
                controller: None,
            },
            verdict,
        })
    }
}
