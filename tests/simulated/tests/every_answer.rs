//! Every planned PURGE has one outcome, and that is true: not in drawn runs, but in every way that the purge of one or two
//! Jobs can go, as far as their first requests.

use std::{collections::BTreeSet, time::Instant};

use kubectl_jobclean::{plan::report::Outcome, purge::Cascade};
use simulated::{
    exhaust::Runs,
    script::{DELETES, KINDS_OF_DELETES, KINDS_OF_READS, READS, Scope},
};

/// Everything that can be answered to the first three requests.
const ALL: Scope = Scope {
    requests: 3,
    deletes: DELETES,
    reads: READS,
    acts: 0,
    stops: false,
};
/// An answer of each kind.
const KINDS: Scope = Scope {
    deletes: KINDS_OF_DELETES,
    reads: KINDS_OF_READS,
    ..ALL
};
const ONE: Runs = Runs {
    purges: 1,
    concurrency: 1,
    cascade: Cascade::Background,
    is_dry: false,
    includes_active: false,
    acts_before: false,
    scope: ALL,
};
const TWO: Runs = Runs { purges: 2, ..ONE };
/// With these, what becomes of the Pods depends on whether the Job runs.
const AUTO: Runs = Runs {
    cascade: Cascade::Auto,
    includes_active: true,
    ..ONE
};
const FOREGROUND: Runs = Runs {
    cascade: Cascade::Foreground,
    ..ONE
};
const DRY: Runs = Runs {
    is_dry: true,
    ..ONE
};

/// Do all of these, and see that there are as many as there were: what is not tried any more shows nothing.
fn every(runs: &[(Runs, u64)], words: &[&str]) {
    let begun = Instant::now();
    let (mut found, mut all, mut seen) = (Vec::new(), 0, BTreeSet::new());
    for (runs, _) in runs {
        let tally = runs.all();
        println!("{} runs of {runs:?}: {:?}", tally.runs, tally.outcomes);
        found.push(tally.runs);
        all += tally.runs;
        seen.extend(tally.outcomes.into_keys());
    }
    println!("{all} runs in {:.1} s", begun.elapsed().as_secs_f64());
    let expected: Vec<u64> = runs.iter().map(|(_, count)| *count).collect();
    assert_eq!(
        found, expected,
        "if the tool asks more or less than before on purpose, write down the new numbers"
    );
    assert_eq!(seen, words.iter().copied().collect());
}

/// Whatever is answered.
#[test]
fn one_purge_has_one_true_outcome_whatever_is_answered() {
    let two = Scope {
        requests: 2,
        stops: true,
        ..ALL
    };
    let others_act = Scope {
        requests: 2,
        acts: 1,
        ..ALL
    };
    let others_act_before = Runs {
        acts_before: true,
        scope: Scope {
            requests: 1,
            acts: 1,
            ..two
        },
        ..ONE
    };
    every(
        &[
            (ONE, 67_661),
            (ONE.within(two), 6_424),
            (AUTO.within(two), 6_424),
            (FOREGROUND.within(two), 6_538),
            (DRY.within(two), 6_424),
            (ONE.within(others_act), 27_036),
            (others_act_before, 2_117),
        ],
        &Outcome::WORDS[..7],
    );
}

/// Whatever others do, and whenever the run is asked to stop.
#[test]
fn one_purge_has_one_true_outcome_whatever_others_do() {
    let twice = Scope { acts: 2, ..KINDS };
    let once = Scope {
        acts: 1,
        stops: true,
        ..KINDS
    };
    let two = Scope {
        requests: 2,
        stops: true,
        ..twice
    };
    every(
        &[
            (ONE.within(twice), 80_625),
            (ONE.within(once), 35_951),
            (ONE.within(two), 16_955),
            (AUTO.within(two), 16_955),
            (FOREGROUND.within(two), 17_115),
            (DRY.within(two), 17_585),
        ],
        &Outcome::WORDS[..7],
    );
}

/// Whichever of them is answered first, and whatever.
#[test]
fn two_purges_have_one_true_outcome_each() {
    let mut runs = Vec::new();
    for (concurrency, counts) in [(1, [10_785, 22_877, 7_259]), (2, [15_680, 23_267, 10_285])] {
        let stops = Scope { stops: true, ..ALL };
        let first = Scope {
            requests: 1,
            ..stops
        };
        let kinds = Scope {
            requests: 2,
            stops: true,
            ..KINDS
        };
        let others_act = Scope {
            requests: 1,
            acts: 1,
            ..kinds
        };
        for (scope, count) in [first, kinds, others_act].into_iter().zip(counts) {
            let of_scope = Runs {
                concurrency,
                scope,
                ..TWO
            };
            runs.push((of_scope, count));
        }
    }
    let is_dry = |word: &&str| *word == "would-delete";
    let words = Outcome::WORDS[..7].iter().filter(|word| !is_dry(word));
    every(&runs, &words.copied().collect::<Vec<_>>());
}
