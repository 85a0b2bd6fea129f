//! Many runs, spread over the cores.

use std::{
    any::Any,
    collections::BTreeMap,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use crate::{
    invariants::{Broken, Promise},
    run::run,
    world::Counts,
};

/// How many runs there are, and which seed is run alone.
pub const RUNS: &str = "JOBCLEAN_SIMULATED_RUNS";
pub const SEED: &str = "JOBCLEAN_SIMULATED_SEED";

/// This many failures are enough.
const ENOUGH: usize = 8;

/// A number from the environment.
pub fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    let number = value.replace('_', "").parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is not a number: {value}")))
}

/// A run that does not hold what was promised; a panic is one.
pub fn holds(seed: u64) -> Result<Counts, Broken> {
    let caught = catch_unwind(AssertUnwindSafe(|| run(seed, None)));
    caught.unwrap_or_else(|panic| Err(Broken::new(Promise::Ends, words(&*panic))))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.unwrap_or_default())
}

/// Run these seeds on all cores; what happened, and which seeds failed, with the words.
pub fn all(first: u64, runs: u64) -> (Counts, BTreeMap<u64, Broken>) {
    let (next, begun) = (AtomicU64::new(0), Instant::now());
    let (counts, failed) = (Mutex::new(Counts::new()), Mutex::new(BTreeMap::new()));
    let work = || {
        let mut own = Counts::new();
        loop {
            let seed = first + next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + runs || failed.lock().unwrap().len() >= ENOUGH {
                break;
            }
            match holds(seed) {
                Ok(of_run) => add(&mut own, of_run),
                Err(broken) => drop(failed.lock().unwrap().insert(seed, broken)),
            }
        }
        add(&mut counts.lock().unwrap(), own);
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
    println!("{runs} runs in {:.1} s", begun.elapsed().as_secs_f64());
    (counts.into_inner().unwrap(), failed.into_inner().unwrap())
}

fn add(counts: &mut Counts, more: Counts) {
    for (what, count) in more {
        *counts.entry(what).or_default() += count;
    }
}
