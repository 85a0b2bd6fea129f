//! What people hand over that is not one plain list: watches, appended dumps, lists within lists, other encodings.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::{Compression, write::GzEncoder};
use proptest::{collection::vec, prelude::*, test_runner::Config};
use serde_json::{Value, json};

use kubectl_jobclean::{
    decode::file,
    job::query::{Query, Scope},
    plan::{Plan, Snapshot, Source, retention::Policy},
};

use crate::support::files::Files;
use crate::support::job_file::{from_file, job, plan};

const BOTH: [&str; 2] = ["sync-2 SKIP newest", "sync-1 PURGE superseded"];

fn at(mut job: Value, version: &str) -> Value {
    job["metadata"]["resourceVersion"] = version.into();
    job
}

fn list(items: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
}

fn documents(documents: &[Value]) -> String {
    documents
        .iter()
        .map(|document| format!("{document}\n"))
        .collect()
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

#[test]
fn a_job_that_comes_again_counts_in_its_newest_version() {
    let files = Files::new();
    let running = |name: &str, day, version: &str| {
        let mut job = at(job(name, day), version);
        job["status"] = json!({});
        job
    };
    let gone = |name: &str, version: &str| {
        let mut gone = at(job(name, 2), version);
        gone["metadata"]["labels"] = json!({});
        gone
    };
    let remade = |version: &str| {
        let mut remade = at(job("sync-1", 3), version);
        remade["metadata"]["uid"] = "another".into();
        remade
    };
    for (what, text, expected) in [
        (
            "a watch",
            documents(&[
                running("sync-1", 1, "9"),
                at(job("sync-1", 1), "10"),
                at(job("sync-2", 2), "11"),
            ]),
            &BOTH[..],
        ),
        (
            "dumps, the newer one first",
            documents(&[
                list(json!([
                    at(job("sync-1", 1), "10"),
                    at(job("sync-2", 2), "10")
                ])),
                list(json!([
                    running("sync-1", 1, "9"),
                    running("sync-2", 2, "9")
                ])),
            ]),
            &BOTH,
        ),
        (
            "no versions: what comes later counts",
            documents(&[
                running("sync-1", 1, ""),
                at(job("sync-1", 1), ""),
                at(job("sync-2", 2), ""),
            ]),
            &BOTH,
        ),
        (
            "it has left its group since",
            documents(&[
                at(job("sync-1", 1), "1"),
                at(job("sync-2", 2), "1"),
                gone("sync-2", "2"),
            ]),
            &["sync-1 SKIP newest"],
        ),
        (
            "it has come back into its group",
            documents(&[
                gone("sync-2", "1"),
                at(job("sync-1", 1), "1"),
                at(job("sync-2", 2), "2"),
            ]),
            &BOTH,
        ),
        (
            "it was made again, and is the newest now",
            documents(&[
                at(job("sync-1", 1), "1"),
                at(job("sync-2", 2), "2"),
                remade("3"),
            ]),
            &["sync-1 SKIP newest", "sync-2 PURGE superseded"],
        ),
        (
            "the versions of 10 and 9",
            documents(&[
                remade("10"),
                at(job("sync-1", 1), "9"),
                at(job("sync-2", 2), "2"),
            ]),
            &["sync-1 SKIP newest", "sync-2 PURGE superseded"],
        ),
    ] {
        let file = files.write("jobs", &text);
        assert_eq!(plan(&file, &[]), expected, "{what}");
    }
}

#[test]
fn events_of_a_watch_are_read() {
    let files = Files::new();
    let (one, two, three) = (
        job("sync-1", 1),
        job("sync-2", 2),
        at(job("sync-3", 3), "8"),
    );
    let bookmark =
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"resourceVersion": "12"}});
    let events = [
        event("ADDED", &one),
        event("ADDED", &two),
        event("ADDED", &three),
        event("BOOKMARK", &bookmark),
        event("DELETED", &at(three.clone(), "9")),
        event("MODIFIED", &at(one.clone(), "10")),
    ];
    let file = files.write("events", &documents(&events));
    assert_eq!(plan(&file, &[]), BOTH);
    let again = [&events[..], &[event("ADDED", &at(three, "11"))]].concat();
    let file = files.write("again", &documents(&again));
    assert_eq!(plan(&file, &[])[0], "sync-3 SKIP newest");
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "too old", "code": 410});
    let file = files.write(
        "error",
        &documents(&[event("ADDED", &one), event("ERROR", &status)]),
    );
    from_file(&file, &[])
        .exits(1)
        .complains(&["watch", "too old"]);
    let file = files.write("odd", &documents(&[event("UNKNOWN", &one)]));
    from_file(&file, &[])
        .exits(1)
        .complains(&["not a Kubernetes object"]);
}

#[test]
fn lists_within_lists_and_arrays_are_read_whole() {
    let files = Files::new();
    let (one, two) = (job("sync-1", 1), job("sync-2", 2));
    let of_jobs = json!({"apiVersion": "batch/v1", "kind": "JobList", "items": [two]});
    for (what, text) in [
        ("a list within", list(json!([one, list(json!([two]))]))),
        (
            "two levels",
            list(json!([list(json!([list(json!([one, two]))]))])),
        ),
        ("a JobList within", list(json!([of_jobs, one]))),
        ("an array", json!([one, two])),
        (
            "an array of lists",
            json!([list(json!([one])), list(json!([two]))]),
        ),
    ] {
        for text in [
            text.to_string(),
            format!("{text:#}"),
            serde_saphyr::to_string(&text).unwrap(),
        ] {
            let file = files.write("jobs", &text);
            assert_eq!(plan(&file, &[]), BOTH, "{what}\n{text}");
        }
    }
    // A second family there makes the group a mixed one.
    let file = files.write(
        "mixed",
        &list(json!([one, two, list(json!([job("other", 3)]))])).to_string(),
    );
    assert!(
        plan(&file, &[])
            .iter()
            .all(|line| line.contains("mixed-group"))
    );
    let deep = (0..20).fold(one.clone(), |within, _| list(json!([within])));
    let file = files.write("deep", &deep.to_string());
    from_file(&file, &[]).exits(1).complains(&["within lists"]);
    for odd in [json!([[one]]), json!([1])] {
        let file = files.write("odd", &odd.to_string());
        from_file(&file, &[])
            .exits(1)
            .complains(&["not a Kubernetes object"]);
    }
    let file = files.write("empty", "[]");
    assert_eq!(plan(&file, &[]), [""; 0]);
}

#[test]
fn a_page_of_a_list_is_refused() {
    let files = Files::new();
    let mut page = list(json!([job("sync-1", 1)]));
    page["metadata"]["continue"] = "token".into();
    for text in [page.to_string(), list(json!([page])).to_string()] {
        let file = files.write("page", &text);
        from_file(&file, &[])
            .exits(1)
            .complains(&["one page of a list", "kubectl get jobs"]);
    }
    page["metadata"]["continue"] = "".into();
    let file = files.write("last", &page.to_string());
    assert_eq!(plan(&file, &[]), ["sync-1 SKIP newest"]);
}

/// A text as Windows and gzip write it.
fn encodings(text: &str) -> Vec<Vec<u8>> {
    let windows = text.replace('\n', "\r\n");
    let wide = |mark: [u8; 2], of: fn(u16) -> [u8; 2]| {
        mark.into_iter()
            .chain(windows.encode_utf16().flat_map(of))
            .collect::<Vec<u8>>()
    };
    let packed = |bytes: &[u8]| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    };
    let little = wide([0xff, 0xfe], u16::to_le_bytes);
    vec![
        text.into(),
        packed(text.as_bytes()),
        packed(&little),
        little,
        wide([0xfe, 0xff], u16::to_be_bytes),
    ]
}

fn written(files: &Files, bytes: &[u8]) -> PathBuf {
    let path = files.path("jobs");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn other_encodings_are_read_and_damaged_ones_refused() {
    let files = Files::new();
    let jobs = list(json!([job("sync-1", 1), job("sync-2", 2)]));
    for text in [
        format!("{jobs:#}\n"),
        serde_saphyr::to_string(&jobs).unwrap(),
    ] {
        for bytes in encodings(&text) {
            assert_eq!(plan(&written(&files, &bytes), &[]), BOTH, "{bytes:?}");
        }
        let packed = &encodings(&text)[1];
        for damaged in [&packed[..packed.len() / 2], &packed[..12]] {
            let run = from_file(&written(&files, damaged), &[]);
            run.exits(1).complains(&["gzip is damaged"]);
        }
    }
    let file = written(&files, &[0xff, 0xfe, b'{', 0, b'}']);
    from_file(&file, &[]).exits(1).complains(&["not UTF-8"]);
}

#[test]
fn yaml_errors_say_what_to_do() {
    let files = Files::new();
    let dump = serde_saphyr::to_string(&list(json!([job("sync-1", 1)]))).unwrap();
    let bomb = "apiVersion: v1\nkind: List\na: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &('b'..='j')
            .map(|c| {
                let before = char::from(c as u8 - 1);
                let ten = vec![format!("*{before}"); 10].join(",");
                format!("{c}: &{c} [{ten}]\n")
            })
            .collect::<String>();
    for (text, words) in [
        (format!("{dump}{dump}"), "write a line with ---"),
        (bomb, "aliases"),
        (
            format!("Warning: this is deprecated\n{dump}"),
            "only standard output",
        ),
        (
            format!("W0131 10:15:00.000000 1 x.go:1] old\n{dump}"),
            "only standard output",
        ),
        (
            format!("error: no\n{}", job("sync-1", 1)),
            "only standard output",
        ),
    ] {
        let run = from_file(&files.write("jobs", &text), &[])
            .exits(1)
            .complains(&[words]);
        for own in ["DuplicateKeyPolicy", "budget", "Ratio"] {
            assert!(!run.err.contains(own), "{}", run.err);
        }
    }
    let labels = "labels: *l\n";
    let item = |number: usize| {
        format!(
            "- apiVersion: batch/v1\n  kind: Job\n  metadata:\n    name: sync-{number:05}\n    \
             creationTimestamp: 2026-01-01T00:00:00Z\n    {}",
            if number == 0 {
                "labels: &l {test.example/group: g}\n"
            } else {
                labels
            }
        )
    };
    let many: String = (0..200).map(item).collect();
    let file = files.write(
        "aliases",
        &format!("apiVersion: v1\nkind: List\nitems:\n{many}"),
    );
    assert_eq!(plan(&file, &["--include-active"]).len(), 200);
}

#[test]
fn null_in_a_map_is_the_empty_text() {
    let files = Files::new();
    let mut one = job("sync-1", 1);
    one["metadata"]["annotations"] = json!({"a": null, "jobclean/keep": "true"});
    one["metadata"]["labels"]["other"] = Value::Null;
    let file = files.write("null", &list(json!([one, job("sync-2", 2)])).to_string());
    assert_eq!(
        plan(&file, &[]),
        ["sync-2 SKIP newest", "sync-1 SKIP protected"]
    );
    assert_eq!(
        plan(&file, &["-l", "other="]),
        ["sync-1 SKIP newest,protected"]
    );
}

/// The plan of a text, without starting the tool.
fn read(text: &[u8]) -> Vec<(String, bool)> {
    let query = Query::all(
        "label:test.example/group".parse().unwrap(),
        Scope::AllNamespaces,
        0,
    );
    let contents = file::parse(text, &query).expect("Jobs");
    let snapshot = Snapshot {
        source: Source::File {
            path: "-".to_owned(),
        },
        grouping: query.grouping,
        resource_version: String::new(),
        taken_at: "2026-06-01T00:00:00Z".parse().unwrap(),
        jobs: contents.jobs,
        ungrouped: contents.ungrouped,
    };
    let plan = Plan::new(snapshot, &Policy::default());
    let jobs = plan.groups.iter().flat_map(|group| &group.jobs);
    jobs.map(|planned| (planned.job.name.to_string(), planned.verdict.is_purge()))
        .collect()
}

proptest! {
    #![proptest_config(Config { cases: 64, failure_persistence: None, ..Config::default() })]

    /// However often Jobs come before, and in whatever form, only their last versions count.
    #[test]
    fn a_history_comes_to_its_last_dump(
        history in vec((0_u32..6, any::<bool>()), 0..20),
        last in vec(any::<bool>(), 6),
        as_events in any::<bool>(),
    ) {
        let state = |number: u32, is_finished: bool, version: usize| {
            let mut job = at(job(&format!("sync-{number}"), number + 1), &version.to_string());
            if !is_finished {
                job["status"] = json!({});
            }
            job
        };
        let past: Vec<Value> = history
            .iter()
            .enumerate()
            .map(|(version, (number, is_finished))| state(*number, *is_finished, version + 1))
            .collect();
        let now: Vec<Value> = (0..6).zip(&last).map(|(number, is)| state(number, *is, 100)).collect();
        let dump = list(Value::from(now.clone())).to_string();
        let all = [past, now].concat();
        let watch = if as_events {
            documents(&all.iter().map(|job| event("MODIFIED", job)).collect::<Vec<_>>())
        } else {
            documents(&all)
        };
        let expected = read(dump.as_bytes());
        for text in encodings(&watch) {
            prop_assert_eq!(&read(&text), &expected);
        }
    }
}
