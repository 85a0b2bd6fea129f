//! Carries a plan out: bounded, adaptive, cancellable.
//!
//! Every planned PURGE ends in exactly one [`Outcome`], on every path.

mod attempt;
mod breaker;
pub mod cleaner;
mod gather;
pub(crate) mod journal;
pub(crate) mod remaining;
pub(crate) mod stop;
pub mod wait;
mod window;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::watch, time::Instant};

pub use crate::cluster::delete::Cascade;

use self::{
    attempt::{After, Attempt, Pending, Step},
    breaker::Breaker,
    gather::Reads,
    journal::Journal,
    window::Window,
};
use crate::{
    backup::{BackupDir, Missing},
    cluster::{
        Cluster,
        delete::DeleteOptions,
        retry::{Trouble, Unanswered},
    },
    error::Stop,
    job::{Job, query::Query},
    plan::{
        Plan,
        recheck::{Approved, Target},
        report::{EndedEarly, Outcome, Report},
    },
};

/// What happens during a purge.
#[derive(Debug)]
pub enum Event<'a> {
    /// A Job has its outcome.
    Settled {
        job: &'a Job,
        /// What became of it.
        outcome: &'a Outcome,
    },
    /// A log cannot be had. The Job is deleted all the same.
    NotSaved {
        job: &'a Job,
        /// Where the log would be in the Job's backup.
        path: &'a str,
        /// Why, as a fragment.
        why: &'a str,
    },
    /// The run waits before it tries a Job again.
    Waiting {
        job: &'a Job,
        /// How long.
        delay: Duration,
        /// Why, as a fragment.
        why: &'a str,
    },
    /// The run has been asked to stop; deletes in flight still finish.
    Stopping {
        /// How many deletes are in flight.
        in_flight: usize,
    },
}

/// The most Jobs that wait for their logs: each has a folder, and what is read of it.
const GATHERING_MAX: usize = 256;

/// How to carry a plan out.
#[derive(Debug, Clone)]
pub struct Orders {
    /// How deletes are sent.
    pub options: DeleteOptions,
    /// The most requests in flight.
    pub concurrency: usize,
    /// Where a Job is backed up before its delete leaves, if anywhere.
    pub backup: Option<BackupDir>,
    /// Where each delete is written down before it leaves, and what came of it, if anywhere.
    pub journal: Option<Journal>,
    /// What was listed, so that a Job that is read again is held against it.
    pub query: Query,
}

/// What has become of each Job so far, in the order of [`Plan::purges`].
struct Outcomes<'a> {
    known: Vec<Option<Outcome>>,
    journal: Option<&'a Journal>,
}

impl Outcomes<'_> {
    /// This is what became of the Job in this place.
    fn set(&mut self, place: usize, job: &Job, outcome: Outcome) {
        if let Some(journal) = self.journal {
            journal.outcome(job, &outcome);
        }
        self.known[place] = Some(outcome);
    }

    /// All of them. What nothing is known of was not attempted.
    fn finish(mut self, plan: &Plan) -> Vec<Outcome> {
        for (place, job) in plan.purges().enumerate() {
            if self.known[place].is_none() {
                self.set(place, job, Outcome::NotAttempted);
            }
        }
        self.known.into_iter().flatten().collect()
    }
}

/// For which Jobs the run is over, so that nothing is read for a backup any more.
#[derive(Debug, Default)]
struct Over {
    /// For all.
    all: bool,
    /// For those of these namespaces.
    namespaces: HashSet<Arc<str>>,
}

impl Over {
    fn is_for(&self, namespace: &str) -> bool {
        self.all || self.namespaces.contains(namespace)
    }
}

/// Carry an approved plan out.
///
/// A Job that fails does not keep the others from their turn. When `stop` becomes something, no new request starts,
/// those in flight finish, and the rest is [`Outcome::NotAttempted`].
pub async fn purge(
    approved: Approved,
    cluster: &Cluster,
    orders: &Orders,
    mut stop: watch::Receiver<Option<Stop>>,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Report {
    let begun = Instant::now();
    let mut outcomes = Outcomes {
        known: vec![None; approved.targets().len()],
        journal: orders.journal.as_ref(),
    };
    if let Some(journal) = outcomes.journal {
        let connection = &cluster.connection;
        let jobs = approved.targets().len();
        journal.begin(&connection.context, &connection.server, jobs);
    }
    let mut untouched = approved.plan().purges().zip(approved.targets()).enumerate();
    // Jobs that have been asked about and are to be asked about again, now or after a while.
    let mut pending: HashMap<usize, Pending> = HashMap::new();
    let mut ready: VecDeque<usize> = VecDeque::new();
    let mut waiting = FuturesUnordered::new();
    let mut window = Window::new(orders.concurrency);
    let mut breaker = Breaker::default();
    let mut ended_early = None;
    // Jobs that have been asked about and will not be any more.
    let mut left: Vec<(usize, Pending)> = Vec::new();
    let (reads, asked) = (Reads::default(), stop.clone());
    let (over, is_over) = watch::channel(Over::default());
    let start = |index, mut next: Pending| {
        let (approved, reads, asked, is_over) = (&approved, &reads, &asked, &is_over);
        async move {
            let attempt = next
                .attempt(cluster, orders, approved, reads, asked, is_over)
                .await;
            (index, next, attempt)
        }
    };
    let mut in_flight = FuturesUnordered::new();
    // How many of them read what a Job leaves. They take no place of a delete.
    let mut gathering = 0;

    loop {
        let asked_to_stop = || stop.borrow().map(EndedEarly::Stopped);
        ended_early = ended_early
            .or_else(asked_to_stop)
            .or_else(|| breaker.tripped());
        over.send_if_modified(|over| ended_early.is_some() && !mem::replace(&mut over.all, true));
        // A Job that waits keeps its place: a server that asks for less gets less.
        while ended_early.is_none()
            && in_flight.len() - gathering + waiting.len() < window.size()
            && (gathering < GATHERING_MAX || !ready.is_empty())
        {
            if breaker.is_suspicious() && in_flight.len() > gathering {
                break;
            }
            let again = ready
                .pop_front()
                .and_then(|index| Some((index, pending.remove(&index)?)));
            let (index, next) = match again {
                Some((index, next)) if breaker.has_stopped(next.job.namespace()) => {
                    left.push((index, next));
                    continue;
                }
                Some(next) => next,
                None => match untouched.next() {
                    None => break,
                    Some((index, (job, Target::Settled(outcome)))) => {
                        on_event(Event::Settled { job, outcome });
                        outcomes.set(index, job, (**outcome).clone());
                        continue;
                    }
                    Some((_, (job, _))) if breaker.has_stopped(job.namespace()) => continue,
                    Some((index, (job, Target::AsPlanned))) => {
                        (index, Pending::new(job, orders.first_step()))
                    }
                    Some((index, (_, Target::Newer(job)))) => {
                        (index, Pending::new(job, orders.first_step()))
                    }
                    Some((index, (job, Target::Reread))) => {
                        (index, Pending::new(job, Step::Reread))
                    }
                },
            };
            in_flight.push(start(index, next));
        }
        if in_flight.is_empty() && (ended_early.is_some() || waiting.is_empty()) {
            break;
        }
        tokio::select! {
            // Before anything else is looked at, so that no further delete starts.
            biased;
            Ok(()) = stop.changed(), if ended_early.is_none() => {
                on_event(Event::Stopping { in_flight: in_flight.len() - gathering });
            }
            Some((index, mut next, attempt)) = in_flight.next() => {
                let step = next.step;
                gathering -= usize::from(step == Step::Gather);
                for Missing { path, reason } in attempt.missing() {
                    on_event(Event::NotSaved { job: &next.job, path, why: reason });
                }
                let answered = match &attempt {
                    Attempt::NotWritten(_) | Attempt::Stopped => false,
                    Attempt::Again(Unanswered { trouble, why, .. }) => {
                        if *trouble == Trouble::PushedBack && step != Step::Gather {
                            window.shrink(step);
                        }
                        breaker.no_answer(step, *trouble, why, Instant::now());
                        false
                    }
                    _ => {
                        if step != Step::Gather {
                            window.grow(step);
                        }
                        breaker.answered(step);
                        true
                    }
                };
                match next.after(attempt, &approved, orders) {
                    After::Settled(outcome) => {
                        if answered {
                            let namespace = &next.job.common().namespace;
                            breaker.settled(index, namespace, next.job.name(), &outcome);
                            over.send_if_modified(|over| {
                                breaker.has_stopped(namespace)
                                    && over.namespaces.insert(Arc::clone(namespace))
                            });
                        }
                        on_event(Event::Settled { job: &next.job, outcome: &outcome });
                        outcomes.set(index, &next.job, outcome);
                    }
                    After::NotWritten(why) => {
                        ended_early.get_or_insert(EndedEarly::NotWritten(why));
                        left.push((index, next));
                    }
                    After::Now if next.step == Step::Gather && ended_early.is_none() => {
                        gathering += 1;
                        in_flight.push(start(index, next));
                    }
                    After::Stopped => left.push((index, next)),
                    After::Now => {
                        pending.insert(index, next);
                        ready.push_front(index);
                    }
                    After::Wait { delay, why } => {
                        on_event(Event::Waiting { job: &next.job, delay, why: &why });
                        pending.insert(index, next);
                        waiting.push(async move {
                            tokio::time::sleep(delay).await;
                            index
                        });
                    }
                }
            }
            Some(index) = waiting.next(), if ended_early.is_none() => ready.push_back(index),
        }
    }
    // What was known before the run began is known all the same.
    for (index, (job, target)) in untouched {
        if let Target::Settled(outcome) = target {
            outcomes.set(index, job, (**outcome).clone());
        }
    }
    // What was tried and is not settled has failed: its effect is not known. Not even a refusal tells, until the Job is read
    // again: something between here and the server may have said it.
    for (index, pending) in pending.into_iter().chain(left) {
        if let Some(why) = pending.unsettled {
            let outcome = Outcome::Failed(why);
            on_event(Event::Settled {
                job: &pending.job,
                outcome: &outcome,
            });
            outcomes.set(index, &pending.job, outcome);
        }
    }
    drop((in_flight, waiting));
    let outcomes = outcomes.finish(approved.plan());
    // With nothing left to try, nothing was cut short.
    if matches!(ended_early, Some(EndedEarly::Unreachable(_))) {
        ended_early = ended_early.filter(|_| outcomes.contains(&Outcome::NotAttempted));
    }
    let mut stopped = breaker.into_stopped();
    let purges = approved.plan().purges().zip(&outcomes);
    let cut_short: HashSet<&str> = purges
        .filter(|(_, outcome)| **outcome == Outcome::NotAttempted)
        .map(|(job, _)| job.namespace())
        .collect();
    stopped.retain(|namespace, _| cut_short.contains(&**namespace));
    Report {
        plan: approved.into_plan(),
        outcomes,
        ended_early,
        stopped,
        waited: None,
        took: begun.elapsed(),
    }
}
