//! How often memory is asked for, and how much of it is kept, for each Job: counted, since that needs no clock.
//!
//! The bounds are a little above what is counted today. A change that goes beyond one of them has made every plan of a
//! large cluster slower or larger; one that stays far below should take the bound down with it.

#[path = "../../benches/support/mod.rs"]
mod support;

use std::alloc::System;
use std::sync::{LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use kubectl_jobclean::{
    decode,
    job::query::Sink as _,
    plan::{Plan, recheck::Recheck, retention::Policy},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counts are of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Enough that what is asked for once in a run does not show.
const JOBS: usize = 2_000;

static PAGES: LazyLock<Vec<Bytes>> = LazyLock::new(|| support::pages(JOBS, support::protobuf));

/// Allocations for each Job: to decode a page of protobuf and take its Jobs in, to decode one of JSON, to read a file, to group and judge,
/// and to render in each of [`support::FORMS`].
const READ: f64 = 6.5;
const DECODE_JSON: f64 = 4.3;
const READ_FILE: f64 = 6.6;
const DECIDE: f64 = 0.8;
const RENDER: [f64; 6] = [48.0, 95.0, 4.5, 4.4, 15.0, 0.1];
/// Bytes for each Job that a plan holds once it is made.
const KEPT: f64 = 118.0;
/// The same while a second list of the same Jobs is held against it, and what each then takes more until it is deleted.
const RECHECKED: f64 = 120.0;
const APPROVED: f64 = 15.0;

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

/// Shows what was counted, all of it, and fails if any of it is above its bound.
#[track_caller]
fn at_most(counts: &[(String, f64, f64)]) {
    for (what, counted, bound) in counts {
        println!("{what}: {counted:.2} for each Job, at most {bound}");
    }
    let above: Vec<_> = counts
        .iter()
        .filter(|(_, counted, bound)| counted > bound)
        .collect();
    assert!(above.is_empty(), "above the bound: {above:?}");
}

#[test]
fn allocations_for_each_job() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let pages = &*PAGES;
    let (jobs, asked) = counted(|| support::read(pages));
    assert_eq!(jobs.len(), JOBS);
    let mut counts = vec![("read protobuf".to_owned(), asked.allocations, READ)];

    let snapshot = support::snapshot(jobs);
    let (plan, asked) = counted(|| Plan::new(snapshot, &Policy::default()));
    counts.push(("group and judge".to_owned(), asked.allocations, DECIDE));

    for (form, bound) in support::FORMS.into_iter().zip(RENDER) {
        // As large as it will be: that it grows is not the renderer's doing.
        let mut out = Vec::with_capacity(JOBS * 1024);
        let ((), asked) = counted(|| support::render(form, &plan, &mut out));
        assert!(out.len() < out.capacity());
        counts.push((format!("render {form}"), asked.allocations, bound));
    }
    at_most(&counts);
}

#[test]
fn allocations_for_each_job_of_json() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let pages = support::pages(JOBS, support::json_text);
    let (_, asked) = counted(|| {
        for page in &pages {
            decode::decode_json(page).expect("a page");
        }
    });
    at_most(&[("decode JSON".to_owned(), asked.allocations, DECODE_JSON)]);
}

#[test]
fn allocations_for_each_job_of_a_file() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = support::file(JOBS);
    let (jobs, asked) = counted(|| support::read_file(&text));
    assert_eq!(jobs.len(), JOBS);
    at_most(&[("read a file".to_owned(), asked.allocations, READ_FILE)]);
}

#[test]
fn bytes_kept_for_each_job() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let pages = &*PAGES;
    let (plan, asked) = counted(|| support::plan(support::read(pages)));
    assert_eq!(plan.summary().jobs, JOBS);
    at_most(&[("bytes of a plan".to_owned(), asked.kept, KEPT)]);

    let (recheck, before) = counted(|| {
        let mut recheck = Recheck::new(support::plan(support::read(pages)));
        // As they come: a page at a time, of which nothing is to stay.
        for page in pages {
            for job in support::read(std::slice::from_ref(page)) {
                recheck.take(job);
            }
        }
        recheck
    });
    let read_at = plan.taken_at;
    let (approved, after) =
        counted(|| recheck.approve(read_at, Policy::default(), Default::default()));
    assert!(!approved.targets().is_empty());
    at_most(&[
        ("bytes of a recheck".to_owned(), before.kept, RECHECKED),
        ("bytes that approving adds".to_owned(), after.kept, APPROVED),
    ]);
}
