//! A check that nothing can break shows nothing: each is broken here.

use std::{collections::BTreeSet, thread};

use simulated::{invariants::Promise, mutations::Mutation, run::run};

/// Within this many seeds a mutation must be caught.
const SEEDS: u64 = 100_000;

/// How many seeds it took to see each of these promises broken by a mutation.
fn caught(mutation: Mutation, promises: &[Promise]) -> Vec<(Promise, u64)> {
    let mut seen = Vec::new();
    for seed in 0..SEEDS {
        if let Err(broken) = run(seed, Some(mutation))
            && promises.contains(&broken.promise)
            && seen.iter().all(|(promise, _)| *promise != broken.promise)
        {
            seen.push((broken.promise, seed + 1));
        }
        if seen.len() == promises.len() {
            break;
        }
    }
    seen
}

#[test]
fn every_mutation_is_caught() {
    let (first, second) = Mutation::ALL.split_at(Mutation::ALL.len() / 2);
    let all = |mutations: &'static [(Mutation, &'static [Promise])]| {
        thread::spawn(move || {
            for (mutation, promises) in mutations {
                let seen = caught(*mutation, promises);
                println!("{mutation:?}: {seen:?}");
                assert_eq!(
                    seen.len(),
                    promises.len(),
                    "{mutation:?} broke {seen:?} of {promises:?} in {SEEDS} seeds"
                );
            }
        })
    };
    for half in [all(first), all(second)] {
        half.join().unwrap();
    }
}

#[test]
fn every_promise_has_a_mutation_that_breaks_it() {
    let broken: BTreeSet<Promise> = Mutation::ALL
        .iter()
        .flat_map(|(_, promises)| *promises)
        .copied()
        .collect();
    assert_eq!(broken, BTreeSet::from(Promise::ALL));
}
