//! The form of a saved plan, and what has to hold of one that makes sense.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Deserialize;

use super::{LoadError, SavedPlan, nonsense};
use crate::{
    job::{
        Deletion, Job, State, generated_after,
        label::LabelKey,
        query::{Query, Scope},
        selector::Selector,
    },
    output::extras::Extras,
    plan::{
        Plan, PlannedGroup, PlannedJob, Source,
        group::{GroupKey, MixedGroups},
        group_warnings,
        retention::{KeepReason, KeepReasons, Policy, SUPERSEDED, Verdict},
    },
    text::quoted,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code)] // Fields that are only there to be known.
pub(super) struct Document {
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

#[derive(Deserialize)]
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
    #[serde(default)]
    generate_name: Option<String>,
    uid: String,
    resource_version: String,
    created: Timestamp,
    status: String,
    verdict: String,
    reasons: Vec<String>,
    rank: usize,
    #[serde(default)]
    deletion_timestamp: Option<Timestamp>,
    #[serde(default)]
    finalizers: Vec<String>,
}

impl Document {
    pub(super) fn check(self, chunk_size: u32) -> Result<SavedPlan, LoadError> {
        let labels: Vec<LabelKey> = self
            .labels
            .iter()
            .map(|label| {
                label
                    .parse()
                    .map_err(|error| nonsense(format!("its label {}: {error}", quoted(label))))
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
        let mut groups: Vec<PlannedGroup> = self
            .groups
            .into_iter()
            .map(|group| group.check(&self.labels, self.saved.namespace.as_deref()))
            .collect::<Result<_, _>>()?;
        groups.retain(|group| !group.jobs.is_empty());
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
        let policy: Policy = self.saved.policy.into();
        // They are judged again as they stand here, so they have to be what the policy makes of the Jobs.
        let fits = |group: &PlannedGroup| match (&group.family, policy.mixed_groups) {
            (Some(family), MixedGroups::Split) => {
                let mut jobs = group.jobs.iter();
                jobs.all(|planned| planned.job.family() == &**family)
            }
            (None, MixedGroups::Hold | MixedGroups::Merge) => true,
            _ => false,
        };
        if !groups.iter().all(fits) {
            return Err(nonsense(
                "its groups are not those that its way with mixed groups makes",
            ));
        }
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
            identity: self.saved.identity,
            plan: Plan {
                source: Source::Cluster {
                    context: self.cluster.context,
                    server: self.cluster.server,
                },
                labels,
                resource_version: self.resource_version,
                taken_at: self.taken_at,
                warnings: group_warnings(&groups, policy.mixed_groups),
                exceeded: None,
                groups,
            },
            policy,
        };
        let there = saved.plan.summary();
        // Jobs may have been taken out, and never put in.
        let counted = [
            (there.groups, self.summary.groups),
            (there.jobs, self.summary.jobs),
            (there.skip, self.summary.skip),
            (there.purge, self.summary.purge),
        ];
        let adds_up = self.summary.jobs == self.summary.skip + self.summary.purge;
        if adds_up && counted.into_iter().all(|(there, counted)| there <= counted) {
            Ok(saved)
        } else {
            Err(nonsense("its summary does not count what is in it"))
        }
    }
}

impl GroupDocument {
    fn check(self, labels: &[String], namespace: Option<&str>) -> Result<PlannedGroup, LoadError> {
        let who = format!("its group in namespace {}", quoted(&self.namespace));
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
        // A reader may have taken Jobs out. What is left stands in its order.
        let ranks = self.jobs.iter().map(|job| job.rank);
        let are_ranked = ranks.clone().all(|rank| rank > 0) && ranks.is_sorted_by(|a, b| a < b);
        let jobs: Vec<PlannedJob> = self
            .jobs
            .into_iter()
            .map(|job| job.check(&key))
            .collect::<Result<_, _>>()?;
        let in_order = jobs.is_sorted_by(|a, b| Job::newest_first(&a.job, &b.job).is_lt());
        // The newest of those that are not on their way out.
        let newest = jobs.iter().find(|planned| !planned.job.is_terminating());
        let keeps_newest = newest.is_some_and(|newest| {
            matches!(newest.verdict, Verdict::Skip(why) if why.contains(KeepReason::Newest))
        });
        let purges = jobs.iter().any(|planned| planned.verdict.is_purge());
        if !in_order || !are_ranked || (purges && !keeps_newest) {
            return Err(nonsense(format!(
                "{who} is out of order, or does not keep its newest"
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
    fn check(self, key: &GroupKey) -> Result<PlannedJob, LoadError> {
        let wrong = |what: &str| nonsense(format!("its Job {}: {what}", quoted(&self.name)));
        let identified = ![&self.name, &self.uid, &self.resource_version]
            .iter()
            .any(|text| text.is_empty());
        if !identified {
            return Err(wrong("it lacks its name, uid or resourceVersion"));
        }
        if !is_object_name(&self.name) {
            return Err(wrong("that is no name of an object"));
        }
        let state = match self.status.as_str() {
            "Complete" => State::Complete,
            "Failed" => State::Failed,
            "Suspended" => State::Suspended,
            "FailureTarget" => State::FailureTarget,
            "SuccessCriteriaMet" => State::SuccessCriteriaMet,
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
        if !terminating && (self.deletion_timestamp.is_some() || !self.finalizers.is_empty()) {
            return Err(wrong("it is not being deleted, and says since when it is"));
        }
        let generated_after = match &self.generate_name {
            None => None,
            Some(generate_name) => Some(
                generated_after(&self.name, generate_name)
                    .ok_or_else(|| wrong("its name is not what its generateName becomes"))?,
            ),
        };
        Ok(PlannedJob {
            job: Job {
                namespace: Arc::clone(&key.namespace),
                generated_after,
                name: self.name.into(),
                uid: self.uid.into(),
                resource_version: self.resource_version.into(),
                label_values: Arc::clone(&key.values),
                created: self.created.into(),
                started: None,
                finished: None,
                state,
                deletion: terminating.then(|| {
                    let finalizers = self.finalizers.into_iter();
                    Arc::new(Deletion {
                        // Plans of earlier versions do not say it.
                        since: self.deletion_timestamp.unwrap_or(self.created).into(),
                        finalizers: finalizers.map(Into::into).collect(),
                    })
                }),
                protection: None,
                controller: None,
            },
            verdict,
        })
    }
}

/// A DNS subdomain, which is what the server lets a Job be called.
fn is_object_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253
        && name.bytes().all(|c| plain(c) || matches!(c, b'-' | b'.'))
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain)
}
