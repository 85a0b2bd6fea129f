//! When to stop because going on is no use.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use super::EndedEarly;
use crate::{cluster::delete::Trouble, job::Job, outcome::Outcome};

/// So many Jobs in a row of the plan refused with the same words will not be followed by a success.
const SAME_REFUSAL_LIMIT: usize = 20;
/// So many tries in a row without any answer, over at least [`UNREACHABLE_AFTER`], and the server is not there.
const UNREACHABLE_TRIES: u32 = 20;
const UNREACHABLE_AFTER: Duration = Duration::from_secs(60);
/// A server that only ever asks to come again later is given this long.
const PUSHED_BACK_FOR: Duration = Duration::from_secs(300);

/// Notices that going on is no use.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Refusals by the Job's place in the plan, as hashes of their words. Refusals come faster than successes: the order
    /// of the answers would show rows where there are none.
    refusals: HashMap<usize, u64>,
    hasher: RandomState,
    /// How many answers in a row were this same refusal.
    row: usize,
    row_of: u64,
    unanswered: u32,
    unanswered_since: Option<Instant>,
    tripped: Option<EndedEarly>,
}

impl Breaker {
    /// The server is there.
    pub(super) fn answered(&mut self) {
        self.unanswered = 0;
        self.unanswered_since = None;
    }

    /// The server has refused to delete a Job, or has not; `place` is that of the Job in the plan.
    pub(super) fn settled(&mut self, place: usize, job: &Job, outcome: &Outcome) {
        let Outcome::Failed(words) = outcome else {
            self.row = 0;
            return;
        };
        // Refusals name the Job, so that no two are the same to the letter.
        let words = words.replace(&*job.name, "…");
        let hash = self.hasher.hash_one(&words);
        self.row = if self.row_of == hash { self.row + 1 } else { 1 };
        self.row_of = hash;
        self.refusals.insert(place, hash);
        let same = |place: &usize| self.refusals.get(place) == Some(&hash);
        let before = (0..place).rev().take_while(same).count();
        let after = (place + 1..).take_while(same).count();
        if before + 1 + after >= SAME_REFUSAL_LIMIT {
            self.tripped = Some(EndedEarly::SameRefusal(words));
        }
    }

    /// Whether so many refusals have come one after the other that those in flight should be heard before more is tried.
    pub(super) fn is_suspicious(&self) -> bool {
        self.row >= SAME_REFUSAL_LIMIT
    }

    /// A try had no answer that settles anything.
    pub(super) fn no_answer(&mut self, trouble: Trouble, why: &str) {
        let limit = match trouble {
            Trouble::NotSent | Trouble::NoAnswer => UNREACHABLE_AFTER,
            // A server that pushes back is there, and may be busy with others.
            Trouble::PushedBack => PUSHED_BACK_FOR,
        };
        self.unanswered += 1;
        let since = self.unanswered_since.get_or_insert_with(Instant::now);
        if self.unanswered >= UNREACHABLE_TRIES && since.elapsed() >= limit {
            self.tripped = Some(EndedEarly::Unreachable(why.to_owned()));
        }
    }

    /// Why to stop, if it is time to.
    pub(super) fn tripped(&self) -> Option<EndedEarly> {
        self.tripped.clone()
    }
}
