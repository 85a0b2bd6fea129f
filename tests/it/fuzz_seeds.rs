//! What the fuzzers start from and what they found, as ordinary tests: each file of a folder goes through what its
//! target calls.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use kubectl_jobclean::cluster::request::parse_retry_after;
use kubectl_jobclean::duration::{HumanDuration, RequestTimeout};
use kubectl_jobclean::file::{self, Wanted};
use kubectl_jobclean::intake::{Identity, Intake};
use kubectl_jobclean::job::family;
use kubectl_jobclean::limit::MaxPurge;
use kubectl_jobclean::output::{Colour, Headers, Style, View, json, name, summary, table, yaml};
use kubectl_jobclean::plan::{Plan, Snapshot, Source};
use kubectl_jobclean::retention::Policy;
use kubectl_jobclean::retry::{Backoff, Tries};
use kubectl_jobclean::saved::SavedPlan;
use kubectl_jobclean::selector::{LabelKey, Selector};
use kubectl_jobclean::text::is_unsafe;
use kubectl_jobclean::wire;
use kubectl_jobclean::wire::metadata;

/// Gives each seed of this folder to `holds`, and fails with the names of those for which it panics.
#[track_caller]
fn each(folder: &str, holds: impl Fn(&[u8])) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/seeds")
        .join(folder);
    let entries = fs::read_dir(&path).unwrap_or_else(|why| panic!("{folder}: {why}"));
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let seed = fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        count += 1;
        if catch_unwind(AssertUnwindSafe(|| holds(&seed))).is_err() {
            failed.push(path.file_name().unwrap().to_owned());
        }
    }
    assert!(count > 0, "no seeds in {folder}");
    assert!(failed.is_empty(), "{folder}: {failed:?}");
}

/// The same for what reads text: a seed that is none is not given to it, as it is not by the fuzzer.
#[track_caller]
fn each_text(folder: &str, holds: impl Fn(&str)) {
    each(folder, |seed| {
        if let Ok(text) = std::str::from_utf8(seed) {
            holds(text);
        }
    });
}

fn is_taken_in(list: wire::JobList<'_>) {
    let mut intake = Intake::new(&["a".parse().unwrap()], Identity::Required);
    for job in list.items {
        if let Ok(Some(job)) = intake.take(job) {
            assert!(!job.uid.is_empty() && !job.resource_version.is_empty());
            assert!(!job.name.is_empty());
        }
    }
}

#[test]
fn lists_in_protobuf() {
    each("list_protobuf", |seed| {
        let _ = wire::decode_status(seed);
        if let Ok(list) = wire::decode_protobuf(seed) {
            is_taken_in(list);
        }
    });
}

#[test]
fn lists_in_json() {
    each("list_json", |seed| {
        if let Ok(list) = wire::decode_json(seed) {
            is_taken_in(list);
        }
    });
}

#[test]
fn lists_of_metadata() {
    each("list_metadata", |seed| {
        let Some((choice, body)) = seed.split_first() else {
            return;
        };
        let content_type = match choice % 2 {
            0 => wire::PROTOBUF,
            _ => "application/json",
        };
        if let Ok(list) = metadata::decode(content_type, body) {
            for item in list.items {
                let meta = item.metadata.unwrap();
                assert!(!meta.uid.is_empty() && !meta.name.is_empty());
            }
        }
    });
}

#[test]
fn files_of_jobs() {
    each("file", |seed| {
        let labels: Vec<LabelKey> = vec!["a".parse().unwrap()];
        let wanted = Wanted {
            labels: &labels,
            selector: &Selector::default(),
            namespace: None,
        };
        let Ok(contents) = file::parse(seed, &wanted) else {
            return;
        };
        let count = contents.jobs.len();
        let plan = Plan::new(
            Snapshot {
                source: Source::File {
                    path: "-".to_owned(),
                },
                labels,
                resource_version: contents.resource_version,
                taken_at: "2026-01-01T00:00:00Z".parse().unwrap(),
                jobs: contents.jobs,
            },
            &Policy::default(),
        );
        assert_eq!(plan.summary().jobs, count);
        let style = Style {
            width: Some(80),
            colour: Colour::Off,
            headers: Headers::Show,
        };
        let mut out = Vec::new();
        table::write(&mut out, View::Plan(&plan), table::Columns::Wide, style).unwrap();
        summary::write(&mut out, View::Plan(&plan), style).unwrap();
        name::write(&mut out, View::Plan(&plan)).unwrap();
        json::write(&mut out, View::Plan(&plan)).unwrap();
        yaml::write(&mut out, View::Plan(&plan)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let raw = text.chars().find(|&char| char != '\n' && is_unsafe(char));
        assert_eq!(raw, None, "{text:?}");
    });
}

#[test]
fn saved_plans() {
    each("saved_plan", |seed| {
        if let Ok(saved) = SavedPlan::parse(seed, 500) {
            for group in &saved.plan.groups {
                assert!(group.purge_count() < group.jobs.len());
            }
        }
    });
}

#[test]
fn waits_that_a_server_asks_for() {
    each_text("retry_after", |seed| {
        let mut backoff = Backoff::new(Tries::for_list());
        if let Some(delay) = backoff.next_delay(parse_retry_after(seed)) {
            assert!(delay <= Duration::from_secs(33), "{delay:?}");
        }
    });
}

#[test]
fn durations_and_limits() {
    each_text("duration", |seed| {
        let _ = seed.parse::<RequestTimeout>();
        let _ = seed.parse::<MaxPurge>();
        if seed.parse::<HumanDuration>().is_ok() {
            assert!(seed.ends_with(['d', 'h', 'm', 's']));
            assert!(seed.starts_with(|char: char| char.is_ascii_digit()));
        }
    });
}

#[test]
fn selectors() {
    each_text("selector", |seed| {
        if let Ok(key) = seed.parse::<LabelKey>() {
            assert!(key.as_str().parse::<Selector>().is_ok());
        }
        if let Ok(selector) = seed.parse::<Selector>() {
            assert_eq!(selector.to_string().parse(), Ok(selector.clone()));
            let _ = selector.matches(|key| (key == "a").then_some("1"));
        }
    });
}

#[test]
fn families_of_names() {
    each_text("family", |seed| {
        let stem = family(seed);
        assert!(seed.starts_with(stem));
        assert_eq!(stem.is_empty(), seed.is_empty());
        if stem != seed {
            assert_eq!(family(stem), stem);
            assert_eq!(family(&format!("{seed}-1a2b3c")), stem);
        }
    });
}
