//! How long the pure parts take: decode, take in, group, judge, render, for 1,000, 10,000 and 100,000 Jobs.

mod support;

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main, measurement::WallTime,
};
use kubectl_jobclean::{
    decode,
    gitops::Claims,
    plan::{
        group::{self, MixedGroups},
        retention::Policy,
    },
};
use serde::Deserialize;
use serde_json::value::RawValue;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// Something for each size. Each has Jobs of its own: the first of many would all be of different groups.
fn of_sizes<T>(make: impl Fn(usize) -> T) -> impl Fn(usize) -> T
where
    T: Clone,
{
    let all = SIZES.map(make);
    move |jobs| {
        let place = SIZES.iter().position(|size| *size == jobs);
        all[place.expect("one of the sizes")].clone()
    }
}

/// Times a part, with as few rounds as a steady figure takes: a round of the largest is long enough by itself.
fn part(
    criterion: &mut Criterion,
    name: &str,
    mut bench: impl FnMut(&mut BenchmarkGroup<WallTime>, BenchmarkId, usize),
) {
    let mut group = criterion.benchmark_group(name);
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
    for jobs in SIZES {
        group.throughput(Throughput::Elements(jobs as u64));
        bench(&mut group, BenchmarkId::from_parameter(jobs), jobs);
    }
    group.finish();
}

fn decode(criterion: &mut Criterion) {
    let pages = of_sizes(|jobs| support::pages(jobs, support::protobuf));
    part(criterion, "decode protobuf", |group, id, jobs| {
        let pages = pages(jobs);
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                for page in &pages {
                    black_box(decode::decode_protobuf(page).expect("a page"));
                }
            });
        });
    });
    part(
        criterion,
        "decode protobuf and take in",
        |group, id, jobs| {
            let pages = pages(jobs);
            group.bench_function(id, |bencher| {
                bencher.iter_with_large_drop(|| support::read(&pages));
            });
        },
    );
    drop(pages);
    let pages = of_sizes(|jobs| support::pages(jobs, support::json_text));
    part(criterion, "decode json", |group, id, jobs| {
        let pages = pages(jobs);
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                for page in &pages {
                    black_box(decode::decode_json(page).expect("a page"));
                }
            });
        });
    });
}

/// How many items a list has, found without a look into them.
fn borders(text: &str) -> usize {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
    }
    let list: List<'_> = serde_json::from_str(text).expect("a list");
    list.items.len()
}

/// A file as kubectl prints it though on one line, beside a scan that only finds where its items begin and end, in a text
/// that is there whole.
fn file(criterion: &mut Criterion) {
    let text = support::file(10_000);
    let mut group = criterion.benchmark_group("file");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(20)
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("borders of items", |bencher| {
        bencher.iter(|| black_box(borders(&text)));
    });
    group.bench_function("read and take in", |bencher| {
        bencher.iter_with_large_drop(|| support::read_file(&text));
    });
    group.finish();
}

fn decide(criterion: &mut Criterion) {
    let of_size = of_sizes(|jobs| support::read(&support::pages(jobs, support::protobuf)));
    part(criterion, "group", |bench, id, jobs| {
        let jobs = of_size(jobs);
        bench.bench_function(id, |bencher| {
            bencher.iter_batched(
                || jobs.clone(),
                |jobs| {
                    group::group(jobs, MixedGroups::Hold, None)
                        .for_each(|group| drop(black_box(group)))
                },
                BatchSize::PerIteration,
            );
        });
    });
    part(criterion, "judge", |bench, id, jobs| {
        let policy = Policy::default();
        let groups: Vec<_> = group::group(of_size(jobs), MixedGroups::Hold, None).collect();
        let now = support::snapshot(Vec::new()).taken_at;
        bench.bench_function(id, |bencher| {
            bencher.iter(|| {
                for group in &groups {
                    black_box(policy.judge(group, MixedGroups::Hold, &Claims::default(), now));
                }
            });
        });
    });
    for form in support::FORMS {
        part(criterion, &format!("render {form}"), |bench, id, jobs| {
            let plan = support::plan(of_size(jobs));
            let mut out = Vec::new();
            bench.bench_function(id, |bencher| {
                bencher.iter(|| {
                    out.clear();
                    support::render(form, &plan, &mut out);
                });
            });
        });
    }
}

criterion_group!(benches, decode, file, decide);
criterion_main!(benches);
