//! Carries a plan out: bounded, adaptive, cancellable.
//!
//! Every planned PURGE ends in exactly one [`Outcome`], on every path.

mod breaker;
mod window;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::watch;

use self::{breaker::Breaker, window::Window};
use crate::{
    approval::{Approved, Rejudged, Reread, Target},
    backup::BackupDir,
    cluster::{
        Cluster,
        delete::{Attempt, DeleteOptions, Pressure},
        list::Query,
    },
    error::{Exit, io_words},
    job::{Deletion, Job},
    outcome::{Change, Outcome, OutcomeCounts},
    plan::Plan,
    retry::{Backoff, Tries},
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
}

impl Report {
    /// How many of each outcome there are; they add up to the plan's purges.
    pub fn counts(&self) -> OutcomeCounts {
        self.outcomes.iter().collect()
    }

    /// What the process exits with for it.
    pub fn exit(&self) -> Exit {
        match self.ended_early {
            Some(EndedEarly::Stopped(Stop::Interrupt)) => Exit::Interrupted,
            Some(EndedEarly::Stopped(Stop::Terminate)) => Exit::Terminated,
            _ if self.outcomes.iter().any(Outcome::is_failure) => Exit::Incomplete,
            _ => Exit::Success,
        }
    }
}

/// Why some Jobs were not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedEarly {
    /// Somebody asked for it.
    Stopped(Stop),
    /// The same refusal came again and again; its words.
    SameRefusal(String),
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

impl Orders {
    fn first_step(&self) -> Step {
        match self.backup {
            Some(_) => Step::BackUp,
            None => Step::Delete,
        }
    }
}

/// So many conflicts on one Job, each after a fresh reading of it, and it is left alone.
const MAX_CONFLICTS: u32 = 5;

/// A Job on its way to its outcome.
struct Pending {
    job: Job,
    step: Step,
    backoff: Backoff,
    /// What the last try without an answer came to. The delete may have taken effect all the same.
    unanswered: Option<String>,
    conflicts: u32,
}

/// What is to be asked next about a Job.
#[derive(Clone, Copy)]
enum Step {
    /// What it is now, whole, to be written down.
    BackUp,
    /// To delete it.
    Delete,
    /// What it is now.
    Reread,
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

    loop {
        ended_early = ended_early.or_else(|| breaker.tripped());
        while ended_early.is_none() && in_flight.len() < window.size() {
            let again = ready
                .pop_front()
                .and_then(|index| Some((index, pending.remove(&index)?)));
            let (index, next) = match again {
                Some(next) => next,
                None => match untouched.next() {
                    None => break,
                    Some((index, (job, Target::Settled(outcome)))) => {
                        on_event(Event::Settled { job, outcome });
                        outcomes[index] = Some(outcome.clone());
                        continue;
                    }
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
            Some((index, mut next, attempt)) = in_flight.next() => {
                let answered = !matches!(attempt, Attempt::Again { .. });
                match &attempt {
                    Attempt::Again { pressure, why, .. } => {
                        if *pressure == Pressure::TooManyRequests {
                            window.shrink();
                        }
                        breaker.no_answer(*pressure, why);
                    }
                    _ => {
                        window.grow();
                        breaker.answered();
                    }
                }
                match next.after(attempt, &approved, orders) {
                    After::Settled(outcome) => {
                        if answered {
                            breaker.settled(index, &next.job, &outcome);
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
            Ok(()) = stop.changed(), if ended_early.is_none() => {
                ended_early = stop.borrow().map(EndedEarly::Stopped);
                on_event(Event::Stopping { in_flight: in_flight.len() });
            }
        }
    }
    drop((in_flight, waiting, untouched));
    let outcomes = outcomes
        .into_iter()
        .enumerate()
        .map(|(index, outcome)| {
            let mut unanswered = || pending.remove(&index)?.unanswered;
            // What was tried without an answer has failed: nobody knows what came of it.
            outcome
                .or_else(|| unanswered().map(Outcome::Failed))
                .unwrap_or(Outcome::NotAttempted)
        })
        .collect();
    Report {
        plan: approved.into_plan(),
        outcomes,
        ended_early,
    }
}

/// What a try leads to.
enum After {
    /// This is what became of the Job.
    Settled(Outcome),
    /// There is more to ask at once.
    Now,
    /// It is to be asked again after a while.
    Wait { delay: Duration, why: String },
}

impl Pending {
    fn new(job: &Job, step: Step) -> Pending {
        Pending {
            job: job.clone(),
            step,
            backoff: Backoff::new(Tries::for_delete()),
            unanswered: None,
            conflicts: 0,
        }
    }

    /// Ask what is to be asked next.
    async fn attempt(&self, cluster: &Cluster, orders: &Orders, approved: &Approved) -> Attempt {
        match (self.step, &orders.backup) {
            (Step::Delete, _) | (Step::BackUp, None) => {
                cluster.delete(&self.job, orders.options).await
            }
            (Step::Reread, _) => match cluster.reread(&self.job, &orders.query).await {
                Ok(reread) => Attempt::Reread(Box::new(reread)),
                Err(attempt) => attempt,
            },
            (Step::BackUp, Some(dir)) => match cluster.reread_whole(&self.job, &orders.query).await
            {
                Err(attempt) => attempt,
                Ok((reread, manifest)) => match approved.rejudge(&self.job, reread.clone()) {
                    Rejudged::Delete(job) => back_up(dir.clone(), job, manifest).await,
                    Rejudged::Settled(_) => Attempt::Reread(Box::new(reread)),
                },
            },
        }
    }

    fn after(&mut self, attempt: Attempt, approved: &Approved, orders: &Orders) -> After {
        match attempt {
            Attempt::Settled(outcome) => After::Settled(self.own(outcome, Outcome::Deleted)),
            Attempt::BackedUp(job) => {
                self.job = *job;
                self.step = Step::Delete;
                After::Now
            }
            Attempt::Conflict => {
                self.conflicts += 1;
                self.step = Step::Reread;
                match self.conflicts > MAX_CONFLICTS {
                    true => After::Settled(Outcome::Changed(Change::Restless)),
                    false => After::Now,
                }
            }
            Attempt::Reread(reread) => {
                let own = match &*reread {
                    Reread::Found(job) if job.deletion == Deletion::Requested => {
                        Outcome::Terminating
                    }
                    _ => Outcome::Deleted,
                };
                match approved.rejudge(&self.job, *reread) {
                    Rejudged::Delete(job) => {
                        self.job = job;
                        self.step = orders.first_step();
                        After::Now
                    }
                    Rejudged::Settled(outcome) => After::Settled(self.own(outcome, own)),
                }
            }
            Attempt::Again {
                pressure,
                retry_after,
                why,
            } => {
                // A server that pushes back has not done it.
                if pressure == Pressure::None && matches!(self.step, Step::Delete) {
                    self.unanswered = Some(why.clone());
                }
                match self.backoff.next_delay(retry_after) {
                    Some(delay) => After::Wait { delay, why },
                    None => After::Settled(Outcome::Failed(why)),
                }
            }
        }
    }

    /// If an earlier try had no answer, it was most likely ours that took effect, and nobody else's.
    fn own(&self, outcome: Outcome, own: Outcome) -> Outcome {
        match outcome {
            Outcome::Gone if self.unanswered.is_some() => own,
            outcome => outcome,
        }
    }
}

/// Write a manifest down, off the threads that wait for the network.
async fn back_up(dir: BackupDir, job: Job, manifest: serde_json::Value) -> Attempt {
    let written = tokio::task::spawn_blocking(move || {
        let written = dir.write(&job.namespace, &job.name, &job.uid.to_string(), manifest);
        (job, written)
    });
    match written.await {
        Ok((job, Ok(()))) => Attempt::BackedUp(Box::new(job)),
        Ok((_, Err(error))) => Attempt::Settled(Outcome::Failed(format!(
            "it was not deleted, since it could not be backed up: {}",
            io_words(&error)
        ))),
        Err(_) => Attempt::Settled(Outcome::Failed(
            "it was not deleted, since its backup broke off".to_owned(),
        )),
    }
}
