//! Which Jobs of a group stay, and why.
//!
//! Keeps are a union: a Job that any rule keeps is kept, and says every rule that does. Only what no rule keeps is
//! superseded.

use std::{iter, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    group::{Group, MixedGroups, distinct},
    rules::{Retention, Rules, Ruling, Treatment},
};
use crate::{
    gitops::{Claims, Mode},
    job::{Job, State, family::NameEnding, grouping::Grouping, ids::Stamp, rules::RuleNumber},
};

/// What an operator wants kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// What is kept of groups that no rule is for.
    pub defaults: Retention,
    /// What becomes of groups that hold different families; see [`Policy::mixed_groups`] for where that is not said.
    pub mixed_groups: Option<MixedGroups>,
    /// An ending of names that is generated, beside those that are known.
    pub family: Option<NameEnding>,
    /// How far it is heeded what GitOps tools say.
    pub gitops: Mode,
    /// What is kept of others, if there is a policy with rules.
    pub rules: Option<Rules>,
    /// Whether namespaces are asked if they keep all of their Jobs.
    pub asks_namespaces: bool,
}

/// Why a Job stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum KeepReason {
    /// One of the newest of its group.
    Newest,
    /// One of the newest Complete ones.
    RecentSuccess,
    /// One of the newest Failed ones.
    RecentFailure,
    /// Created within the time asked for.
    Recent,
    /// Pushed out of the newest within the time asked for.
    RecentlySuperseded,
    /// Finished within the time asked for.
    RecentlyFinished,
    /// Already being deleted.
    Terminating,
    /// Marked to be kept.
    Protected,
    /// A rule of the policy keeps all of its group, or its namespace keeps all of its Jobs.
    Held,
    /// GitOps or Helm still has it: deleted, it would be made and run again.
    Wanted,
    /// The tool that manages it cannot say now whether it is wanted.
    Unsettled,
    /// Not finished.
    Active,
    /// Has a controller, whose business it is.
    Owned,
    /// Its group holds Jobs of different families.
    MixedGroup,
}

impl KeepReason {
    /// All of them, in the order in which they are shown.
    pub const ALL: [KeepReason; 14] = [
        KeepReason::Newest,
        KeepReason::RecentSuccess,
        KeepReason::RecentFailure,
        KeepReason::Recent,
        KeepReason::RecentlySuperseded,
        KeepReason::RecentlyFinished,
        KeepReason::Terminating,
        KeepReason::Protected,
        KeepReason::Held,
        KeepReason::Wanted,
        KeepReason::Unsettled,
        KeepReason::Active,
        KeepReason::Owned,
        KeepReason::MixedGroup,
    ];

    /// The word that tables and documents show.
    pub fn as_str(self) -> &'static str {
        match self {
            KeepReason::Newest => "newest",
            KeepReason::RecentSuccess => "recent-success",
            KeepReason::RecentFailure => "recent-failure",
            KeepReason::Recent => "recent",
            KeepReason::RecentlySuperseded => "recently-superseded",
            KeepReason::RecentlyFinished => "recently-finished",
            KeepReason::Terminating => "terminating",
            KeepReason::Protected => "protected",
            KeepReason::Held => "held",
            KeepReason::Wanted => "wanted",
            KeepReason::Unsettled => "unsettled",
            KeepReason::Active => "active",
            KeepReason::Owned => "owned",
            KeepReason::MixedGroup => "mixed-group",
        }
    }
}

/// The word for the one reason to purge.
pub const SUPERSEDED: &str = "superseded";

/// One or more reasons to keep a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepReasons(u16);

impl KeepReasons {
    /// The set of these reasons, or `None` without any.
    pub fn new(reasons: impl IntoIterator<Item = KeepReason>) -> Option<KeepReasons> {
        let bits = reasons
            .into_iter()
            .fold(0, |bits, reason| bits | 1 << reason as u8);
        (bits != 0).then_some(KeepReasons(bits))
    }

    /// Whether this is one of them.
    pub fn contains(self, reason: KeepReason) -> bool {
        self.0 & 1 << reason as u8 != 0
    }

    /// These and others.
    fn and(self, others: KeepReasons) -> KeepReasons {
        KeepReasons(self.0 | others.0)
    }

    /// The reasons, in the order of [`KeepReason::ALL`].
    pub fn iter(self) -> impl Iterator<Item = KeepReason> {
        KeepReason::ALL
            .into_iter()
            .filter(move |reason| self.contains(*reason))
    }
}

/// What is to become of a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stays, for these reasons.
    Skip(KeepReasons),
    /// No rule keeps it: a newer Job has superseded it.
    Purge,
}

impl Verdict {
    /// Both verdicts on a Job in one: it stays if either says so, for the reasons of both.
    fn and(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Purge, other) => other,
            (Verdict::Skip(_), Verdict::Purge) => self,
            (Verdict::Skip(these), Verdict::Skip(those)) => Verdict::Skip(these.and(those)),
        }
    }

    /// Whether it is to be deleted.
    pub fn is_purge(self) -> bool {
        self == Verdict::Purge
    }

    /// The word that tables and documents show.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Skip(_) => "SKIP",
            Verdict::Purge => "PURGE",
        }
    }

    /// The words of its reasons; never empty.
    pub fn reasons(self) -> Vec<&'static str> {
        match self {
            Verdict::Skip(reasons) => reasons.iter().map(KeepReason::as_str).collect(),
            Verdict::Purge => vec![SUPERSEDED],
        }
    }
}

/// Counts how many of the newest are left to keep.
struct Quota(usize);

impl Quota {
    /// Take one, if one is left.
    fn take(&mut self) -> bool {
        let left = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        left
    }
}

impl Policy {
    /// What becomes of groups that hold different families. An application has several Jobs by nature, so its families
    /// are judged by themselves; who names a label or an annotation may mean the whole group.
    pub fn mixed_groups(&self, grouping: &Grouping) -> MixedGroups {
        match (grouping, self.mixed_groups) {
            (Grouping::Family, _) => MixedGroups::Split,
            (_, Some(said)) => said,
            (Grouping::Application, None) => MixedGroups::Split,
            (Grouping::Keys(_), None) => MixedGroups::Hold,
        }
    }

    /// Judge one group: a verdict for each of its Jobs, in their order.
    pub fn judge(
        &self,
        group: &Group,
        mixed: MixedGroups,
        claims: &Claims,
        now: Timestamp,
    ) -> Vec<Verdict> {
        let is_held = mixed == MixedGroups::Hold && group.families.len() > 1;
        self.verdicts(group.jobs.iter(), is_held, claims, now)
    }

    /// The same under each rule that is for one of the Jobs, and under the defaults if they are for one.
    pub fn judge_by_rule(
        &self,
        group: &Group,
        mixed: MixedGroups,
        claims: &Claims,
        now: Timestamp,
    ) -> Vec<(Option<RuleNumber>, Vec<Verdict>)> {
        let is_held = mixed == MixedGroups::Hold && group.families.len() > 1;
        self.by_rule(group.jobs.iter(), is_held, claims, now)
            .collect()
    }

    /// What is kept under a rule, or under the defaults.
    pub fn ruling(&self, rule: Option<RuleNumber>) -> Ruling {
        match rule {
            None => Ruling::Keep(self.defaults),
            // What is said by a rule that is not known may be to keep everything.
            Some(number) => (self.rules.as_ref())
                .and_then(|rules| rules.get(number))
                .map_or(Ruling::Hold, |rule| rule.ruling),
        }
    }

    /// Judge Jobs of one group, newest first. What any of their rules keeps is kept.
    fn verdicts<'a>(
        &self,
        jobs: impl Iterator<Item = &'a Job> + Clone,
        is_held: bool,
        claims: &Claims,
        now: Timestamp,
    ) -> Vec<Verdict> {
        let by_rule = self.by_rule(jobs, is_held, claims, now);
        let verdicts = by_rule.map(|(_, verdicts)| verdicts);
        let all = verdicts.reduce(|mut all, more| {
            for (verdict, other) in all.iter_mut().zip(more) {
                *verdict = verdict.and(other);
            }
            all
        });
        all.unwrap_or_default()
    }

    /// A rule may go by the labels of a Job, so that those of a group may have several. Each of these judges all of them.
    fn by_rule<'a>(
        &self,
        jobs: impl Iterator<Item = &'a Job> + Clone,
        is_held: bool,
        claims: &Claims,
        now: Timestamp,
    ) -> impl Iterator<Item = (Option<RuleNumber>, Vec<Verdict>)> {
        rules_of(jobs.clone()).map(move |rule| {
            let jobs = jobs.clone();
            let verdicts = self.verdicts_under(self.ruling(rule), jobs, is_held, claims, now);
            (rule, verdicts)
        })
    }

    /// What each way out of a held group would purge, if it is one.
    pub fn ways_out(
        &self,
        group: &Group,
        mixed: MixedGroups,
        claims: &Claims,
        now: Timestamp,
    ) -> Option<WaysOut> {
        if mixed != MixedGroups::Hold || group.families.len() < 2 {
            return None;
        }
        let purged = |jobs: &[&Job]| {
            let verdicts = self.verdicts(jobs.iter().copied(), false, claims, now);
            verdicts
                .into_iter()
                .filter(|verdict| verdict.is_purge())
                .count()
        };
        let all: Vec<&Job> = group.jobs.iter().collect();
        let (families, places) = distinct(&group.jobs, self.family.as_ref());
        let mut of_family = vec![Vec::new(); families.len()];
        for (job, place) in all.iter().zip(places) {
            of_family[place].push(*job);
        }
        Some(WaysOut {
            split: of_family.iter().map(|jobs| purged(jobs)).sum(),
            merge: purged(&all),
            family: common_ending(&families).and_then(|ending| {
                let (families, _) = distinct(&group.jobs, Some(&ending));
                // One family is not held any more, and only then does an ending help by itself.
                (families.len() == 1).then_some(ending)
            }),
        })
    }

    /// A Job that is already terminating never fills a quota: it will be gone, and a group whose only keeper is on
    /// its way out would end up empty.
    fn verdicts_under<'a>(
        &self,
        ruling: Ruling,
        jobs: impl Iterator<Item = &'a Job>,
        is_held: bool,
        claims: &Claims,
        now: Timestamp,
    ) -> Vec<Verdict> {
        let (kept, holds_all) = match ruling {
            Ruling::Keep(kept) => (kept, false),
            Ruling::Hold => (Retention::LEAST, true),
        };
        let mut newest = Newest {
            keep: kept.keep.get(),
            created: Vec::new(),
        };
        let mut succeeded = Quota(kept.keep_succeeded);
        let mut failed = Quota(kept.keep_failed);
        let verdict = |job: &'a Job| {
            let stays = !job.is_terminating();
            let pushed_out = if stays {
                newest.take(job.created())
            } else {
                None
            };
            let opinion = claims.opinion(job, self.gitops);
            let reasons = [
                (KeepReason::Newest, stays && pushed_out.is_none()),
                (
                    KeepReason::RecentSuccess,
                    stays && job.state() == State::Complete && succeeded.take(),
                ),
                (
                    KeepReason::RecentFailure,
                    stays && job.state() == State::Failed && failed.take(),
                ),
                (
                    KeepReason::Recent,
                    is_within(kept.keep_within, Some(job.created()), now),
                ),
                (
                    KeepReason::RecentlySuperseded,
                    pushed_out.is_some() && is_within(kept.keep_superseded_within, pushed_out, now),
                ),
                (
                    KeepReason::RecentlyFinished,
                    job.state().is_finished()
                        && is_within(kept.keep_finished_within, job.finished(), now),
                ),
                (KeepReason::Terminating, !stays),
                (KeepReason::Protected, job.protection().is_some()),
                (
                    KeepReason::Held,
                    holds_all || claims.holders.hold(job.namespace()),
                ),
                (KeepReason::Wanted, opinion.is_wanted),
                (KeepReason::Unsettled, opinion.is_unsettled),
                (
                    KeepReason::Active,
                    kept.active == Treatment::Keep && !job.state().is_finished(),
                ),
                (
                    KeepReason::Owned,
                    kept.owned == Treatment::Keep && job.controller().is_some(),
                ),
                (KeepReason::MixedGroup, is_held),
            ];
            let reasons = reasons.into_iter().filter(|(_, applies)| *applies);
            KeepReasons::new(reasons.map(|(reason, _)| reason))
                .map_or(Verdict::Purge, Verdict::Skip)
        };
        jobs.map(verdict).collect()
    }
}

/// The rules that are for some Jobs, each once and in order. Most groups have one, so nothing is collected.
fn rules_of<'a>(
    jobs: impl Iterator<Item = &'a Job> + Clone,
) -> impl Iterator<Item = Option<RuleNumber>> {
    let next = move |after: Option<Option<RuleNumber>>| {
        let rules = jobs.clone().map(|job| job.rule());
        rules
            .filter(|rule| after.is_none_or(|after| *rule > after))
            .min()
    };
    iter::successors(next(None), move |last| next(Some(*last)))
}

/// The newest of a group that stay, and when each Job was pushed out of them.
struct Newest {
    keep: usize,
    /// When each Job was created that was taken so far, newest first. The last [`Newest::keep`] matter.
    created: Vec<Stamp>,
}

impl Newest {
    /// Take the next one; when it was pushed out: that was when the Job was created that stands [`Newest::keep`] places before it.
    fn take(&mut self, created: Stamp) -> Option<Stamp> {
        let place = self.created.len();
        self.created.push(created);
        Some(self.created[place.checked_sub(self.keep)?])
    }
}

/// Whether something was at most this long ago. What is ahead of this machine's clock was, and so was what does not say
/// when it was.
fn is_within(limit: Option<Duration>, at: Option<Stamp>, now: Timestamp) -> bool {
    limit.is_some_and(|limit| {
        at.is_none_or(|at| {
            let age = now.duration_since(at.timestamp());
            SignedDuration::try_from(limit).map_or(true, |limit| age <= limit)
        })
    })
}

/// What each way out of a held group would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaysOut {
    /// How many Jobs would be purged if each family were a group of its own.
    pub split: usize,
    /// How many if families were ignored.
    pub merge: usize,
    /// An ending that makes one family of them, if there is one; it purges what ignoring families does.
    pub family: Option<NameEnding>,
}

/// An ending that all families have after the same beginning, if they differ in no more.
fn common_ending(families: &[Box<str>]) -> Option<NameEnding> {
    let mut parts = families.iter().map(|family| family.rsplit_once('-'));
    let (stem, first) = parts.next()??;
    let mut endings = vec![first];
    for part in parts {
        let (other, ending) = part?;
        if other != stem {
            return None;
        }
        endings.push(ending);
    }
    let is_of = |set: fn(&u8) -> bool| endings.iter().all(|ending| ending.bytes().all(|b| set(&b)));
    let set = if is_of(u8::is_ascii_digit) {
        "[0-9]"
    } else if is_of(u8::is_ascii_lowercase) {
        "[a-z]"
    } else if is_of(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        "[a-z0-9]"
    } else {
        return None;
    };
    let lengths = endings.iter().map(|ending| ending.len());
    let (shortest, longest) = (lengths.clone().min()?, lengths.max()?);
    let times = match (shortest, longest) {
        (1, 1) => String::new(),
        (shortest, longest) if shortest == longest => format!("{{{longest}}}"),
        (shortest, longest) => format!("{{{shortest},{longest}}}"),
    };
    format!("-{set}{times}").parse().ok()
}
