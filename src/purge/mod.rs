//! Carries a plan out: bounded, adaptive, cancellable.
//!
//! Every planned PURGE ends in exactly one [`Outcome`], on every path.

mod breaker;
mod pending;
mod window;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::watch;

use self::{
    breaker::Breaker,
    pending::{After, Pending, Step},
    window::Window,
};
use crate::{
    approval::{Approved, Target},
    backup::BackupDir,
    cluster::{
        Cluster,
        delete::{Attempt, DeleteOptions, Trouble},
        list::Query,
    },
    error::Exit,
    job::Job,
    outcome::{Outcome, OutcomeCounts},
    plan::Plan,
    remaining::{End, Waited},
};

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
}

impl Report {
    /// How many of each outcome there are; they add up to the plan's purges.
    pub fn counts(&self) -> OutcomeCounts {
        self.outcomes.iter().collect()
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
}

/// Why some Jobs were not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedEarly {
    /// Somebody asked for it.
    Stopped(Stop),
    /// The server has not been there for a long time; what happened last.
    Unreachable(String),
}

/// Who asks the run to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT.
    Interrupt,
    /// SIGTERM, or the terminal went away.
    Terminate,
}

impl From<Stop> for Exit {
    /// What the process exits with when it was asked to stop.
    fn from(stop: Stop) -> Exit {
        match stop {
            Stop::Interrupt => Exit::Interrupted,
            Stop::Terminate => Exit::Terminated,
        }
    }
}

/// What happens during a purge, for whoever shows it.
#[derive(Debug)]
pub enum Event<'a> {
    /// A Job has its outcome.
    Settled {
        /// The Job.
        job: &'a Job,
        /// What became of it.
        outcome: &'a Outcome,
    },
    /// It waits before it tries a Job again.
    Waiting {
        /// The Job.
        job: &'a Job,
        /// For so long.
        delay: Duration,
        /// Why, as a fragment.
        why: &'a str,
    },
    /// It has been asked to stop; what is in flight will still finish.
    Stopping {
        /// How many deletes are in flight.
        in_flight: usize,
    },
}

/// How to carry a plan out.
#[derive(Debug, Clone)]
pub struct Orders {
    /// How deletes are sent.
    pub options: DeleteOptions,
    /// The most requests in flight.
    pub concurrency: usize,
    /// Where a Job's manifest is written before its delete leaves, if anywhere.
    pub backup: Option<BackupDir>,
    /// What was listed, so that a Job that is read again is held against it.
    pub query: Query,
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
    let mut outcomes: Vec<Option<Outcome>> = vec![None; approved.targets().len()];
    let mut untouched = approved.plan().purges().zip(approved.targets()).enumerate();
    // Jobs that have been asked about and are to be asked about again, now or after a while.
    let mut pending: HashMap<usize, Pending> = HashMap::new();
    let mut ready: VecDeque<usize> = VecDeque::new();
    let mut waiting = FuturesUnordered::new();
    let mut in_flight = FuturesUnordered::new();
    let mut window = Window::new(orders.concurrency);
    let mut breaker = Breaker::default();
    let mut ended_early = None;
    // Jobs that have been asked about and will not be any more.
    let mut left: Vec<(usize, Pending)> = Vec::new();

    loop {
        let asked_to_stop = || stop.borrow().map(EndedEarly::Stopped);
        ended_early = ended_early
            .or_else(asked_to_stop)
            .or_else(|| breaker.tripped());
        // A Job that waits keeps its place: a server that asks for less gets less.
        while ended_early.is_none() && in_flight.len() + waiting.len() < window.size() {
            if breaker.is_suspicious() && !in_flight.is_empty() {
                break;
            }
            let again = ready
                .pop_front()
                .and_then(|index| Some((index, pending.remove(&index)?)));
            let (index, next) = match again {
                Some((index, next)) if breaker.has_stopped(&next.job.namespace) => {
                    left.push((index, next));
                    continue;
                }
                Some(next) => next,
                None => match untouched.next() {
                    None => break,
                    Some((index, (job, Target::Settled(outcome)))) => {
                        on_event(Event::Settled { job, outcome });
                        outcomes[index] = Some((**outcome).clone());
                        continue;
                    }
                    Some((_, (job, _))) if breaker.has_stopped(&job.namespace) => continue,
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
            let approved = &approved;
            in_flight.push(async move {
                let attempt = next.attempt(cluster, orders, approved).await;
                (index, next, attempt)
            });
        }
        if in_flight.is_empty() && (ended_early.is_some() || waiting.is_empty()) {
            break;
        }
        tokio::select! {
            // Before anything else is looked at, so that no further delete starts.
            biased;
            Ok(()) = stop.changed(), if ended_early.is_none() => {
                on_event(Event::Stopping { in_flight: in_flight.len() });
            }
            Some((index, mut next, attempt)) = in_flight.next() => {
                let step = next.step;
                let answered = match &attempt {
                    Attempt::Again { trouble, why, .. } => {
                        if *trouble == Trouble::PushedBack {
                            window.shrink(step);
                        }
                        breaker.no_answer(step, *trouble, why, Instant::now());
                        false
                    }
                    _ => {
                        window.grow(step);
                        breaker.answered(step);
                        true
                    }
                };
                match next.after(attempt, &approved, orders) {
                    After::Settled(outcome) => {
                        if answered {
                            breaker.settled(index, &next.job.namespace, &next.job.name, &outcome);
                        }
                        on_event(Event::Settled { job: &next.job, outcome: &outcome });
                        outcomes[index] = Some(outcome);
                    }
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
    for (index, (_, target)) in untouched {
        if let Target::Settled(outcome) = target {
            outcomes[index] = Some((**outcome).clone());
        }
    }
    // What was tried without an answer has failed: nobody knows what came of it.
    for (index, pending) in pending.into_iter().chain(left) {
        if let Some(why) = pending.unanswered {
            let outcome = Outcome::Failed(why);
            on_event(Event::Settled {
                job: &pending.job,
                outcome: &outcome,
            });
            outcomes[index] = Some(outcome);
        }
    }
    drop((in_flight, waiting));
    let outcomes: Vec<Outcome> = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or(Outcome::NotAttempted))
        .collect();
    // With nothing left to try, nothing was cut short.
    if matches!(ended_early, Some(EndedEarly::Unreachable(_))) {
        ended_early = ended_early.filter(|_| outcomes.contains(&Outcome::NotAttempted));
    }
    let mut stopped = breaker.into_stopped();
    let purges = approved.plan().purges().zip(&outcomes);
    let cut_short: HashSet<&Arc<str>> = purges
        .filter(|(_, outcome)| **outcome == Outcome::NotAttempted)
        .map(|(job, _)| &job.namespace)
        .collect();
    stopped.retain(|namespace, _| cut_short.contains(namespace));
    Report {
        plan: approved.into_plan(),
        outcomes,
        ended_early,
        stopped,
        waited: None,
    }
}
