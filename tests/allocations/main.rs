//! How often memory is asked for, and how much of it is kept, for each Job: counted, since that needs no clock.
//!
//! The bounds are a little above what is counted today. A change that goes beyond one of them has made every plan of a
//! large cluster slower or larger; one that stays far below should take the bound down with it.

#[path = "../../benches/support/mod.rs"]
mod support;

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use kubectl_jobclean::{plan::Plan, retention::Policy, wire};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counts are of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Enough that what is asked for once in a run does not show.
const JOBS: usize = 2_000;

/// What some work asked for.
struct Asked {
    allocations: f64,
    kept: f64,
}

/// Counts for each Job what a piece of work asks for while it runs, and what it keeps of that in its result.
fn counted<T>(work: impl FnOnce() -> T) -> (T, Asked) {
    let region = Region::new(ALLOCATOR);
    let result = work();
    let change = region.change();
    let for_each = |count: usize| count as f64 / JOBS as f64;
    let asked = Asked {
        allocations: for_each(change.allocations + change.reallocations),
        kept: for_each(
            change
                .bytes_allocated
                .saturating_sub(change.bytes_deallocated),
        ),
    };
    (result, asked)
}

#[track_caller]
fn at_most(what: &str, counted: f64, bound: f64) {
    println!("{what}: {counted:.2} for each Job, at most {bound}");
    assert!(
        counted <= bound,
        "{what}: {counted:.2} for each Job, more than {bound}"
    );
}

#[test]
fn allocations_for_each_job() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let pages = support::pages(JOBS, support::protobuf);
    let (jobs, asked) = counted(|| support::read(&pages));
    assert_eq!(jobs.len(), JOBS);
    at_most("decode protobuf and take in", asked.allocations, 41.5);

    let snapshot = support::snapshot(jobs);
    let (plan, asked) = counted(|| Plan::new(snapshot, &Policy::default()));
    at_most("group and judge", asked.allocations, 0.5);

    for (form, bound) in support::FORMS.into_iter().zip([20.0; 6]) {
        // As large as it will be: that it grows is not the renderer's doing.
        let mut out = Vec::with_capacity(JOBS * 1024);
        let ((), asked) = counted(|| support::render(form, &plan, &mut out));
        assert!(out.len() < out.capacity());
        at_most(&format!("render {form}"), asked.allocations, bound);
    }
}

#[test]
fn allocations_for_each_job_of_json() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let pages = support::pages(JOBS, support::json_text);
    let (_, asked) = counted(|| {
        for page in &pages {
            wire::decode_json(page).expect("a page");
        }
    });
    at_most("decode JSON", asked.allocations, 60.0);
}

#[test]
fn bytes_kept_for_each_job() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let pages = support::pages(JOBS, support::protobuf);
    let (plan, asked) = counted(|| support::plan(support::read(&pages)));
    assert_eq!(plan.summary().jobs, JOBS);
    at_most("bytes of a plan", asked.kept, 250.0);
}
