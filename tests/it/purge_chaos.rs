//! Everything goes wrong at random, and in the end the cluster is what the report says.
//!
//! `JOBCLEAN_TEST_SEED` repeats the runs of a seed that a failure printed, `JOBCLEAN_TEST_RUNS` makes more of them.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::LINE;
use crate::support::account::account;
use crate::support::files::{Files, arg};
use crate::support::journals::{adds_up, lines};
use crate::support::proxy::{Kind, Proxy, Reply, Request};
use crate::support::random::{at_once, number};
use crate::support::{ApiClient, Run, Space, outcomes, plane, run};

/// Of each of the two groups.
const JOBS: i64 = 6;

/// What becomes of a request about a Job follows from the run's seed and what it asks for the how many-th time, not from
/// the order in which requests come. Pages come one after the other, and their tokens differ from run to run.
fn dice(seed: u64, request: &Request) -> Rng {
    let mut hasher = DefaultHasher::new();
    let what = match request.kind {
        Kind::Delete | Kind::Reread => (request.name(), request.again),
        _ => (String::new(), request.nth),
    };
    (seed, request.kind as usize, what).hash(&mut hasher);
    Rng::with_seed(hasher.finish())
}

fn fault(dice: &mut Rng, request: &Request, up: &ApiClient) -> Reply {
    let status = *dice.choice(&[429, 500, 502, 503, 504]).unwrap();
    let refusal = match dice.bool() {
        true => Reply::refusal(status, "Trouble", "at random"),
        false => Reply::new(status, Vec::new(), b"at random".to_vec()),
    };
    let refusal = match dice.u8(0..4) {
        0 => refusal.header("retry-after", 0),
        1 => refusal.header("retry-after", "never"),
        _ => refusal,
    };
    if dice.bool() {
        // Before the server sees it.
        return match dice.u8(0..8) {
            0 => Reply::hung_up(),
            1 => Reply::refused(),
            2 | 3 => Reply::reset(),
            _ => refusal,
        };
    }
    let mut real = up.pass(request);
    let part = dice.usize(0..real.body.len().max(1));
    match dice.u8(0..14) {
        0..=2 => Reply::reset(),
        3 => Reply::hung_up(),
        4..=6 => refusal,
        7 => real.cut(part),
        8 => real.taken_back(part),
        9 => real.ends_at(part),
        10 => real.stalls(part),
        11 | 12 => real.last(),
        _ => {
            real.body.reverse();
            real
        }
    }
}

/// One run with faults of this seed.
fn purge(seed: u64, journal: &Path) -> (Space, Proxy, Run) {
    let space = Space::new();
    let jobs: Vec<_> = (0..JOBS)
        .flat_map(|age| {
            [("g", "sync"), ("h", "other")]
                .map(|(group, name)| space.job(group, &format!("{name}-{age}"), age + 1))
        })
        .collect();
    space.seed(&jobs);
    let mut of_run = Rng::with_seed(seed);
    let how_often = of_run.f64() * 0.5;
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        let mut dice = dice(seed, request);
        if dice.u8(0..4) == 0 {
            thread::sleep(Duration::from_millis(dice.u64(0..30)));
        }
        match request.kind != Kind::Other && dice.f64() < how_often {
            true => fault(&mut dice, request, up),
            false => up.pass(request),
        }
    });
    let chunk = format!("--chunk-size={}", of_run.choice([0, 1, 5, 500]).unwrap());
    let concurrency = format!("--concurrency={}", of_run.u32(1..12));
    let cascade = ["background", "background", "foreground"][of_run.usize(0..3)];
    let cascade = format!("--cascade={cascade}");
    let mut args = vec![
        "--yes",
        "--request-timeout=1s",
        "-o",
        "json",
        &chunk,
        &concurrency,
        &cascade,
    ];
    if of_run.bool() {
        args.extend(["--journal", arg(journal)]);
    }
    let run = run(proxy.tool_over(LINE, &space.name, &args));
    (space, proxy, run)
}

fn holds(seed: u64) {
    let files = Files::new();
    let journal = files.path("journal");
    let (space, proxy, run) = purge(seed, &journal);
    let left = proxy.upstream().settled_jobs(&space.name);
    match run.code {
        Some(1) => {
            assert_eq!(run.out, "", "{}", run.story());
            assert_eq!(proxy.count(Kind::Delete), 0, "{}", run.story());
            assert_eq!(left.len() as i64, 2 * JOBS);
            assert!(fs::read_to_string(journal).unwrap_or_default().is_empty());
        }
        Some(code @ (0 | 3)) => {
            let report = run.json();
            assert_eq!(
                report["summary"]["purge"],
                2 * (JOBS - 1),
                "{}",
                run.story()
            );
            account(&report, &left);
            if journal.exists() {
                adds_up(&lines(&journal), &report, code);
            }
            for line in outcomes(&report) {
                let (name, outcome) = line.split_once(' ').unwrap();
                assert!(
                    outcome != "terminating" || !left.contains_key(name),
                    "{line}"
                );
            }
            let incomplete = outcomes(&report)
                .iter()
                .any(|line| line.ends_with("failed") || line.ends_with("not-attempted"));
            assert_eq!(incomplete, code == 3, "{}", run.story());
        }
        _ => panic!("{}", run.story()),
    }
}

#[test]
fn whatever_the_network_does_the_report_is_true() {
    let runs = number("JOBCLEAN_TEST_RUNS").unwrap_or(40);
    at_once(runs, holds);
}
