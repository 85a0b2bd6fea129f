//! What must hold after every run, whatever went wrong: held against the model's own log.

mod deletes;
mod outcomes;

use std::{fmt, sync::Arc};

use kubectl_jobclean::{
    plan::{
        Plan,
        report::{EndedEarly, Outcome, Report},
    },
    purge::Cascade,
};

use self::{
    deletes::{deleted, tries},
    outcomes::outcomes,
};
use crate::{
    asked::Asked,
    job::{Job, NAMESPACES},
    run::Said,
    world::{Given, Phase, Sent, World},
};

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Planning, purging and waiting end.
    Ends,
    /// A plan is of one snapshot, and purges what the rules say, and nothing else.
    OneSnapshot,
    /// An error while planning, or while the Jobs are listed again, means no delete.
    NoPlanNoDelete,
    /// Only what was shown as PURGE is ever deleted.
    OnlyPlanned,
    /// Every delete carries the uid and the resourceVersion, in its body and in its query.
    Preconditions,
    /// Every delete says what becomes of the Pods.
    Cascades,
    /// A dry run deletes nothing.
    DryRun,
    /// What is deleted is not among the newest that stay.
    NewestStays,
    /// What is deleted is, in the very version that is deleted, still superseded.
    StillSuperseded,
    /// If the newest that was to stay has gone, nothing of its group is deleted.
    KeeperStays,
    /// No list is used that is older than one that was used before.
    NoOldList,
    /// Each planned Job has one outcome.
    OneOutcome,
    /// Each outcome is true.
    TrueOutcome,
    /// No delete leaves after the run was asked to stop.
    Stops,
    /// No more requests are in flight than there may be.
    Concurrency,
    /// What is settled is not asked again.
    Settled,
    /// A server that asks for time gets it.
    RetryAfter,
    /// A Job is not tried for ever.
    BoundedTries,
    /// Nothing is asked but for lists, and for the delete of one Job.
    OnlyListAndDelete,
    /// A refusal is not repeated for every Job.
    GivesUp,
    /// If nothing goes wrong, everything is done.
    DoesItsWork,
}

impl Promise {
    pub const ALL: [Promise; 21] = [
        Promise::Ends,
        Promise::OneSnapshot,
        Promise::NoPlanNoDelete,
        Promise::OnlyPlanned,
        Promise::Preconditions,
        Promise::Cascades,
        Promise::DryRun,
        Promise::NewestStays,
        Promise::StillSuperseded,
        Promise::KeeperStays,
        Promise::NoOldList,
        Promise::OneOutcome,
        Promise::TrueOutcome,
        Promise::Stops,
        Promise::Concurrency,
        Promise::Settled,
        Promise::RetryAfter,
        Promise::BoundedTries,
        Promise::OnlyListAndDelete,
        Promise::GivesUp,
        Promise::DoesItsWork,
    ];
}

/// A promise that a run broke.
#[derive(Debug, Clone)]
pub struct Broken {
    pub promise: Promise,
    pub words: String,
}

impl Broken {
    pub fn new(promise: Promise, words: String) -> Broken {
        Broken { promise, words }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.words)
    }
}

type Checked = Result<(), Broken>;

/// It must hold.
fn must(holds: bool, promise: Promise, words: impl FnOnce() -> String) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(Broken::new(promise, words()))
    }
}

/// The last answer to the first page of a list in a phase: the list that was used, if one was.
fn used(world: &World, phase: Phase) -> Option<&Given> {
    let (first, _) = last_list(world, phase)?;
    first.answer.as_ref()
}

/// The last first page that was asked for in a phase, and what was asked after it.
fn last_list(world: &World, phase: Phase) -> Option<(&Sent, &[Sent])> {
    let is_first = |sent: &Sent| sent.phase == phase && sent.asked.is_first_page();
    let at = world.log.iter().rposition(is_first)?;
    Some((&world.log[at], &world.log[at + 1..]))
}

/// Whether the list that was used in a phase came in parts.
pub fn is_in_parts(world: &World, phase: Phase) -> bool {
    let is_part = |sent: &Sent| sent.phase == phase && sent.asked.is_part();
    last_list(world, phase).is_some_and(|(_, rest)| rest.iter().any(is_part))
}

/// Whether parts of a list were asked for, and then the list anew.
pub fn has_given_up_parts(world: &World, phase: Phase) -> bool {
    let of_phase = || world.log.iter().filter(|sent| sent.phase == phase);
    let mut from_part = of_phase().skip_while(|sent| !sent.asked.is_part());
    from_part.any(|sent| sent.asked.is_first_page())
}

/// The namespaces whose Jobs a phase could not know of: its list came in parts, and something hid them from the list of
/// Namespaces. That of a Job on the first page is known.
fn unseen(world: &World, phase: Phase) -> Vec<&'static str> {
    let Some((first, after)) = last_list(world, phase).filter(|_| is_in_parts(world, phase)) else {
        return Vec::new();
    };
    let (Asked::Jobs(list), Some(given)) = (&first.asked, &first.answer) else {
        return Vec::new();
    };
    let jobs = world.store.at(given.version);
    let on_first_page = jobs.iter().filter(|job| list.selects(job));
    let known: Vec<&str> = on_first_page
        .take(list.page.limit)
        .map(|job| job.namespace)
        .collect();
    let of_phase = after.iter().filter(|sent| sent.phase == phase);
    let answers = of_phase.filter_map(|sent| sent.answer.as_ref());
    answers
        .flat_map(|given| given.lacks.iter().copied())
        .filter(|namespace| !known.contains(namespace))
        .collect()
}

/// Whether a phase has not been shown Jobs that it was to look at.
pub fn has_missed_jobs(world: &World, phase: Phase) -> bool {
    let unseen = unseen(world, phase);
    let version = used(world, phase).map_or(0, |given| given.version);
    let mut jobs = world.store.at(version);
    jobs.retain(|job| unseen.contains(&job.namespace) && world.rules.takes(job));
    !jobs.is_empty()
}

/// The Jobs of a version, as far as a phase looked at them.
fn snapshot(world: &World, version: u64, phase: Phase) -> Vec<Arc<Job>> {
    let unseen = unseen(world, phase);
    let mut jobs = world.store.at(version);
    jobs.retain(|job| {
        (world.setup.is_wide || job.namespace == NAMESPACES[0]) && !unseen.contains(&job.namespace)
    });
    jobs
}

/// Hold a run against every promise.
///
/// # Errors
/// If one is broken.
pub fn check(world: &World, said: &Said, base: i64) -> Checked {
    requests(world)?;
    let deletes = world.deletes().count();
    let (Some(plan), Some(report)) = (&said.plan, &said.report) else {
        let stage = if said.plan.is_some() {
            "listed again"
        } else {
            "planned"
        };
        must(deletes == 0, Promise::NoPlanNoDelete, || {
            format!("it could not be {stage}, and {deletes} deletes left")
        })?;
        return must(!world.setup.is_calm(), Promise::DoesItsWork, || {
            format!("it was not {stage}, though nothing went wrong")
        });
    };
    planned(world, plan, base)?;
    deleted(world, plan, base)?;
    tries(world)?;
    outcomes(world, said, plan, report)?;
    ending(world, report)
}

/// Every request is one that may be sent, and says what it has to.
fn requests(world: &World) -> Checked {
    for sent in &world.log {
        if let Asked::Other(what) = &sent.asked {
            return Err(Broken::new(
                Promise::OnlyListAndDelete,
                format!("it asked for {what}"),
            ));
        }
    }
    for (_, sent, delete) in world.deletes() {
        let name = &delete.key.1;
        must(
            sent.phase == Phase::Purging,
            Promise::NoPlanNoDelete,
            || format!("the delete of {name} left while {:?}", sent.phase),
        )?;
        let (Some(uid), Some(version)) = (&delete.body.uid, delete.body.version) else {
            return Err(Broken::new(
                Promise::Preconditions,
                format!("{name}: {:?}", delete.body),
            ));
        };
        let twice = (&delete.query.uid, delete.query.version);
        must(
            twice == (&Some(uid.clone()), Some(version)),
            Promise::Preconditions,
            || format!("{name}: {:?} in the query", delete.query),
        )?;
        let is_finished = world
            .store
            .version_of(uid, version)
            .is_none_or(|job| job.is_finished());
        let cascade = match world.setup.cascade {
            Cascade::Background => "Background",
            Cascade::Orphan => "Orphan",
            Cascade::Auto if is_finished => "Background",
            Cascade::Foreground | Cascade::Auto => "Foreground",
        };
        for options in [&delete.body, &delete.query] {
            must(
                options.cascade.as_deref() == Some(cascade),
                Promise::Cascades,
                || format!("{name}: {options:?}, and not {cascade}"),
            )?;
            must(
                options.is_dry == world.setup.is_dry,
                Promise::DryRun,
                || format!("{name}: {options:?}"),
            )?;
        }
        let stopped = world.stopped.is_some_and(|stopped| sent.at > stopped);
        must(!stopped, Promise::Stops, || {
            format!("the delete of {name} left after the stop")
        })?;
    }
    let (most, may) = (world.most_in_flight, world.setup.concurrency);
    must(most <= may, Promise::Concurrency, || {
        format!("{most} in flight, of at most {may}")
    })
}

/// The plan is what the rules say of the snapshot that it names.
fn planned(world: &World, plan: &Plan, base: i64) -> Checked {
    let version = plan.resource_version.parse().unwrap_or(0);
    let given = used(world, Phase::Planning);
    must(
        given.is_some_and(|given| given.version == version),
        Promise::OneSnapshot,
        || format!("it names version {version}, and the server gave {given:?}"),
    )?;
    let jobs = snapshot(world, version, Phase::Planning);
    let taken_at = plan.taken_at.as_second();
    let date = given.and_then(|given| given.date).unwrap_or(i64::MAX);
    must(
        taken_at <= date.min(base + 60).saturating_add(5),
        Promise::OneSnapshot,
        || format!("ages count to {taken_at}, which is after {date}"),
    )?;
    let purges: Vec<Arc<str>> = plan
        .purges()
        .map(|job| job.uid().to_string().into())
        .collect();
    let (mut found, mut expected) = (purges.clone(), world.rules.purges(&jobs, taken_at));
    found.sort();
    expected.sort();
    must(found == expected, Promise::OneSnapshot, || {
        format!("it purges {found:?}, and by the rules of version {version} that is {expected:?}")
    })?;
    let (listed, all) = (
        plan.summary().jobs,
        jobs.iter().filter(|job| world.rules.takes(job)).count(),
    );
    must(listed == all, Promise::OneSnapshot, || {
        format!("it has {listed} of {all} Jobs")
    })
}

/// How it ended, and whether it did what it could.
fn ending(world: &World, report: &Report) -> Checked {
    let left = report.outcomes.contains(&Outcome::NotAttempted);
    let is_short = report.ended_early.is_some() || !report.stopped.is_empty();
    must(!left || is_short, Promise::TrueOutcome, || {
        "nothing says why Jobs were not tried".to_owned()
    })?;
    let says_stopped = matches!(report.ended_early, Some(EndedEarly::Stopped(_)));
    must(
        !says_stopped || world.stopped.is_some(),
        Promise::TrueOutcome,
        || "it was not asked to stop".to_owned(),
    )?;
    let setup = &world.setup;
    let is_quiet = setup.fault_rate == 0.0 && setup.outage.is_none() && setup.actions == 0;
    if let Some(namespace) = setup.forbidden.filter(|_| is_quiet) {
        let tried = world
            .deletes()
            .filter(|(_, _, delete)| delete.key.0 == namespace)
            .count();
        must(tried <= 20 + setup.concurrency, Promise::GivesUp, || {
            format!("{tried} deletes left for {namespace}, which refuses all of them")
        })?;
    }
    let is_done = report.outcomes.iter().all(|outcome| match outcome {
        Outcome::Deleted | Outcome::Terminating => !setup.is_dry,
        Outcome::WouldDelete => setup.is_dry,
        _ => false,
    });
    must(!setup.is_calm() || is_done, Promise::DoesItsWork, || {
        format!("{:?}", report.outcomes)
    })
}
