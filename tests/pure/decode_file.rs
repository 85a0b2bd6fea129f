//! What may be in a file, and what it comes to.

use serde_json::{Value, json};

use crate::support::document::{jobs_of, text, verdicts};
use crate::support::files::{Files, arg};
use crate::support::job_file::{command, from_file, job, plan};
use crate::support::tool::run_fed;

fn without_kind(mut job: Value) -> Value {
    let fields = job.as_object_mut().unwrap();
    fields.remove("apiVersion");
    fields.remove("kind");
    job
}

const BOTH: [&str; 2] = ["sync-2 SKIP newest", "sync-1 PURGE superseded"];

#[test]
fn every_shape_is_read() {
    let files = Files::new();
    let (one, two) = (job("sync-1", 1), job("sync-2", 2));
    let list = |version: &str, kind: &str, items: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"resourceVersion": "9"}, "items": items});
    let in_list = json!([without_kind(one.clone()), without_kind(two.clone())]);
    let shapes = [
        list("v1", "List", json!([one, two])).to_string(),
        format!("{:#}", list("v1", "List", json!([one, two]))),
        list("batch/v1", "JobList", in_list).to_string(),
        list("batch/v1", "JobList", json!([one, two])).to_string(),
        format!("---\n{one}\n---\n{two}\n"),
        format!("{one}\n---\n---\n# nothing here\n---\n{two}\n---\n"),
        format!("{}\n---\n{two}\n", list("v1", "List", json!([one]))),
        format!("\u{feff}{}", list("v1", "List", json!([one, two]))),
    ];
    for (number, shape) in shapes.iter().enumerate() {
        let file = files.write(&format!("shape-{number}"), shape);
        assert_eq!(plan(&file, &[]), BOTH, "{shape}");
    }
    let single = files.write("single", &one.to_string());
    assert_eq!(plan(&single, &[]), ["sync-1 SKIP newest"]);
}

const YAML: &str = "\
apiVersion: v1
kind: List
metadata: {}
items:
- apiVersion: batch/v1
  kind: Job
  metadata:
    name: sync-1
    namespace: team
    uid: '1'
    resourceVersion: \"7\"
    creationTimestamp: \"2026-01-01T00:00:00Z\"
    labels: &labels
      test.example/group: g
  spec:
    template:
      spec:
        containers:
        - name: run
          command: ['sh', -c, |-
            echo one
            echo two]
";

#[test]
fn yaml_as_people_write_it_is_read() {
    let files = Files::new();
    let text = YAML
        .replace("command: ['sh', -c, |-\n            echo one\n            echo two]", "args:\n          - |-\n            echo one\n            --- not a document\n          - *labels")
        .replace("          - *labels\n", "");
    let second = text
        .replace("sync-1", "sync-2")
        .replace("2026-01-01T", "2026-01-02T")
        .replace("'1'", "'2'");
    let file = files.write("jobs.yaml", &format!("# Jobs\n{text}---\n{second}...\n"));
    // No status: neither is finished.
    assert_eq!(
        plan(&file, &[]),
        ["sync-2 SKIP active,newest", "sync-1 SKIP active"]
    );
    assert_eq!(plan(&file, &["--include-active"]), BOTH);
}

#[test]
fn what_stays_can_be_left_out_of_what_is_shown() {
    let files = Files::new();
    let mut other = job("load-1", 3);
    other["metadata"]["labels"] = json!({"test.example/group": "other"});
    let jobs = json!([job("sync-1", 1), job("sync-2", 2), other]);
    let file = files.write("jobs", &jobs.to_string());
    for form in ["table", "wide", "summary", "tsv", "json", "yaml"] {
        let run = from_file(&file, &["--show=purge", "-o", form]).exits(0);
        let said = run.out.clone() + &run.err;
        assert!(
            run.out.contains("sync-1") || form == "summary",
            "{}",
            run.story()
        );
        assert!(!run.out.contains("sync-2"), "{}", run.story());
        assert!(!run.out.contains("other"), "{}", run.story());
        let totals = ["2 SKIP, 1 PURGE", "\"skip\": 2", "skip: 2"];
        assert!(
            totals.iter().any(|totals| said.contains(totals)),
            "{}",
            run.story()
        );
    }
    from_file(&file, &["--show=skip"]).exits(2);
}

#[test]
fn stdin_is_a_file() {
    let list =
        json!({"apiVersion": "v1", "kind": "List", "items": [job("sync-1", 1), job("sync-2", 2)]});
    let run = run_fed(command("-", &["-o", "json"]), &list.to_string()).exits(0);
    assert_eq!(verdicts(&run.json()), BOTH);
    run_fed(command("-", &[]), "").exits(1);
}

#[test]
fn what_else_a_file_holds_is_said() {
    let files = Files::new();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
    let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"}});
    let list = |items: Value| json!({"apiVersion": "v1", "kind": "List", "items": items});
    let other = json!({"apiVersion": "example.com/v1", "kind": "Job", "metadata": {"name": "a"}});
    for (text, words) in [
        (pod.to_string(), "Pod"),
        (cron.to_string(), "CronJob"),
        (
            json!({"apiVersion": "v1", "kind": "PodList", "items": []}).to_string(),
            "PodList",
        ),
        (list(json!([pod, cron])).to_string(), "CronJob"),
        (other.to_string(), "example.com/v1"),
        (
            json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": "no"})
                .to_string(),
            "error of the API server",
        ),
    ] {
        let file = files.write("wrong", &text);
        from_file(&file, &[]).fails_clearly(&[arg(&file), words]);
    }
}

/// Far more than is held at a time, so that Jobs lie across the seams.
#[test]
fn a_long_list_is_read_to_its_end() {
    let files = Files::new();
    let items: Vec<Value> = (0..1500)
        .map(|number| {
            let mut job = job(&format!("sync-{number}"), 1);
            job["metadata"]["annotations"] = json!({"note": "é\"\\ ".repeat(number % 97)});
            job
        })
        .collect();
    // As kubectl writes it: what it is a list of stands after the items.
    let list = json!({"apiVersion": "v1", "items": items, "kind": "List"});
    let text = serde_json::to_string_pretty(&list).unwrap();
    assert!(text.len() > 3 * 256 * 1024, "{}", text.len());
    let file = files.write("long", &text);
    let document = from_file(&file, &["-o", "json"]).exits(0).json();
    assert_eq!(document["summary"]["jobs"], 1500);
    // A fault is found where it is.
    let at = text.rfind("\"kind\": \"Job\"").unwrap();
    let broken = format!("{}? {}", &text[..at], &text[at..]);
    let line = 1 + text[..at].matches('\n').count();
    let file = files.write("broken", &broken);
    let place = format!(
        "line {line} column {}",
        1 + at - text[..at].rfind('\n').unwrap() - 1
    );
    from_file(&file, &[]).fails_clearly(&[arg(&file), "not valid JSON", &place]);
    let file = files.write("short", &text[..text.len() - 20]);
    from_file(&file, &[]).fails_clearly(&[arg(&file), "not valid JSON"]);
}

/// A cluster's Jobs, not a configuration file.
#[test]
fn long_yaml_is_read_to_its_end() {
    let files = Files::new();
    let args: Vec<String> = (0..250).map(|number| number.to_string()).collect();
    let documents: Vec<String> = (0..1100)
        .map(|number| {
            let mut job = job(&format!("sync-{number}"), 1);
            job["spec"] = json!({"template": {"spec": {"containers": [{"args": args}]}}});
            format!("---\n{}", serde_saphyr::to_string(&job).unwrap())
        })
        .collect();
    let file = files.write("long.yaml", &documents.concat());
    let document = from_file(&file, &["-o", "json"]).exits(0).json();
    assert_eq!(document["summary"]["jobs"], 1100);
}

/// Items say what they are in a List, and need not in a JobList.
#[test]
fn a_list_decides_what_its_items_are() {
    let files = Files::new();
    let items = json!([
        without_kind(job("sync-1", 1)),
        without_kind(job("sync-2", 2))
    ]);
    let file = |list: Value| files.write("list", &list.to_string());
    let jobs = json!({"apiVersion": "batch/v1", "items": items, "kind": "JobList"});
    assert_eq!(plan(&file(jobs), &[]), BOTH);
    let list = json!({"apiVersion": "v1", "items": items, "kind": "List"});
    from_file(&file(list), &[]).fails_clearly(&["apiVersion and kind"]);
    // What is no Job at all is no fault in a list of something else.
    let odd = json!([{"metadata": {"creationTimestamp": 7}, "status": "fine"}]);
    let pods = json!({"apiVersion": "v1", "items": odd, "kind": "PodList"});
    from_file(&file(pods), &[]).fails_clearly(&["1 PodList"]);
    let jobs = json!({"apiVersion": "batch/v1", "items": odd, "kind": "JobList"});
    from_file(&file(jobs), &[]).fails_clearly(&["not as Kubernetes writes it"]);
    let odd = json!({"apiVersion": "example.com/v1", "kind": "Odd", "status": "fine"});
    let list = json!({"apiVersion": "v1", "items": [odd, job("sync-1", 1)], "kind": "List"});
    from_file(&file(list), &[])
        .exits(0)
        .complains(&["1 Odd (example.com/v1)"]);
}

#[test]
fn documents_in_json_and_yaml_follow_each_other() {
    let files = Files::new();
    let (one, two) = (job("sync-1", 1), job("sync-2", 2));
    let yaml = serde_saphyr::to_string(&two).unwrap();
    for text in [
        format!("{one}{two}"),
        format!("\u{feff}{one}\n---\n{two}\n---\n"),
        format!("---\n{one}\n---\n# the second\n{yaml}"),
    ] {
        let file = files.write("documents", &text);
        assert_eq!(plan(&file, &[]), BOTH, "{text}");
    }
    let file = files.write("stray", &format!("{one} and more"));
    from_file(&file, &[]).fails_clearly(&["not valid JSON"]);
}

/// As from `kubectl get jobs,pods -o json`: the Jobs are planned, and what was left out is named.
#[test]
fn jobs_among_other_things_are_planned() {
    let files = Files::new();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
    let items = json!([job("sync-1", 1), pod, job("sync-2", 2)]);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    let documents = format!("---\n{}\n---\n{pod}\n---\n{}\n", items[0], items[2]);
    for text in [list.to_string(), documents] {
        let file = files.write("mixed", &text);
        assert_eq!(plan(&file, &[]), BOTH);
        from_file(&file, &[])
            .exits(0)
            .complains(&["warning: ", "Pod"]);
    }
}

#[test]
fn what_is_no_manifest_is_an_error() {
    let files = Files::new();
    let mut garbled = job("sync-1", 1);
    garbled["metadata"]["creationTimestamp"] = "yesterday".into();
    let mut nameless = job("sync-1", 1);
    nameless["metadata"]["name"] = Value::Null;
    let texts = [
        "",
        "just words\n",
        "[1, 2]",
        "{\"kind\": \"Job\"",
        "{}",
        &garbled.to_string(),
        &nameless.to_string(),
    ];
    for text in texts {
        let file = files.write("broken", text);
        from_file(&file, &[]).fails_clearly(&[arg(&file)]);
    }
    let missing = files.path("missing");
    from_file(&missing, &[]).fails_clearly(&[arg(&missing)]);
    from_file(files.path("missing").parent().unwrap(), &[]).exits(1);
}

/// In what is left out unread, a quote that is missing makes a string of what stands between two, and what closes the one
/// Job may then close the other.
#[test]
fn a_quote_that_is_missing_takes_no_job_with_it() {
    let files = Files::new();
    let item = |name: &str, spec: &str| {
        let mut job = job(name, 1);
        // No `y`, which would come to light outside of strings.
        job["status"] = json!({});
        job["spec"] = json!({"x": "SPEC"});
        job.to_string().replace(r#""SPEC""#, spec)
    };
    let list = |specs: [&str; 2]| {
        let items = [item("run-1", specs[0]), item("run-2", specs[1])].join(",");
        let text = format!(r#"{{"apiVersion":"v1","items":[{items}],"kind":"List"}}"#);
        files.write("list", &text)
    };
    assert_eq!(plan(&list([r#""1""#, r#""2""#]), &[]).len(), 2);
    let file = list([r#""1"#, r#"2""#]);
    from_file(&file, &[]).fails_clearly(&[arg(&file), "not valid JSON"]);
}

#[test]
fn an_item_that_is_an_array_is_no_job() {
    let files = Files::new();
    let job = job("sync-1", 1);
    let array = json!([
        job["apiVersion"],
        job["kind"],
        job["metadata"],
        job["status"]
    ]);
    let list = json!({"apiVersion": "v1", "items": [array], "kind": "List"});
    let file = files.write("list", &list.to_string());
    from_file(&file, &[]).fails_clearly(&[arg(&file), "apiVersion and kind"]);
}

#[test]
fn statuses_are_read_off_the_conditions_that_hold() {
    let files = Files::new();
    let with = |name: &str, day: u32, conditions: Value| {
        let mut job = job(name, day);
        job["status"]["conditions"] = conditions;
        job
    };
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status});
    let mut going = with("sync-1", 1, json!([]));
    going["metadata"]["deletionTimestamp"] = "2026-02-01T00:00:00Z".into();
    let items = json!([
        going,
        with("sync-2", 2, json!([condition("Complete", "False")])),
        with("sync-3", 3, json!([condition("Failed", "Unknown")])),
        with("sync-4", 4, json!([condition("FailureTarget", "True")])),
        with(
            "sync-5",
            5,
            json!([condition("SuccessCriteriaMet", "True")])
        ),
        with("sync-6", 6, json!([condition("Suspended", "True")])),
        with(
            "sync-7",
            7,
            json!([
                condition("FailureTarget", "True"),
                condition("Failed", "True")
            ])
        ),
        with(
            "sync-8",
            8,
            json!([
                condition("SuccessCriteriaMet", "True"),
                condition("Complete", "True")
            ])
        ),
    ]);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    let file = files.write("statuses", &list.to_string());
    let document = from_file(&file, &["-o", "json"]).exits(0).json();
    let told: Vec<String> = jobs_of(&document)
        .into_iter()
        .zip(verdicts(&document))
        .map(|(job, verdict)| format!("{verdict} {}", text(job, "status")))
        .collect();
    assert_eq!(
        told,
        [
            "sync-8 SKIP newest Complete",
            "sync-7 PURGE superseded Failed",
            "sync-6 SKIP active Suspended",
            "sync-5 SKIP active SuccessCriteriaMet",
            "sync-4 SKIP active FailureTarget",
            "sync-3 SKIP active Running",
            "sync-2 SKIP active Running",
            "sync-1 SKIP active,terminating Terminating",
        ]
    );
}
