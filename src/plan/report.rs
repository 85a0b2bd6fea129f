//! What became of a Job that was to be purged.

use std::{borrow::Cow, cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    Plan, PlannedGroup, PlannedJob, bytes,
    retention::{KeepReason, KeepReasons},
};
use crate::{
    error::{Exit, Stop},
    job::Job,
};

/// Every planned PURGE ends in exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is gone.
    Deleted,
    /// The delete was accepted; finalizers still run.
    Terminating,
    /// A dry run: the server would have deleted it.
    WouldDelete,
    /// Another client's delete won.
    Gone,
    /// It is no longer the Job that was planned, so it was left alone.
    Changed(Change),
    /// The server refused, or could not be asked; its words.
    Failed(String),
    /// The run ended before its turn.
    NotAttempted,
    /// It is gone, and while the run waited a new Job of its name was made; by what, if that shows.
    Recreated(Option<String>),
}

/// The word of [`Outcome::Recreated`].
pub const RECREATED: &str = "recreated";

impl Outcome {
    /// The words of all outcomes, in the order in which they are counted.
    pub const WORDS: [&'static str; 8] = [
        "deleted",
        "terminating",
        "would-delete",
        "gone",
        "changed",
        "failed",
        "not-attempted",
        RECREATED,
    ];

    /// The word that tables and documents show.
    pub fn as_str(&self) -> &'static str {
        Outcome::WORDS[self.index()]
    }

    /// Its place in [`Outcome::WORDS`].
    pub fn index(&self) -> usize {
        match self {
            Outcome::Deleted => 0,
            Outcome::Terminating => 1,
            Outcome::WouldDelete => 2,
            Outcome::Gone => 3,
            Outcome::Changed(_) => 4,
            Outcome::Failed(_) => 5,
            Outcome::NotAttempted => 6,
            Outcome::Recreated(_) => 7,
        }
    }

    /// What there is to say beyond the word.
    pub fn message(&self) -> Option<Cow<'_, str>> {
        match self {
            Outcome::Failed(words) => Some(Cow::Borrowed(words)),
            Outcome::Changed(change) => Some(change.words()),
            Outcome::Recreated(Some(maker)) => {
                Some(format!("a new Job has its name, made again by {maker}").into())
            }
            Outcome::Recreated(None) => Some("a new Job has its name".into()),
            _ => None,
        }
    }

    /// Whether the server has accepted the delete.
    pub fn is_purged(&self) -> bool {
        matches!(
            self,
            Outcome::Deleted | Outcome::Terminating | Outcome::Recreated(_)
        )
    }

    /// Whether the run did not do what was planned, so that it exits with 3.
    ///
    /// A Job that changed or went away by itself is not a failure: leaving it alone is what was promised. One that was made
    /// again is: it runs again.
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Outcome::Failed(_) | Outcome::NotAttempted | Outcome::Recreated(_)
        )
    }
}

/// How a Job is no longer the one that was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Another Job has its name now.
    Replaced,
    /// Its labels no longer put it into that group.
    Relabelled,
    /// It would be kept now, for these reasons.
    NowKept(KeepReasons),
    /// The newest Job of its group, which was to stay, has gone.
    KeeperGone,
    /// It changes faster than it can be read.
    Restless,
}

impl Change {
    /// What has changed, as a lowercase fragment.
    pub fn words(&self) -> Cow<'static, str> {
        match self {
            Change::Replaced => "another Job has its name now".into(),
            Change::Relabelled => "its labels no longer put it into this group".into(),
            Change::NowKept(reasons) => {
                let reasons: Vec<&str> = reasons.iter().map(KeepReason::as_str).collect();
                format!("it would be kept now: {}", reasons.join(", ")).into()
            }
            Change::KeeperGone => "the Job that was to stay in its group has gone".into(),
            Change::Restless => "it keeps changing".into(),
        }
    }
}

/// How many of each outcome there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeCounts([usize; Outcome::WORDS.len()]);

impl OutcomeCounts {
    /// Count one.
    pub fn add(&mut self, outcome: &Outcome) {
        self.0[outcome.index()] += 1;
    }

    /// How many had this outcome, whatever there is to say beyond its word.
    pub fn of(self, outcome: &Outcome) -> usize {
        self.0[outcome.index()]
    }

    /// Every outcome's word and count, zeros included.
    pub fn iter(self) -> impl Iterator<Item = (&'static str, usize)> {
        Outcome::WORDS.into_iter().zip(self.0)
    }
}

impl<'a> FromIterator<&'a Outcome> for OutcomeCounts {
    fn from_iter<I: IntoIterator<Item = &'a Outcome>>(outcomes: I) -> Self {
        let mut counts = OutcomeCounts::default();
        outcomes.into_iter().for_each(|outcome| counts.add(outcome));
        counts
    }
}

/// What a run of deletes came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The plan that was carried out.
    pub plan: Plan,
    /// One outcome for each of [`Plan::purges`], in its order.
    pub outcomes: Vec<Outcome>,
    /// Why it ended early, if it did.
    pub ended_early: Option<EndedEarly>,
    /// Namespaces in which it ended early, since the same refusal came again and again; with its words.
    pub stopped: BTreeMap<Arc<str>, String>,
    /// What waiting for its Jobs to be gone came to, if that was asked for and there were any to wait for.
    pub waited: Option<Waited>,
    /// How long all of this took.
    pub took: Duration,
}

impl Report {
    /// How many of each outcome there are; they add up to the plan's purges.
    pub fn counts(&self) -> OutcomeCounts {
        self.outcomes.iter().collect()
    }

    /// About how many bytes the Jobs took in the API server's store that it deleted, those on their way out among them; if
    /// that is known of each.
    pub fn purged_bytes(&self) -> Option<u64> {
        let outcomes = self.plan.purges().zip(&self.outcomes);
        let deleted = outcomes.filter(|(_, outcome)| outcome.is_purged());
        let mut deleted = deleted.peekable();
        match deleted.peek() {
            None => Some(0),
            Some(_) => bytes(deleted.map(|(job, _)| job)),
        }
    }

    /// What the process exits with for it.
    pub fn exit(&self) -> Exit {
        match self.ended_early {
            Some(EndedEarly::Stopped(stop)) => stop.into(),
            _ if self.outcomes.iter().any(Outcome::is_failure) => Exit::Incomplete,
            // Who waits for all to be gone goes on when they are, and must not go on when they are not.
            _ if matches!(&self.waited, Some(waited) if waited.end != End::AllGone) => {
                Exit::Incomplete
            }
            _ => Exit::Success,
        }
    }

    /// The Jobs whose outcome has something to say, by what it says of them: what is said of the most Jobs comes first.
    /// Where it names a Job that is one of several, `NAME` stands for it.
    pub fn by_message(&self, is_meant: impl Fn(&Outcome) -> bool) -> Vec<(String, Vec<&Job>)> {
        let mut by_message: BTreeMap<String, Vec<(&Job, Cow<'_, str>)>> = BTreeMap::new();
        for (job, outcome) in self.plan.purges().zip(&self.outcomes) {
            if let Some(message) = outcome.message().filter(|_| is_meant(outcome)) {
                let alike = without_name(&message, job.name());
                by_message.entry(alike).or_default().push((job, message));
            }
        }
        let mut by_message: Vec<(String, Vec<&Job>)> = by_message
            .into_iter()
            .map(|(alike, jobs)| match jobs.as_slice() {
                [(job, message)] => (message.to_string(), vec![*job]),
                jobs => (alike, jobs.iter().map(|(job, _)| *job).collect()),
            })
            .collect();
        by_message.sort_by_key(|(_, jobs)| Reverse(jobs.len()));
        by_message
    }

    /// Every group of the plan with its Jobs, what became of each, and what holds it.
    pub fn rows(&self) -> impl Iterator<Item = (&PlannedGroup, Vec<Row<'_>>)> {
        rows(&self.plan, Some(self))
    }

    /// The Jobs that were waited for and are still there, with what holds each.
    pub fn held(&self) -> impl Iterator<Item = (&Job, &Held)> {
        let held = self.waited.as_ref().map(|waited| &waited.held);
        let jobs = waited_for(&self.plan).enumerate();
        jobs.filter_map(move |(index, job)| Some((job, held?.get(&index)?)))
    }
}

/// A message with `NAME` where it names a Job. A name within a longer one is not that Job's.
fn without_name(message: &str, name: &str) -> String {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let mut alike = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once(name).filter(|_| !name.is_empty()) {
        let is_whole = !before.ends_with(is_of_name) && !after.starts_with(is_of_name);
        alike.extend([before, if is_whole { "NAME" } else { name }]);
        rest = after;
    }
    alike + rest
}

/// A Job as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The Job and its verdict.
    pub planned: &'a PlannedJob,
    /// Its place in the group, the newest is 1.
    pub rank: usize,
    /// How many Jobs the group has.
    pub of: usize,
    /// What became of it, if it was to be purged and that was carried out.
    pub outcome: Option<&'a Outcome>,
    /// What holds it, if it was waited for and is still there.
    pub held: Option<&'a Held>,
}

/// The rows of a plan, with their outcomes if it was carried out.
///
/// Outcomes stand in the order of [`Plan::purges`], and what holds a Job is kept by its place in [`waited_for`]. Here
/// alone places become Jobs again.
pub(crate) fn rows<'a>(
    plan: &'a Plan,
    report: Option<&'a Report>,
) -> impl Iterator<Item = (&'a PlannedGroup, Vec<Row<'a>>)> {
    let mut outcomes = report.map_or(&[][..], |report| &report.outcomes).iter();
    let held = report.and_then(|report| Some(&report.waited.as_ref()?.held));
    let mut purged = 0..;
    let mut terminating = plan.summary().purge..;
    plan.groups.iter().map(move |group| {
        let row = |(index, planned): (usize, &'a PlannedJob)| {
            let is_purge = planned.verdict.is_purge();
            let place = if is_purge {
                purged.next()
            } else if planned.job.is_terminating() {
                terminating.next()
            } else {
                None
            };
            Row {
                planned,
                rank: index + 1,
                of: group.jobs.len(),
                outcome: is_purge.then(|| outcomes.next()).flatten(),
                held: place.and_then(|place| held?.get(&place)),
            }
        };
        (group, group.jobs.iter().enumerate().map(row).collect())
    })
}

/// Why some Jobs were not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedEarly {
    /// The user or the system asked it to stop.
    Stopped(Stop),
    /// The server has not been there for a long time; what happened last.
    Unreachable(String),
    /// What is about to be deleted cannot be written down before; why, with the file.
    NotWritten(Arc<str>),
}

/// What waiting for purged Jobs came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waited {
    /// How it ended.
    pub end: End,
    /// How many are still there, or may be.
    pub left: usize,
    /// What holds those that are still there, as far as it was seen, by their places in [`waited_for`].
    pub held: BTreeMap<usize, Held>,
}

/// The Jobs that are waited for, if they are still there: what the plan purges, and then what was on its way out already.
pub(crate) fn waited_for(plan: &Plan) -> impl Iterator<Item = &Job> {
    plan.purges().chain(plan.terminating())
}

/// How waiting ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All Jobs are gone.
    AllGone,
    /// Some were still there after this time.
    TimedOut(Duration),
    /// It could not be seen any more whether they are; what happened.
    Blind(String),
    /// The run was asked to stop.
    Stopped,
}

/// What holds a Job that was deleted and is still there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    pub finalizers: Vec<String>,
    /// The Pods that it waits for, if one of its finalizers does that and Pods may be read.
    pub pods: Vec<Pod>,
}

/// A Pod that a Job waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name, in the Job's namespace.
    pub name: String,
    /// What holds it in turn.
    pub finalizers: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_alike_but_for_the_whole_name() {
        for (message, expected) in [
            (
                r#"jobs.batch "batch" is forbidden"#,
                r#"jobs.batch "NAME" is forbidden"#,
            ),
            ("batch-1 and batch: no", "batch-1 and NAME: no"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_name(message, "batch"), expected);
        }
        assert_eq!(without_name("a", ""), "a");
    }
}
