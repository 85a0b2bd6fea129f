//! The plan: every group judged, counted and ready to be shown or carried out.

pub mod group;
pub mod max_purge;
pub mod recheck;
pub mod report;
pub mod retention;
pub mod rules;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    ops::Range,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use self::{
    group::{Group, GroupKey, MixedGroups},
    max_purge::{Exceeded, MaxPurge},
    retention::{KeepReason, KeepReasons, Policy, Verdict, WaysOut},
    rules::Rules,
};
use crate::{
    gitops::{self, Answer, Claim, Claims, Mode, Tool},
    job::{
        Job,
        grouping::{Grouping, Key},
        rules::RuleNumber,
    },
};

/// Where the Jobs of a plan were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// From a cluster.
    Cluster {
        /// The kubeconfig context, empty where there is none (in-cluster, or flags alone).
        context: String,
        /// The address of the API server.
        server: String,
    },
    /// From a file, so that nothing can be deleted.
    File {
        /// Its path, `-` for standard input.
        path: String,
    },
}

/// One consistent reading of Jobs: all that matched, at one point in the cluster's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Where they were read.
    pub source: Source,
    /// What makes Jobs one group.
    pub grouping: Grouping,
    /// The resourceVersion of the list, empty where a file has none.
    pub resource_version: String,
    /// When the reading began, by this machine's clock, in whole seconds as the server stamps Jobs.
    pub taken_at: Timestamp,
    /// The Jobs that belong to a group, in any order.
    pub jobs: Vec<Job>,
    /// How many others there were, which belong to none.
    pub ungrouped: usize,
}

/// Every Job of a snapshot with its verdict, in groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where the Jobs were read.
    pub source: Source,
    /// What makes Jobs one group.
    pub grouping: Grouping,
    /// The resourceVersion of the list that it rests on.
    pub resource_version: String,
    /// When it was made; ages count from here.
    pub taken_at: Timestamp,
    /// What a person should know before agreeing.
    pub warnings: Vec<Warning>,
    /// How many Jobs belong to no group; they are never purged.
    pub ungrouped: usize,
    /// That it would purge more than it may.
    pub exceeded: Option<Exceeded>,
    /// How far it is heeded what GitOps tools say.
    pub gitops: Mode,
    /// What they say.
    pub claims: Arc<Claims>,
    /// The rules that its Jobs were judged by, if there is a policy with rules.
    pub rules: Option<Rules>,
    /// Ordered by namespace, then application or values, then family.
    pub groups: Vec<PlannedGroup>,
}

/// A judged group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedGroup {
    /// What its Jobs have in common.
    pub key: GroupKey,
    /// The family, where groups were split by it.
    pub family: Option<Box<str>>,
    /// That it has several families.
    pub mixed: Option<Box<Mixed>>,
    /// Newest first; never empty.
    pub jobs: Vec<PlannedJob>,
}

/// A group of several families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mixed {
    /// The families, sorted.
    pub families: Vec<Box<str>>,
    /// What each way out would purge, if the group is held; else the families are judged as one.
    pub ways_out: Option<WaysOut>,
}

impl Mixed {
    /// A group of these families; `None` if there are not several.
    pub(crate) fn new(families: Vec<Box<str>>, ways_out: Option<WaysOut>) -> Option<Box<Mixed>> {
        (families.len() > 1).then(|| Box::new(Mixed { families, ways_out }))
    }
}

/// A Job with its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    pub job: Job,
    /// What is to become of it.
    pub verdict: Verdict,
}

/// Something a person should know before agreeing to a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// No Job belongs to a group.
    NothingFound,
    /// A group holds Jobs of different families.
    MixedGroup {
        /// The group.
        key: GroupKey,
        /// How many Jobs it has.
        jobs: NonZeroUsize,
        /// Its families, and what to do about them.
        mixed: Box<Mixed>,
    },
    /// Jobs that were deleted a while ago are still there.
    Terminating {
        /// How many there are.
        count: NonZeroUsize,
        /// How long the first of them has been terminating.
        longest: SignedDuration,
        /// What holds them, sorted.
        finalizers: Vec<Box<str>>,
        /// That first one, `NAMESPACE/NAME`.
        example: String,
    },
    /// A Job's creationTimestamp lies ahead of this machine's clock.
    CreatedInFuture {
        /// How many there are.
        count: NonZeroUsize,
        /// One of them, `NAMESPACE/NAME`.
        example: String,
    },
    /// The clocks of this machine and of the server differ by more than [`CLOCKS_MAY_DIFFER`].
    ClocksDiffer {
        /// How far the server's is ahead of this machine's; negative if it is behind.
        ahead: SignedDuration,
    },
    /// A label value has the greatest length that Kubernetes allows, so that a longer name may have been cut off.
    MaybeCutOff {
        /// The group.
        key: GroupKey,
    },
    /// Jobs are to be purged that a GitOps tool has marked, and that it does not answer for.
    Unanswered {
        tool: Tool,
        /// How many there are.
        count: NonZeroUsize,
        /// How many Jobs are to be purged in all.
        purge: usize,
        /// What manages them, as their marks have it, sorted.
        owners: Vec<String>,
        /// Why it does not answer.
        why: Silence,
    },
    /// The objects of a GitOps tool could not be read to the end.
    Unreadable {
        tool: Tool,
        /// Why, as a fragment.
        why: String,
    },
    /// Argo CD has not compared any Application with git for a while.
    Stale {
        /// For how long.
        since: SignedDuration,
    },
    /// The file held other things than Jobs.
    Ignored {
        /// How many, by kind, for people.
        what: String,
    },
}

/// Why a GitOps tool does not answer for a Job that it has marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The object that the mark names is not there, or none of its kind is.
    Absent,
    /// Its objects may not be listed.
    Forbidden,
    /// Nothing asks it.
    NotAsked,
}

/// Argo CD compares again every few minutes.
pub const COMPARING_MAY_TAKE: SignedDuration = SignedDuration::from_hours(1);

/// Clocks that differ by no more than this are not worth a word.
pub const CLOCKS_MAY_DIFFER: SignedDuration = SignedDuration::from_mins(1);

/// A Job that has been terminating for longer than this may be stuck.
pub const TERMINATING_MAY_TAKE: SignedDuration = SignedDuration::from_hours(1);

/// The most characters that a label value can have.
const LABEL_VALUE_MAX: usize = 63;

/// How many groups and Jobs a plan has, by verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    pub groups: usize,
    /// Jobs; always `skip + purge`.
    pub jobs: usize,
    /// Jobs that stay.
    pub skip: usize,
    /// Jobs to delete.
    pub purge: usize,
    /// About how many bytes those take in the API server's store, if there are any and that is known of each.
    pub purge_bytes: Option<u64>,
    /// Groups with at least one Job to delete.
    pub groups_to_purge: usize,
    /// Jobs that belong to no group, and are none of the above.
    pub ungrouped: usize,
    /// What is held since it is in a group of several families.
    pub held: Held,
    /// What keeps the Jobs that stay.
    pub kept: Kept,
}

/// How many Jobs each reason keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept([KeptAs; KeepReason::ALL.len()]);

/// How many Jobs one reason keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptAs {
    pub jobs: usize,
    /// Those of them that nothing else keeps.
    pub alone: usize,
}

impl Kept {
    fn add(&mut self, reasons: KeepReasons) {
        let is_alone = reasons.iter().nth(1).is_none();
        for reason in reasons.iter() {
            let kept = &mut self.0[reason as usize];
            kept.jobs += 1;
            kept.alone += usize::from(is_alone);
        }
    }

    /// How many Jobs this reason keeps.
    pub fn of(&self, reason: KeepReason) -> KeptAs {
        self.0[reason as usize]
    }
}

/// Groups that are held, since each has several families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    pub groups: usize,
    /// The Jobs in them that nothing else keeps.
    pub jobs: usize,
    /// How many Jobs would be purged if each family were a group of its own.
    pub split: usize,
    /// How many if families were ignored.
    pub merge: usize,
}

impl Plan {
    /// Judge a snapshot, before any GitOps tool was asked. Ages count from the time that it was taken.
    pub fn new(snapshot: Snapshot, policy: &Policy) -> Plan {
        let now = snapshot.taken_at;
        let claims = Arc::<Claims>::default();
        let nothing = snapshot.jobs.is_empty().then_some(Warning::NothingFound);
        let mixed = policy.mixed_groups(&snapshot.grouping);
        let mut groups: Vec<PlannedGroup> =
            group::group(snapshot.jobs, mixed, policy.family.as_ref())
                .map(|group| PlannedGroup::judged(group, policy, mixed, &claims, now))
                .collect();
        groups.reverse();
        // How many there would be was not known when the room for them was made.
        groups.shrink_to_fit();
        let others = warnings(&groups, &snapshot.grouping, policy.gitops, &claims, now);
        Plan {
            source: snapshot.source,
            grouping: snapshot.grouping,
            ungrouped: snapshot.ungrouped,
            resource_version: snapshot.resource_version,
            taken_at: now,
            warnings: nothing.into_iter().chain(others).collect(),
            exceeded: None,
            gitops: policy.gitops,
            claims,
            rules: policy.rules.clone(),
            groups,
        }
    }

    /// Judge it again, now that GitOps tools were asked. Nothing but `wanted` and `unsettled` is added.
    pub fn claimed(self, claims: Arc<Claims>, policy: &Policy) -> Plan {
        let mixed = policy.mixed_groups(&self.grouping);
        let groups: Vec<PlannedGroup> = (self.groups.into_iter())
            .map(|planned| {
                PlannedGroup::judged(planned.unjudged(), policy, mixed, &claims, self.taken_at)
            })
            .collect();
        let is_before = |warning: &Warning| !warning.is_of_groups() && !warning.is_of_claims();
        let before = self.warnings.into_iter().filter(is_before);
        let of_claims = claim_warnings(&groups, policy.gitops, &claims, self.taken_at);
        let warnings = before
            .chain(of_claims)
            .chain(group_warnings(&groups, &self.grouping));
        Plan {
            warnings: warnings.collect(),
            groups,
            claims,
            ..self
        }
    }

    /// Hold the plan if it would purge more than it may of the Jobs listed. Fewer than were listed may be in it.
    pub fn limit(&mut self, limit: MaxPurge, listed: usize) -> Option<Exceeded> {
        let purge = self.summary().purge;
        self.exceeded = (!limit.allows(purge, listed)).then_some(Exceeded {
            limit,
            purge,
            listed,
        });
        self.exceeded
    }

    /// Say first if this machine's clock and the server's differ.
    pub fn warn_of_clocks(&mut self, ahead: SignedDuration) {
        if ahead.abs() > CLOCKS_MAY_DIFFER {
            self.warnings.insert(0, Warning::ClocksDiffer { ahead });
        }
    }

    /// How many namespaces it has.
    pub fn namespaces(&self) -> usize {
        // Groups stand in the order of their namespaces.
        let mut namespaces = self.groups.iter().map(|group| &group.key.namespace);
        let Some(mut last) = namespaces.next() else {
            return 0;
        };
        1 + namespaces
            .filter(|namespace| *namespace != std::mem::replace(&mut last, namespace))
            .count()
    }

    /// Count groups and Jobs.
    pub fn summary(&self) -> Summary {
        let mut sum = Summary {
            groups: self.groups.len(),
            ungrouped: self.ungrouped,
            purge_bytes: bytes(self.purges()),
            ..Summary::default()
        };
        for group in &self.groups {
            let purge = group.purge_count();
            sum.jobs += group.jobs.len();
            sum.skip += group.jobs.len() - purge;
            sum.purge += purge;
            sum.groups_to_purge += usize::from(purge > 0);
            if let Some(ways) = group.ways_out() {
                sum.held.groups += 1;
                sum.held.split += ways.split;
                sum.held.merge += ways.merge;
            }
            for planned in &group.jobs {
                if let Verdict::Skip(reasons) = planned.verdict {
                    sum.kept.add(reasons);
                }
            }
        }
        sum.held.jobs = sum.kept.of(KeepReason::MixedGroup).alone;
        sum
    }

    /// The places of the groups that a Job may belong to by its namespace and its application or values. There are several
    /// where groups were split by family.
    pub fn groups_of(&self, job: &Job) -> Range<usize> {
        let order = |group: &PlannedGroup| {
            (&*group.key.namespace, &*group.key.values).cmp(&(job.namespace(), job.group_values()))
        };
        let start = self.groups.partition_point(|group| order(group).is_lt());
        let after = &self.groups[start..];
        start..start + after.partition_point(|group| order(group).is_eq())
    }

    /// The plan of these groups alone, as if no other had been asked for; they are named by their places, in order.
    pub fn only(self, groups: &[usize]) -> Plan {
        let places = self.groups.into_iter().enumerate();
        let groups: Vec<PlannedGroup> = places
            .filter(|(place, _)| groups.binary_search(place).is_ok())
            .map(|(_, group)| group)
            .collect();
        let stays = |warning: &Warning| match warning {
            Warning::MixedGroup { key, .. } | Warning::MaybeCutOff { key } => {
                groups.binary_search_by(|group| group.key.cmp(key)).is_ok()
            }
            _ => !warning.is_of_claims(),
        };
        let (of_groups, before): (Vec<_>, Vec<_>) =
            (self.warnings.into_iter().filter(stays)).partition(Warning::is_of_groups);
        let of_claims = claim_warnings(&groups, self.gitops, &self.claims, self.taken_at);
        let warnings = before.into_iter().chain(of_claims).chain(of_groups);
        let warnings = warnings.collect();
        Plan {
            groups,
            warnings,
            source: self.source,
            grouping: self.grouping,
            ungrouped: self.ungrouped,
            resource_version: self.resource_version,
            taken_at: self.taken_at,
            exceeded: self.exceeded,
            gitops: self.gitops,
            claims: self.claims,
            rules: self.rules,
        }
    }

    /// What the rule of a Job is called, if there is a policy with rules.
    pub fn rule_of(&self, job: &Job) -> Option<Cow<'_, str>> {
        Some(self.rules.as_ref()?.name(job.rule()))
    }

    /// Whether any Job stays since a tool says so.
    pub fn has_claims(&self) -> bool {
        let mut jobs = self.groups.iter().flat_map(|group| &group.jobs);
        jobs.any(PlannedJob::is_claimed)
    }

    /// What tools say of a Job, if that is why it stays.
    pub fn claims_on<'a>(&'a self, planned: &'a PlannedJob) -> Vec<Claim<'a>> {
        if planned.is_claimed() {
            self.claims.of(&planned.job, self.gitops)
        } else {
            Vec::new()
        }
    }

    /// How many of the Jobs to purge a tool has marked that does not answer for them.
    pub fn unanswered(&self) -> usize {
        let is_missed = |job: &&Job| self.claims.missed(job).is_some();
        self.purges().filter(is_missed).count()
    }

    /// The Jobs that are on their way out already, in the order of the plan.
    pub fn terminating(&self) -> impl Iterator<Item = &Job> {
        self.groups.iter().flat_map(PlannedGroup::terminating)
    }

    /// The Jobs to delete, in the order of the plan.
    pub fn purges(&self) -> impl Iterator<Item = &Job> {
        self.groups
            .iter()
            .flat_map(|group| &group.jobs)
            .filter(|planned| planned.verdict.is_purge())
            .map(|planned| &planned.job)
    }
}

/// About how many bytes some Jobs take in the API server's store; `None` if that is not known of each, or there are none.
pub(crate) fn bytes<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> Option<u64> {
    let sizes = jobs
        .into_iter()
        .map(|job| Some(u64::from(job.size()?.get())));
    sizes.sum::<Option<u64>>().filter(|bytes| *bytes > 0)
}

impl PlannedJob {
    /// Whether it stays since a tool says so.
    fn is_claimed(&self) -> bool {
        match self.verdict {
            Verdict::Skip(why) => {
                why.contains(KeepReason::Wanted) || why.contains(KeepReason::Unsettled)
            }
            Verdict::Purge => false,
        }
    }
}

impl PlannedGroup {
    /// Judge a group. Ages count to `now`.
    pub fn judged(
        group: Group,
        policy: &Policy,
        mixed: MixedGroups,
        claims: &Claims,
        now: Timestamp,
    ) -> PlannedGroup {
        let verdicts = policy.judge(&group, mixed, claims, now);
        let ways_out = policy.ways_out(&group, mixed, claims, now);
        let judged = group.jobs.into_iter().zip(verdicts);
        PlannedGroup {
            key: group.key,
            family: group.family,
            mixed: Mixed::new(group.families, ways_out),
            jobs: judged
                .map(|(job, verdict)| PlannedJob { job, verdict })
                .collect(),
        }
    }

    /// The group before it was judged.
    pub fn unjudged(self) -> Group {
        Group {
            key: self.key,
            family: self.family,
            families: self.mixed.map_or_else(Vec::new, |mixed| mixed.families),
            jobs: self.jobs.into_iter().map(|planned| planned.job).collect(),
        }
    }

    /// The place of this very Job, however it has changed.
    pub fn place_of(&self, job: &Job) -> Option<usize> {
        // Name and age do not change, and Jobs stand in their order. Only an edit of a saved plan can change them.
        self.jobs
            .binary_search_by(|planned| Job::newest_first(&planned.job, job))
            .ok()
            .or_else(|| {
                self.jobs
                    .iter()
                    .position(|planned| planned.job.uid() == job.uid())
            })
    }

    /// The rule of its Jobs, if it is one and the same.
    pub fn rule(&self) -> Option<Option<RuleNumber>> {
        let mut rules = self.jobs.iter().map(|planned| planned.job.rule());
        let first = rules.next()?;
        rules.all(|rule| rule == first).then_some(first)
    }

    /// About how many bytes those of its Jobs that are to be deleted take in the API server's store, if there are any and
    /// that is known of each.
    pub fn purge_bytes(&self) -> Option<u64> {
        let purged = self
            .jobs
            .iter()
            .filter(|planned| planned.verdict.is_purge());
        bytes(purged.map(|planned| &planned.job))
    }

    /// How many of its Jobs are to be deleted.
    pub fn purge_count(&self) -> usize {
        self.jobs
            .iter()
            .filter(|planned| planned.verdict.is_purge())
            .count()
    }

    /// What each way out would purge, if it is held.
    pub fn ways_out(&self) -> Option<&WaysOut> {
        self.mixed.as_ref()?.ways_out.as_ref()
    }

    fn terminating(&self) -> impl Iterator<Item = &Job> {
        let jobs = self.jobs.iter().map(|planned| &planned.job);
        jobs.filter(|job| job.is_terminating())
    }

    fn warnings(&self, grouping: &Grouping) -> Vec<Warning> {
        let mut warnings = Vec::new();
        // A group that was split has one family; merged ones are still worth a word.
        if let (Some(mixed), Some(jobs)) = (&self.mixed, NonZeroUsize::new(self.jobs.len())) {
            warnings.push(Warning::MixedGroup {
                key: self.key.clone(),
                jobs,
                mixed: mixed.clone(),
            });
        }
        let is_cut_off = |(index, value): (usize, &Arc<str>)| {
            // Argo CD cuts a label off, and an annotation never.
            let is_annotation = matches!(grouping.keys().get(index), Some(Key::Annotation(_)));
            value.len() == LABEL_VALUE_MAX && !is_annotation
        };
        if self.key.values.iter().enumerate().any(is_cut_off) {
            warnings.push(Warning::MaybeCutOff {
                key: self.key.clone(),
            });
        }
        warnings
    }
}

impl Warning {
    /// Whether it is about one group.
    fn is_of_groups(&self) -> bool {
        matches!(
            self,
            Warning::MixedGroup { .. } | Warning::MaybeCutOff { .. }
        )
    }

    /// Whether it is about what GitOps tools say.
    fn is_of_claims(&self) -> bool {
        matches!(
            self,
            Warning::Unanswered { .. } | Warning::Unreadable { .. } | Warning::Stale { .. }
        )
    }
}

/// What a person should know of what GitOps tools say, before agreeing to purge some of the Jobs.
fn claim_warnings(
    groups: &[PlannedGroup],
    mode: Mode,
    claims: &Claims,
    now: Timestamp,
) -> Vec<Warning> {
    if mode == Mode::Ignore {
        return Vec::new();
    }
    let purges = || {
        let planned = groups.iter().flat_map(|group| &group.jobs);
        planned.filter(|planned| planned.verdict.is_purge())
    };
    let unreadable = claims.unreadable().map(|(tool, why)| {
        let why = why.to_owned();
        Warning::Unreadable { tool, why }
    });
    let mut warnings: Vec<Warning> = unreadable.collect();
    let mut unanswered: BTreeMap<Tool, (usize, BTreeSet<String>)> = BTreeMap::new();
    for planned in purges() {
        let Some(tool) = claims.missed(&planned.job) else {
            continue;
        };
        let (count, owners) = unanswered.entry(tool).or_default();
        *count += 1;
        owners.extend(gitops::owner(&planned.job, tool));
    }
    for (tool, (count, owners)) in unanswered {
        warnings.extend(NonZeroUsize::new(count).map(|count| Warning::Unanswered {
            tool,
            count,
            purge: purges().count(),
            owners: owners.into_iter().collect(),
            why: match claims.answer(tool) {
                Some(Answer::Forbidden) => Silence::Forbidden,
                Some(_) => Silence::Absent,
                None => Silence::NotAsked,
            },
        }));
    }
    let since = claims
        .argocd
        .last_compared()
        .map(|last| now.duration_since(last.timestamp()));
    if let Some(since) = since.filter(|since| *since > COMPARING_MAY_TAKE) {
        warnings.push(Warning::Stale { since });
    }
    warnings
}

/// What a person should know of these groups before agreeing to purge some of their Jobs.
pub fn group_warnings(groups: &[PlannedGroup], grouping: &Grouping) -> Vec<Warning> {
    let warnings = groups.iter().flat_map(|group| group.warnings(grouping));
    let mut warnings: Vec<Warning> = warnings.collect();
    // Of one key there may be several groups, which are cut off alike.
    warnings.dedup();
    warnings
}

/// The same, and what there is to know of their Jobs at this time.
fn warnings(
    groups: &[PlannedGroup],
    grouping: &Grouping,
    mode: Mode,
    claims: &Claims,
    now: Timestamp,
) -> Vec<Warning> {
    let jobs = || {
        let planned = groups.iter().flat_map(|group| &group.jobs);
        planned.map(|planned| &planned.job)
    };
    created_in_future(jobs(), now)
        .into_iter()
        .chain(terminating(jobs(), now))
        // There may be many of groups, and only the first warnings are shown.
        .chain(claim_warnings(groups, mode, claims, now))
        .chain(group_warnings(groups, grouping))
        .collect()
}

fn terminating<'a>(jobs: impl Iterator<Item = &'a Job>, now: Timestamp) -> Option<Warning> {
    let stuck = |job: &&Job| {
        let age = job.terminating_for(now);
        age.is_some_and(|age| age > TERMINATING_MAY_TAKE)
    };
    let mut finalizers = BTreeSet::new();
    let (mut count, mut first) = (0, None);
    for job in jobs.filter(stuck) {
        count += 1;
        finalizers.extend(
            job.deletion()
                .into_iter()
                .flat_map(|deletion| &deletion.finalizers),
        );
        // Of those of one time the smallest name, so that the order of the list does not show.
        let since = |job: &Job| job.deletion().map(|deletion| deletion.since);
        let is_before = |other: &Job| {
            (since(job), job.namespace(), job.name())
                < (since(other), other.namespace(), other.name())
        };
        if first.is_none_or(is_before) {
            first = Some(job);
        }
    }
    let first = first?;
    Some(Warning::Terminating {
        count: NonZeroUsize::new(count)?,
        longest: first.terminating_for(now)?,
        finalizers: finalizers.into_iter().cloned().collect(),
        example: format!("{}/{}", first.namespace(), first.name()),
    })
}

fn created_in_future<'a>(jobs: impl Iterator<Item = &'a Job>, now: Timestamp) -> Option<Warning> {
    let mut ahead = jobs.filter(|job| job.created().timestamp() > now);
    // The smallest name, so that the order of the list does not show.
    let first = ahead.next()?;
    let (count, example) = ahead.fold((1, first), |(count, example), job| {
        let smaller = (job.namespace(), job.name()) < (example.namespace(), example.name());
        (count + 1, if smaller { job } else { example })
    });
    Some(Warning::CreatedInFuture {
        count: NonZeroUsize::new(count)?,
        example: format!("{}/{}", example.namespace(), example.name()),
    })
}
