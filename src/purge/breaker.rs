//! When to stop because going on is no use.

use std::time::{Duration, Instant};

use super::EndedEarly;
use crate::{cluster::delete::Pressure, job::Job, outcome::Outcome};

/// So many refusals with the same words in a row, and no success between, will not be followed by a success.
const SAME_REFUSAL_LIMIT: u32 = 20;
/// So many tries in a row without any answer, over at least [`UNREACHABLE_AFTER`], and the server is not there.
const UNREACHABLE_TRIES: u32 = 20;
const UNREACHABLE_AFTER: Duration = Duration::from_secs(60);

/// Notices that going on is no use.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    refusals: u32,
    last_refusal: String,
    unanswered: u32,
    unanswered_since: Option<Instant>,
    last_trouble: String,
}

impl Breaker {
    pub(super) fn settled(&mut self, job: &Job, outcome: &Outcome) {
        match outcome {
            Outcome::Failed(words) => {
                // Refusals name the Job, so that no two are the same to the letter.
                let same = words.replace(&*job.name, "…");
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

    pub(super) fn no_answer(&mut self, pressure: Pressure, why: &str) {
        // A server that pushes back is there.
        if pressure == Pressure::TooManyRequests {
            self.unanswered = 0;
            self.unanswered_since = None;
            return;
        }
        self.unanswered += 1;
        self.unanswered_since.get_or_insert_with(Instant::now);
        why.clone_into(&mut self.last_trouble);
    }

    pub(super) fn tripped(&self) -> Option<EndedEarly> {
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
