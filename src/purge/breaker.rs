//! When to stop because going on is no use: in one namespace, or altogether.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::attempt::Step;
use crate::{
    cluster::retry::Trouble,
    plan::report::{EndedEarly, Outcome},
};

/// After this many consecutive Jobs of the plan that were refused with the same words, the next one will be, too.
const SAME_REFUSAL_LIMIT: usize = 20;
/// After this many tries in a row without any answer, over at least [`UNREACHABLE_AFTER`], the server is not there.
const UNREACHABLE_TRIES: u32 = 20;
const UNREACHABLE_AFTER: Duration = Duration::from_secs(60);
/// A server that only ever asks to come again later is given this long.
const PUSHED_BACK_FOR: Duration = Duration::from_secs(300);

/// Notices that going on is no use.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Refusals by the Job's place in the plan, as hashes of their words. Refusals come faster than successes: the order
    /// of the answers would show a row that the plan does not have.
    refusals: HashMap<usize, u64>,
    hasher: RandomState,
    /// For each namespace, how many answers in a row were the same refusal, and its hash. Each by itself, since at the
    /// border of two namespaces the answers of both come in turns.
    rows: HashMap<Arc<str>, (u64, usize)>,
    /// The namespaces in which the same refusal came again and again, with its words.
    stopped: BTreeMap<Arc<str>, String>,
    /// For each step, how long it has had no answer. Each by itself: that Jobs can be read does not show that they can be
    /// deleted.
    silences: HashMap<Step, Silence>,
    unreachable: Option<String>,
}

/// Tries in a row without an answer.
#[derive(Debug)]
struct Silence {
    tries: u32,
    since: Instant,
}

impl Breaker {
    /// The server has answered what this step asks.
    pub(super) fn answered(&mut self, step: Step) {
        self.silences.remove(&step);
    }

    /// The server has refused to delete a Job, or has not; `place` is that of the Job in the plan.
    pub(super) fn settled(
        &mut self,
        place: usize,
        namespace: &Arc<str>,
        name: &str,
        outcome: &Outcome,
    ) {
        let Outcome::Failed(words) = outcome else {
            self.rows.remove(namespace);
            return;
        };
        // Refusals name the Job, so that no two are the same to the letter. What is refused in one namespace may be
        // allowed in the next.
        let words = words.replace(name, "…");
        let hash = self.hasher.hash_one((namespace, &words));
        let row = self.rows.entry(Arc::clone(namespace)).or_default();
        let length = if row.0 == hash { row.1 + 1 } else { 1 };
        *row = (hash, length);
        self.refusals.insert(place, hash);
        let same = |place: &usize| self.refusals.get(place) == Some(&hash);
        let before = (0..place).rev().take_while(same).count();
        let after = (place + 1..).take_while(same).count();
        if before + 1 + after >= SAME_REFUSAL_LIMIT {
            self.rows.remove(namespace);
            self.stopped.insert(Arc::clone(namespace), words);
        }
    }

    /// Whether refusals have come one after the other so often that those in flight should be heard before more is tried.
    pub(super) fn is_suspicious(&self) -> bool {
        let mut rows = self.rows.iter();
        rows.any(|(namespace, (_, length))| {
            *length >= SAME_REFUSAL_LIMIT && !self.has_stopped(namespace)
        })
    }

    /// A try had no answer that settles anything.
    pub(super) fn no_answer(&mut self, step: Step, trouble: Trouble, why: &str, now: Instant) {
        let limit = match trouble {
            Trouble::NotSent | Trouble::NoAnswer => UNREACHABLE_AFTER,
            // A server that pushes back is there, and may be busy with others.
            Trouble::PushedBack => PUSHED_BACK_FOR,
        };
        let silence = self.silences.entry(step).or_insert(Silence {
            tries: 0,
            since: now,
        });
        silence.tries += 1;
        if silence.tries >= UNREACHABLE_TRIES && now.duration_since(silence.since) >= limit {
            self.unreachable = Some(why.to_owned());
        }
    }

    /// Whether Jobs of this namespace are not tried any more.
    pub(super) fn has_stopped(&self, namespace: &str) -> bool {
        self.stopped.contains_key(namespace)
    }

    /// Why to stop altogether, if it is time to.
    pub(super) fn tripped(&self) -> Option<EndedEarly> {
        self.unreachable.clone().map(EndedEarly::Unreachable)
    }

    /// The namespaces in which it stopped, with the refusal that came again and again.
    pub(super) fn into_stopped(self) -> BTreeMap<Arc<str>, String> {
        self.stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it stops when each of these steps has no answer, a second each, for this long.
    fn ends(answers: &[Step], silent: Step, trouble: Trouble, seconds: u64) -> bool {
        let (mut breaker, begun) = (Breaker::default(), Instant::now());
        for second in 0..=seconds {
            for step in answers {
                breaker.answered(*step);
            }
            let now = begun + Duration::from_secs(second);
            breaker.no_answer(silent, trouble, "why", now);
        }
        breaker.tripped() == Some(EndedEarly::Unreachable("why".to_owned()))
    }

    #[test]
    fn a_server_that_is_away_is_given_up() {
        for trouble in [Trouble::NotSent, Trouble::NoAnswer] {
            assert!(!ends(&[], Step::Delete, trouble, 59));
            assert!(ends(&[], Step::Delete, trouble, 60));
        }
        assert!(!ends(&[], Step::Delete, Trouble::PushedBack, 299));
        assert!(ends(&[], Step::Delete, Trouble::PushedBack, 300));
    }

    #[test]
    fn that_jobs_can_be_read_does_not_show_that_they_can_be_deleted() {
        let reads = [Step::BackUp, Step::Reread];
        assert!(ends(&reads, Step::Delete, Trouble::PushedBack, 300));
        assert!(!ends(
            &[Step::Delete],
            Step::Delete,
            Trouble::PushedBack,
            300
        ));
    }

    #[test]
    fn refusals_of_two_namespaces_in_turns_are_heard_before_more_is_tried() {
        let namespaces: [Arc<str>; 2] = ["a".into(), "b".into()];
        let refused = Outcome::Failed("job is forbidden".to_owned());
        let mut breaker = Breaker::default();
        // Every third place has no answer yet, so that no row in the plan is long enough to stop.
        for number in 0..SAME_REFUSAL_LIMIT {
            assert!(!breaker.is_suspicious());
            for (namespace, first) in namespaces.iter().zip([0, 1_000]) {
                breaker.settled(first + number * 3 / 2, namespace, "job", &refused);
            }
        }
        assert!(breaker.is_suspicious());
        assert!(!namespaces.iter().any(|name| breaker.has_stopped(name)));
        for namespace in &namespaces {
            breaker.settled(0, namespace, "job", &Outcome::Deleted);
        }
        assert!(!breaker.is_suspicious());
    }
}
