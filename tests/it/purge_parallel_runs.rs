//! It is killed, it is not alone, and others work on the same Jobs; the right ones stay all the same.
//!
//! `JOBCLEAN_TEST_SEED` and `JOBCLEAN_TEST_RUNS` as in `chaos`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::LINE;
use crate::support::account::account;
use crate::support::proxy::{Kind, Proxy, Reply};
use crate::support::random::{at_once, number};
use crate::support::running::{Gate, Running};
use crate::support::{ApiClient, LABEL, Space, jobs_of, outcomes, plane, until};

const ARGS: [&str; 4] = ["--yes", "--cascade=background", "-o", "json"];
const GROUPS: [&str; 3] = ["a", "b", "c"];
/// Of each group; the one of number 0 is the newest.
const JOBS: i64 = 8;

fn groups() -> Space {
    let space = Space::new();
    let jobs: Vec<_> = GROUPS
        .iter()
        .flat_map(|group| (0..JOBS).map(move |number| (group, number)))
        .map(|(group, number)| space.job(group, &format!("{group}-{number}"), number + 1))
        .collect();
    space.seed(&jobs);
    space
}

const NEWEST: [&str; 3] = ["a-0", "b-0", "c-0"];

/// A way to the server on which each delete takes a little, as it does with a real one.
fn slow(seed: u64, gate: Option<&Gate>) -> Proxy {
    let turnstile = gate.map(Gate::turnstile);
    Proxy::new(ApiClient::admin(plane()), move |request, up| {
        if request.kind == Kind::Delete {
            if let Some(turnstile) = &turnstile {
                turnstile.pass();
            }
            let mut dice = Rng::with_seed(seed.wrapping_add(request.nth as u64));
            thread::sleep(Duration::from_millis(dice.u64(0..15)));
        }
        up.pass(request)
    })
}

#[test]
fn killed_at_any_moment_and_run_again_it_comes_to_the_same() {
    at_once(number("JOBCLEAN_TEST_RUNS").unwrap_or(10), |seed| {
        let space = groups();
        let mut dice = Rng::with_seed(seed);
        let moment = dice.usize(1..20);
        let proxy = slow(seed, None);
        let concurrency = format!("--concurrency={}", dice.u8(1..8));
        let args = [&ARGS[..], &[&concurrency]].concat();
        let mut running = Running::start(proxy.tool_over(LINE, &space.name, &args));
        until("the moment has come", || {
            proxy.count(Kind::Delete) >= moment
        });
        if !running.has_ended() {
            running.signal(Signal::KILL);
        }
        running.finish();
        // Whatever it had sent by then, the newest were not among it.
        assert!(NEWEST.iter().all(|name| space.names().contains(*name)));
        space.run(&ARGS).exits(0);
        space.holds(&NEWEST);
    });
}

/// Both have the same plan when the first delete leaves.
#[test]
fn two_at_once_share_the_work() {
    at_once(number("JOBCLEAN_TEST_RUNS").unwrap_or(4), |seed| {
        let (space, gate) = (groups(), Gate::new());
        let proxies = [seed, seed + 1].map(|seed| slow(seed, Some(&gate)));
        let both = proxies
            .each_ref()
            .map(|proxy| Running::start(proxy.tool_over(LINE, &space.name, &ARGS)));
        until("both have a plan", || {
            proxies.iter().all(|proxy| proxy.count(Kind::Delete) > 0)
        });
        gate.open();
        let reports = both.map(|running| running.finish().exits(0).json());
        space.holds(&NEWEST);
        let left = proxies[0].upstream().jobs(&space.name);
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for report in &reports {
            account(report, &left);
            for line in outcomes(report) {
                let (name, outcome) = line.split_once(' ').unwrap();
                told.entry(name.to_owned())
                    .or_default()
                    .push(outcome.to_owned());
            }
        }
        assert_eq!(told.len(), 21);
        for (name, mut outcomes) in told {
            outcomes.sort();
            assert_eq!(outcomes, ["deleted", "gone"], "{name}");
        }
    });
}

/// What another client did while the tool ran.
#[derive(Default)]
struct Deeds {
    made: BTreeSet<String>,
    deleted: BTreeSet<String>,
    protected: BTreeSet<String>,
}

/// Make, delete, touch, relabel and protect Jobs as another client until the tool has ended.
fn another_client(space: &Space, seed: u64, until_ended: impl Fn() -> bool) -> Deeds {
    let (mut dice, admin) = (Rng::with_seed(seed), ApiClient::admin(plane()));
    let (mut deeds, mut number) = (Deeds::default(), 0);
    while !until_ended() && number < 60 {
        number += 1;
        let group = *dice.choice(&GROUPS).unwrap();
        let name = format!("{group}-{}", dice.i64(0..JOBS));
        let target = format!("{}/{name}", space.path());
        let patch = |patch: Value| admin.ask("PATCH", &target, Some(&patch)).0 == 200;
        match dice.u8(0..8) {
            0 | 1 => {
                let name = format!("{group}-{}", 1000 + number);
                admin.create_job(&space.name, &name, group);
                deeds.made.insert(name);
            }
            2 if !deeds.protected.contains(&name) => {
                if admin.delete_job(&space.name, &name) {
                    deeds.deleted.insert(name);
                }
            }
            3 => {
                if patch(json!({"metadata": {"annotations": {"jobclean/keep": "true"}}})) {
                    deeds.protected.insert(name);
                }
            }
            4 => {
                if patch(json!({"metadata": {"labels": {LABEL: format!("other-{number}")}}})) {
                    // A run that planned to purge it in its old group may not do so now.
                    deeds.protected.insert(name);
                }
            }
            _ => {
                patch(json!({"metadata": {"annotations": {"touched": number.to_string()}}}));
            }
        }
    }
    deeds
}

#[test]
fn whatever_others_do_the_right_ones_stay() {
    at_once(number("JOBCLEAN_TEST_RUNS").unwrap_or(16), |seed| {
        let space = groups();
        let gate = Gate::new();
        let turnstile = gate.turnstile();
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
            if request.kind == Kind::Delete {
                turnstile.pass();
                let mut dice = Rng::with_seed(seed.wrapping_add(request.nth as u64));
                thread::sleep(Duration::from_millis(dice.u64(0..40)));
                let real = up.pass(request);
                return match dice.u8(0..8) {
                    0 => Reply::reset(),
                    _ => real,
                };
            }
            up.pass(request)
        });
        let args = [&ARGS[..], &["--concurrency=2"]].concat();
        let running = RefCell::new(Running::start(proxy.tool_over(LINE, &space.name, &args)));
        until("it has a plan", || proxy.count(Kind::Delete) > 0);
        gate.open();
        let deeds = another_client(&space, seed, || running.borrow_mut().has_ended());
        let report = running.into_inner().finish().exits(0).json();
        is_right(&report, &deeds, &proxy.upstream().jobs(&space.name));
    });
}

/// Holds a report against what is left and what the other client did.
fn is_right(report: &Value, deeds: &Deeds, left: &BTreeMap<String, String>) {
    assert_eq!(outcomes(report).len() as i64, 3 * (JOBS - 1));
    for job in jobs_of(report) {
        let name = job["name"].as_str().unwrap();
        let (is_there, by_other) = (left.contains_key(name), deeds.deleted.contains(name));
        let is_right = match job["outcome"].as_str() {
            None | Some("changed") => is_there != by_other,
            Some("deleted") => !is_there,
            Some("gone") => !is_there && by_other,
            Some(_) => false,
        };
        assert!(
            is_right,
            "there: {is_there}, by another client: {by_other}, but {job}"
        );
        assert!(!is_there || !by_other, "{job}");
    }
    for name in deeds.made.iter().chain(&deeds.protected) {
        assert!(left.contains_key(name), "{name} was not to go: {report:#}");
    }
}
