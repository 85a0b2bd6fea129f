//! Random tests: their seeds are printed, and can be given.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// More than this at once only wait for the processor.
const AT_ONCE: u64 = 8;

/// A number from the environment.
pub fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is not a number: {value}")))
}

/// Runs `holds` with this many seeds, several at a time, and fails with the seeds for which it panics.
#[track_caller]
pub fn at_once(runs: u64, holds: impl Fn(u64) + Sync) {
    let first = number("JOBCLEAN_TEST_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    println!("JOBCLEAN_TEST_SEED={first} for {runs} runs");
    let next = AtomicU64::new(0);
    let failed: Vec<u64> = thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            loop {
                let run = next.fetch_add(1, Ordering::Relaxed);
                if run >= runs {
                    return failed;
                }
                if catch_unwind(AssertUnwindSafe(|| holds(first + run))).is_err() {
                    failed.push(first + run);
                }
            }
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let failed = workers.into_iter().map(|worker| worker.join().unwrap());
        failed.flatten().collect()
    });
    assert!(
        failed.is_empty(),
        "{} of {runs} runs fail; each alone: JOBCLEAN_TEST_RUNS=1 JOBCLEAN_TEST_SEED={failed:?}",
        failed.len()
    );
}
