//! The limit on how much a plan may purge: what is beyond it is shown and held.

use serde_json::json;

use crate::support::document;
use crate::support::kubeconfig::Files;
use crate::support::kubeconfig::arg;
use crate::support::{LABEL, Space, Terminal, audit, outcomes, run, tool};

/// Six Jobs, of which four are to go: two thirds.
fn six() -> Space {
    let space = Space::with(&[
        ("sync-1", 50),
        ("sync-2", 40),
        ("sync-3", 30),
        ("sync-4", 20),
        ("sync-5", 10),
    ]);
    space.seed(&[space.job("h", "other-1", 10)]);
    space
}

const TOO_LOW: [&str; 6] = ["3", "0", "1", "66%", "0%", "1%"];
const HIGH_ENOUGH: [&str; 5] = ["4", "5", "1000000", "67%", "100%"];

#[test]
fn a_plan_beyond_the_limit_is_shown_and_held() {
    let space = six();
    let before = space.versions();
    for limit in TOO_LOW {
        for extra in [
            &["--yes"][..],
            &[],
            &["--dry-run"],
            &["--dry-run=client"],
            &["--yes", "--cascade=background", "--concurrency=1"],
        ] {
            let args = [&["--max-purge", limit][..], extra].concat();
            let run = space.run(&args).exits(5).complains(&["--max-purge"]);
            let run = run.shows(&["sync-1", "sync-5", "other-1", "PURGE", "SKIP"]);
            assert!(!run.out.contains("deleted"), "{}", run.story());
        }
    }
    assert_eq!(space.versions(), before);
    // A dry run on the server does not try them either.
    assert!(audit::all(&space.name, "delete").is_empty());
}

#[test]
fn what_is_held_is_a_plan_in_every_format() {
    let space = six();
    let run = |format: &str| {
        space
            .run(&["--yes", "--max-purge=3", "-o", format])
            .exits(5)
    };
    let plan = run("json").json();
    assert_eq!(plan["kind"], "Plan");
    assert_eq!(plan["summary"]["purge"], 4);
    assert_eq!(plan["summary"].get("outcomes"), None);
    let yaml = document::from_yaml(&run("yaml").out);
    assert_eq!(yaml["groups"], plan["groups"]);
    let names = run("name").out;
    assert_eq!(
        names,
        "job.batch/sync-4\njob.batch/sync-3\njob.batch/sync-2\njob.batch/sync-1\n"
    );
    for format in ["wide", "summary"] {
        assert!(run(format).out.contains("4"), "{format}");
    }
}

/// The limit is what may go, not the first that may not.
#[test]
fn a_plan_within_the_limit_is_carried_out() {
    for limit in HIGH_ENOUGH {
        let space = six();
        let report = space
            .run(&["--dry-run", "-o", "json", "--max-purge", limit])
            .exits(0)
            .json();
        assert_eq!(outcomes(&report).len(), 4, "{limit}");
    }
    let space = six();
    space
        .run(&["--yes", "--cascade=background", "--max-purge=4"])
        .exits(0);
    space.holds(&["other-1", "sync-5"]);
}

/// Of the Jobs listed: those that have the label and match the selector, kept ones included.
#[test]
fn a_share_is_one_of_the_jobs_listed() {
    let space = six();
    space.seed(&[
        controlplane::SeedJob::new(
            &space.name,
            "bare-1",
            crate::support::control_plane::hours_ago(3),
        ),
        controlplane::SeedJob::new(
            &space.name,
            "bare-2",
            crate::support::control_plane::hours_ago(2),
        ),
    ]);
    let held = |args: &[&str]| {
        let run = space.run(&[args, &["--dry-run=client"]].concat());
        match run.code {
            Some(0) => false,
            Some(5) => true,
            _ => panic!("{}", run.story()),
        }
    };
    // 4 of 6: those without the label do not count.
    assert!(held(&["--max-purge=66%"]));
    assert!(!held(&["--max-purge=67%"]));
    // 4 of 5.
    let selector = format!("{LABEL}=g");
    assert!(held(&["-l", &selector, "--max-purge=79%"]));
    assert!(!held(&["-l", &selector, "--max-purge=80%"]));
    // 1 of 6, a sixth, is more than 16 hundredths.
    assert!(held(&["--keep=4", "--max-purge=16%"]));
    assert!(!held(&["--keep=4", "--max-purge=17%"]));
    // 3 of 6.
    assert!(held(&["--keep=2", "--max-purge=49%"]));
    assert!(!held(&["--keep=2", "--max-purge=50%"]));
}

#[test]
fn nothing_to_purge_is_within_every_limit() {
    let (space, empty) = (Space::with(&[("sync-1", 1)]), Space::new());
    for limit in ["0", "0%", "1"] {
        for extra in [&["--yes"][..], &[], &["--dry-run"]] {
            let args = [&["--max-purge", limit][..], extra].concat();
            space.run(&args).exits(0);
            empty.run(&args).exits(0);
        }
    }
    space.holds(&["sync-1"]);
}

#[test]
fn a_file_can_be_held_too() {
    let files = Files::new();
    let job = |name: &str, day: u32| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": name, "namespace": "team", "uid": name, "resourceVersion": "1",
                "creationTimestamp": format!("2026-01-{day:02}T00:00:00Z"),
                "labels": {LABEL: "g"},
            },
            "spec": {}, "status": {"conditions": [{"type": "Complete", "status": "True"}]},
        })
    };
    let items = [job("sync-1", 1), job("sync-2", 2), job("sync-3", 3)];
    let list = json!({"apiVersion": "batch/v1", "kind": "JobList", "items": items});
    let file = files.write("jobs.json", &list.to_string());
    let plan = |limit: &str| {
        let mut command = tool();
        command.args(["-f", arg(&file), "-L", LABEL, "--max-purge", limit]);
        run(command)
    };
    for limit in ["1", "66%"] {
        plan(limit).exits(5).shows(&["sync-1", "PURGE"]);
    }
    for limit in ["2", "67%"] {
        plan(limit).exits(0).shows(&["sync-1", "PURGE"]);
    }
}

/// The tool does not ask about a purge that it will not do.
#[test]
fn beyond_the_limit_nothing_is_asked() {
    let space = six();
    let left = Terminal::start(&space.tool(&["--max-purge=3"]), 160).finish();
    assert!(!left.text.contains("Purge 4"), "{}", left.text);
    assert!(left.text.contains("sync-1"), "{}", left.text);
    left.exits(5);
    assert_eq!(space.names().len(), 6);

    let mut terminal = Terminal::start(&space.tool(&["--max-purge=4"]), 160);
    terminal.wait_for("Purge 4 Jobs");
    terminal.enter("n");
    terminal.finish().exits(4);
}

#[test]
fn what_is_no_limit_is_a_mistake() {
    let space = six();
    for bad in [
        "",
        "-1",
        "+1",
        "1.5",
        "all",
        "%",
        "101%",
        "-1%",
        "5 %",
        "%5",
        "1e3",
        "10%%",
        "10 ",
        "0x4",
        "99999999999999999999999",
        "33.4.5%",
        "4,000",
        "٤",
    ] {
        let run = space
            .run(&["--yes", &format!("--max-purge={bad}")])
            .exits(2);
        assert_eq!(run.out, "", "{}", run.story());
        run.complains(&["error: ", "--max-purge"]);
    }
    space.run(&["--yes", "--max-purge"]).exits(2);
    space
        .run(&["--yes", "--max-purge=1", "--max-purge=100"])
        .exits(2);
    assert_eq!(space.names().len(), 6);
    assert!(audit::all(&space.name, "delete").is_empty());
}

/// A program that reads the plan is told that it is held, and why.
#[test]
fn a_document_says_that_the_plan_is_held() {
    let space = six();
    let files = Files::new();
    let items = json!({"apiVersion": "batch/v1", "kind": "JobList", "items": space.list()});
    let file = files.write("jobs.json", &items.to_string());
    let mut from_file = tool();
    from_file.args(["-f", arg(&file), "-L", LABEL]);
    for (mut command, limit) in [
        (space.tool(&["--yes"]), "50%"),
        (space.tool(&["--dry-run"]), "3"),
        (from_file, "0"),
    ] {
        command.args(["-o", "json", "--max-purge", limit]);
        let plan = run(command).exits(5).json();
        assert_eq!(
            plan["held"],
            json!({"maxPurge": limit, "purge": 4, "listed": 6})
        );
    }
    let plan = space
        .run(&["--dry-run=client", "-o", "json", "--max-purge=4"])
        .exits(0)
        .json();
    assert_eq!(plan.get("held"), None);
}
