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
        (
            "versions that no machine word holds, the newer one first",
            documents(&[
                at(job("sync-1", 1), "100000000000000000000000"),
                running("sync-1", 1, "99999999999999999999999"),
                at(job("sync-2", 2), "1"),
            ]),
            &BOTH,
        ),
        (
            "one without a version is at least as new as what stands before it",
            documents(&[
                at(job("sync-1", 1), "10"),
                at(job("sync-1", 1), ""),
                running("sync-1", 1, "5"),
                at(job("sync-2", 2), "1"),
            ]),
            &BOTH,
        ),
        (
            "made again without a label, in a dump that stands before the older one",
            documents(&[
                gone("sync-3", ""),
                at(job("sync-3", 1), ""),
                at(job("sync-2", 2), "1"),
            ]),
            &["sync-2 SKIP newest"],
        ),
        (
            "a list within a list counts where it stands",
            list(json!([
                running("sync-1", 1, ""),
                list(json!([at(job("sync-1", 1), "")])),
                running("sync-2", 2, ""),
                list(json!([at(job("sync-2", 2), "")])),
            ]))
            .to_string(),
            &BOTH,
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
    // A watch of one namespace need not name it.
    let nowhere = |mut job: Value| {
        job["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("namespace")
            .unwrap();
        job
    };
    let events = [
        event("ADDED", &nowhere(one.clone())),
        event("ADDED", &nowhere(two.clone())),
        event("DELETED", &nowhere(two.clone())),
    ];
    for args in [&[][..], &["-n", "team"]] {
        let file = files.write("nowhere", &documents(&events));
        assert_eq!(plan(&file, args), ["sync-1 SKIP newest"], "{args:?}");
    }
    let cron_job = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"}, "status": {"conditions": 1}});
    let file = files.write(
        "another-kind",
        &documents(&[event("ADDED", &one), event("DELETED", &cron_job)]),
    );
    assert_eq!(plan(&file, &[]), ["sync-1 SKIP newest"]);
    let untold = json!({"metadata": one["metadata"]});
    for odd in [
        event("UNKNOWN", &one),
        event("DELETED", &untold),
        event("DELETED", &list(json!([one]))),
    ] {
        let file = files.write("odd", &documents(&[event("ADDED", &two), odd]));
        from_file(&file, &[])
            .exits(1)
            .complains(&["not a Kubernetes object"]);
    }
}

#[test]
fn jobs_that_may_be_missing_give_no_plan() {
    let files = Files::new();
    let (one, two) = (job("sync-1", 1), job("sync-2", 2));
    let status =
        json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": "not today"});
    let success = json!({"apiVersion": "v1", "kind": "Status", "status": "Success"});
    let later = json!({"apiVersion": "batch/v2", "kind": "Job", "metadata": two["metadata"]});
    let list_of = |version: &str, kind: &str, items: Value| json!({"apiVersion": version, "kind": kind, "items": items});
    for (text, words) in [
        (documents(&[one.clone(), status.clone()]), "not today"),
        (list(json!([one, status])).to_string(), "not today"),
        (documents(&[one.clone(), later.clone()]), "batch/v2"),
        (list(json!([one, later])).to_string(), "batch/v2"),
        (
            list(json!([
                one,
                list_of("batch/v1beta1", "JobList", json!([two]))
            ]))
            .to_string(),
            "batch/v1beta1",
        ),
        (
            documents(&[one.clone(), event("DELETED", &later)]),
            "batch/v2",
        ),
        (
            documents(&[one.clone(), list_of("batch/v1", "List", json!([two]))]),
            "List (batch/v1) with Jobs in it",
        ),
        (
            documents(&[
                one.clone(),
                list_of("example.com/v1", "Box", json!([list(json!([two]))])),
            ]),
            "Box (example.com/v1) with Jobs in it",
        ),
    ] {
        from_file(&files.write("jobs", &text), &[])
            .exits(1)
            .complains(&[words]);
    }
    for text in [
        documents(&[one.clone(), success.clone()]),
        list(json!([one, success])).to_string(),
        documents(&[
            one.clone(),
            list_of(
                "example.com/v1",
                "BoxList",
                json!([{"metadata": two["metadata"]}]),
            ),
        ]),
    ] {
        let file = files.write("jobs", &text);
        assert_eq!(plan(&file, &[]), ["sync-1 SKIP newest"], "{text}");
    }
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
    let file = files.write("arrays", &format!("{}{}", json!([one]), json!([two])));
    assert_eq!(plan(&file, &[]), BOTH);
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
    page["metadata"]["remainingItemCount"] = 0.into();
    let file = files.write("last", &page.to_string());
    assert_eq!(plan(&file, &[]), ["sync-1 SKIP newest"]);
    page["metadata"]["remainingItemCount"] = 1.into();
    from_file(&files.write("page", &page.to_string()), &[])
        .exits(1)
        .complains(&["one page of a list"]);
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
    let big = wide([0xfe, 0xff], u16::to_be_bytes);
    vec![
        // Without the mark.
        little[2..].into(),
        big[2..].into(),
        text.into(),
        packed(text.as_bytes()),
        packed(&little),
        little,
        big,
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
        let packed = &encodings(&text)[3];
        for damaged in [&packed[..packed.len() / 2], &packed[..12]] {
            let run = from_file(&written(&files, damaged), &[]);
            run.exits(1).complains(&["gzip is damaged"]);
        }
    }
    let [one, two] = [1, 2].map(|day| job(&format!("sync-{day}"), day));
    let [one_yaml, two_yaml] = [&one, &two].map(|job| serde_saphyr::to_string(job).unwrap());
    let mark = '\u{feff}';
    for text in [
        format!("{mark}{one}\r\n{mark}{two}"),
        format!("{mark}{one_yaml}---\n{mark}{two_yaml}"),
        format!("{mark}{one_yaml}{mark}---\r\n{two_yaml}"),
        format!("---\n{one}\n---\n{mark}{two_yaml}"),
    ] {
        assert_eq!(plan(&written(&files, text.as_bytes()), &[]), BOTH, "{text}");
    }
    let file = written(&files, &[0xff, 0xfe, b'{', 0, b'}']);
    from_file(&file, &[]).exits(1).complains(&["not UTF-8"]);
}

/// A file is read in pieces, and any byte may be the last one of a piece.
#[test]
fn characters_lie_across_the_pieces_that_are_read() {
    const PIECE: usize = 256 * 1024;
    let files = Files::new();
    for shift in 0..4 {
        let mut one = job("sync-1", 1);
        let note = "x".repeat(shift) + &"\u{1f600}".repeat(PIECE / 2);
        one["spec"] = json!({"note": note});
        let text = list(json!([one, job("sync-2", 2)])).to_string();
        assert_eq!(plan(&written(&files, text.as_bytes()), &[]), BOTH);
        for end in [PIECE, text.rfind('\u{1f600}').unwrap() + 2] {
            let (before, after) = text.as_bytes().split_at(end);
            for damaged in [[before, b"\xff", after].concat(), before.to_vec()] {
                let run = from_file(&written(&files, &damaged), &[]).exits(1);
                let is_cut_off = damaged.len() == end;
                let words = if is_cut_off {
                    "ends too early"
                } else {
                    "not UTF-8"
                };
                run.complains(&[words]);
            }
        }
    }
}

#[test]
fn numbers_lie_across_the_pieces_that_are_read() {
    const PIECE: usize = 256 * 1024;
    let files = Files::new();
    let (one, two) = (job("sync-1", 1), job("sync-2", 2));
    for number in ["-1", "-0.25", "12e+3"] {
        let text = list(json!([one, two])).to_string();
        let (before, after) = text.split_once(r#","metadata":{"#).unwrap();
        for place in 0..=number.len() {
            let head = format!(r#"{before},"spec":{{"pad":""#);
            let tail = r#"","priority":"#;
            let pad = "x".repeat(PIECE - place - head.len() - tail.len());
            let text = format!(r#"{head}{pad}{tail}{number}}},"metadata":{{{after}"#);
            assert_eq!(&text[PIECE - place..][..number.len()], number);
            assert_eq!(
                plan(&written(&files, text.as_bytes()), &[]),
                BOTH,
                "{number} {place}"
            );
        }
    }
}

/// It is not looked at, whichever way the Jobs are laid out. That the Job ends where it seems to is.
#[test]
fn what_is_wrong_within_a_pod_template_does_not_matter() {
    let files = Files::new();
    let jobs = [job("sync-1", 1), job("sync-2", 2)].map(|mut job| {
        job["spec"] = json!({"template": [true]});
        job
    });
    let list = list(json!(jobs));
    for text in [format!("{list}"), format!("{list:#}")] {
        let odd = text.replace("true", "true false");
        assert_eq!(plan(&written(&files, odd.as_bytes()), &[]), BOTH, "{odd}");
    }
    for odd in ["[true}", "{true]", "[true", "true]"] {
        let text = list.to_string().replacen("[true]", odd, 1);
        from_file(&written(&files, text.as_bytes()), &[])
            .exits(1)
            .complains(&["not valid JSON"]);
    }
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
    let one = job("sync-1", 1);
    let indented: String = dump.lines().map(|line| format!("  {line}\n")).collect();
    assert_eq!(
        plan(&files.write("indented", &indented), &[]),
        ["sync-1 SKIP newest"]
    );
    let last = dump.lines().count() + 1;
    let only_output = "write only standard output";
    for (text, words) in [
        (
            format!("{dump}{dump}"),
            &*format!("twice at line {last} column 1; between two documents write a line with ---"),
        ),
        (bomb, "aliases"),
        (format!("Warning: this is deprecated\n{dump}"), only_output),
        (
            format!("W0131 10:15:00.000000 1 x.go:1] old\n{dump}"),
            only_output,
        ),
        (format!("error: no\n{one}"), only_output),
        (
            format!("Flag --a has been deprecated, use --b\n{one}"),
            only_output,
        ),
        (format!("2026/01/31 10:15:00 hello\n{dump}"), only_output),
        (format!("{one}\nWarning: old\n{one}"), only_output),
        (format!("{dump}Warning: old\n{dump}"), only_output),
        ("No resources found in default namespace.\n".into(), only_output),
        (
            "\n\n\napiVersion: v1\nkind: [\n".into(),
            "bracket '[' at line 5 column 7",
        ),
        (
            "apiVersion: v1\nkind: List\nitems: &a [*a]\n".into(),
            "an anchor holds itself",
        ),
        ("apiVersion: *v\n".into(), "the anchor of an alias is missing"),
        (format!("a: {}{}", "[".repeat(100), "]".repeat(100)), "nested more than 64 levels"),
        ("{\"a\": [1".into(), "it ends too early"),
        (
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": one["metadata"], "status": "x"})
                .to_string(),
            "expected an object",
        ),
    ] {
        let run = from_file(&files.write("jobs", &text), &[])
            .exits(1)
            .complains(&[words]);
        for own in ["Policy", "budget", "Ratio", "EOF", "struct", "weak"] {
            assert!(!run.err.contains(own), "{}", run.err);
        }
    }
    // The key that is there twice is in a label.
    let text = dump.replace("labels:", "labels:\n        a: b\n        a: c");
    let run = from_file(&files.write("labels", &text), &[])
        .exits(1)
        .complains(&["a stands there twice"]);
    assert!(!run.err.contains("---"), "{}", run.err);
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
    jobs.map(|planned| (planned.job.name().to_string(), planned.verdict.is_purge()))
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
