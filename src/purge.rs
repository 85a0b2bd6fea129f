//! Carries a plan out: bounded, adaptive, cancellable.
//!
//! Every planned PURGE ends in exactly one [`Outcome`], on every path.

use std::{collections::VecDeque, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::watch;

use crate::{
    cluster::{
        Cluster,
        delete::{Attempt, DeleteOptions, Pressure},
    },
    error::Exit,
    job::Job,
    outcome::{Outcome, OutcomeCounts},
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

/// So many refusals with the same words in a row, and no success between, will not be followed by a success.
const SAME_REFUSAL_LIMIT: u32 = 20;
/// So many tries in a row without any answer, over at least [`UNREACHABLE_AFTER`], and the server is not there.
const UNREACHABLE_TRIES: u32 = 20;
const UNREACHABLE_AFTER: Duration = Duration::from_secs(60);

/// Delete every Job that the plan purges, with at most `concurrency` requests in flight.
///
/// A Job that fails does not keep the others from their turn. When `stop` becomes something, no new delete starts,
/// those in flight finish, and the rest is [`Outcome::NotAttempted`].
pub async fn purge(
    plan: Plan,
    cluster: &Cluster,
    options: DeleteOptions,
    concurrency: usize,
    mut stop: watch::Receiver<Option<Stop>>,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Report {
    let jobs: Vec<&Job> = plan.purges().collect();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; jobs.len()];
    let mut ready: VecDeque<(usize, Backoff)> = VecDeque::new();
    let mut untouched = 0..jobs.len();
    let mut in_flight = FuturesUnordered::new();
    let mut waiting = FuturesUnordered::new();
    let mut window = Window::new(concurrency);
    let mut breaker = Breaker::default();
    let mut ended_early = None;

    loop {
        if ended_early.is_none() {
            ended_early = breaker.tripped();
        }
        while ended_early.is_none() && in_flight.len() < window.size() {
            let next = ready.pop_front().or_else(|| {
                untouched
                    .next()
                    .map(|index| (index, Backoff::new(Tries::for_delete())))
            });
            let Some((index, backoff)) = next else { break };
            let delete = cluster.delete(jobs[index], options);
            in_flight.push(async move { (index, backoff, delete.await) });
        }
        if in_flight.is_empty() && (ended_early.is_some() || waiting.is_empty()) {
            break;
        }
        tokio::select! {
            Some((index, mut backoff, attempt)) = in_flight.next() => {
                let job = jobs[index];
                let outcome = match attempt {
                    Attempt::Settled(outcome) => {
                        window.grow();
                        breaker.settled(&outcome);
                        outcome
                    }
                    Attempt::Again { pressure, retry_after, why } => {
                        if pressure == Pressure::TooManyRequests {
                            window.shrink();
                        }
                        breaker.no_answer(pressure, &why);
                        match backoff.next_delay(retry_after) {
                            Some(delay) => {
                                on_event(Event::Waiting { job, delay, why: &why });
                                waiting.push(async move {
                                    tokio::time::sleep(delay).await;
                                    (index, backoff, why)
                                });
                                continue;
                            }
                            None => Outcome::Failed(why),
                        }
                    }
                };
                on_event(Event::Settled { job, outcome: &outcome });
                outcomes[index] = Some(outcome);
            }
            Some((index, backoff, _why)) = waiting.next(), if ended_early.is_none() => {
                ready.push_back((index, backoff));
            }
            Ok(()) = stop.changed(), if ended_early.is_none() => {
                ended_early = stop.borrow().map(EndedEarly::Stopped);
                on_event(Event::Stopping { in_flight: in_flight.len() });
            }
        }
    }
    drop((in_flight, waiting));
    let outcomes = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or(Outcome::NotAttempted))
        .collect();
    Report {
        plan,
        outcomes,
        ended_early,
    }
}

/// How many deletes may be in flight: halved when the server pushes back, grown by one for each window of successes.
#[derive(Debug)]
struct Window {
    limit: usize,
    size: usize,
    successes: usize,
    /// Answers still to come from the crowd that was pushed back; they are one push, not many.
    settling: usize,
}

impl Window {
    fn new(limit: usize) -> Window {
        Window {
            limit,
            size: limit,
            successes: 0,
            settling: 0,
        }
    }

    fn size(&self) -> usize {
        self.size
    }

    fn grow(&mut self) {
        self.settling = self.settling.saturating_sub(1);
        self.successes += 1;
        if self.successes >= self.size {
            self.successes = 0;
            self.size = (self.size + 1).min(self.limit);
        }
    }

    fn shrink(&mut self) {
        if self.settling > 0 {
            self.settling -= 1;
            return;
        }
        self.settling = self.size - 1;
        self.successes = 0;
        self.size = (self.size / 2).max(1);
    }
}

/// Notices that going on is no use.
#[derive(Debug, Default)]
struct Breaker {
    refusals: u32,
    last_refusal: String,
    unanswered: u32,
    unanswered_since: Option<std::time::Instant>,
    last_trouble: String,
}

impl Breaker {
    fn settled(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Failed(words) => {
                // Refusals name the Job, so that no two are the same to the letter.
                let same = without_quoted(words);
                self.refusals = if same == self.last_refusal {
                    self.refusals + 1
                } else {
                    1
                };
                self.last_refusal = same;
            }
            _ => self.refusals = 0,
        }
        self.unanswered = 0;
        self.unanswered_since = None;
    }

    fn no_answer(&mut self, pressure: Pressure, why: &str) {
        // A server that pushes back is there.
        if pressure == Pressure::TooManyRequests {
            self.unanswered = 0;
            self.unanswered_since = None;
            return;
        }
        self.unanswered += 1;
        self.unanswered_since
            .get_or_insert_with(std::time::Instant::now);
        why.clone_into(&mut self.last_trouble);
    }

    fn tripped(&self) -> Option<EndedEarly> {
        let long = self
            .unanswered_since
            .is_some_and(|since| since.elapsed() >= UNREACHABLE_AFTER);
        if self.refusals >= SAME_REFUSAL_LIMIT {
            Some(EndedEarly::SameRefusal(self.last_refusal.clone()))
        } else if self.unanswered >= UNREACHABLE_TRIES && long {
            Some(EndedEarly::Unreachable(self.last_trouble.clone()))
        } else {
            None
        }
    }
}

/// A message without what stands in quotes, which is where Kubernetes puts names.
fn without_quoted(message: &str) -> String {
    message
        .split('"')
        .enumerate()
        .map(|(index, part)| if index % 2 == 0 { part } else { "…" })
        .collect::<Vec<_>>()
        .join("\"")
}
