//! Groups that hold Jobs of different families.

use controlplane::{Owner, State};
use serde_json::{Value, json};

use crate::support::control_plane::tool_as;
use crate::support::kubeconfig::{Files, arg};
use crate::support::saved_plan::Saved;
use crate::support::{ApiClient, LABEL, Space, plane, run as run_tool, tool, until, verdicts};

#[test]
fn a_mixed_group_is_held_split_or_merged() {
    let space = Space::with(&[
        ("db-migrate-1a2b3c", 1),
        ("create-user-1a2b3c", 2),
        ("db-migrate-0f9e8d", 3),
        ("create-user-77aa00", 4),
    ]);
    let held = space.plan(&[]);
    assert_eq!(
        held,
        [
            "db-migrate-1a2b3c SKIP mixed-group,newest",
            "create-user-1a2b3c SKIP mixed-group",
            "db-migrate-0f9e8d SKIP mixed-group",
            "create-user-77aa00 SKIP mixed-group",
        ]
    );
    assert_eq!(space.plan(&["--mixed-groups=hold"]), held);
    let mut split = space.plan(&["--mixed-groups=split"]);
    split.sort_unstable();
    assert_eq!(
        split,
        [
            "create-user-1a2b3c SKIP newest",
            "create-user-77aa00 PURGE superseded",
            "db-migrate-0f9e8d PURGE superseded",
            "db-migrate-1a2b3c SKIP newest",
        ]
    );
    assert_eq!(
        space.plan(&["--mixed-groups=merge"]),
        [
            "db-migrate-1a2b3c SKIP newest",
            "create-user-1a2b3c PURGE superseded",
            "db-migrate-0f9e8d PURGE superseded",
            "create-user-77aa00 PURGE superseded",
        ]
    );
    let run = space.run(&["--yes"]).exits(0);
    assert!(run.err.contains("warning"), "{}", run.story());
    assert_eq!(space.names().len(), 4);
    space
        .run(&["--yes", "--mixed-groups=split", "--cascade=background"])
        .exits(0);
    space.holds(&["create-user-1a2b3c", "db-migrate-1a2b3c"]);
}

#[test]
fn generated_endings_do_not_make_a_family() {
    let space = Space::with(&[
        ("prefix-3152469713", 1),
        ("prefix-a41f09c2", 2),
        ("prefix-xk2vz", 3),
        ("prefix-v2", 4),
        ("prefix-r12", 5),
        ("prefix-1.2.3", 6),
        ("prefix-v2-29000001-bcdf2", 7),
    ]);
    let plan = space.plan(&[]);
    assert_eq!(plan[0], "prefix-3152469713 SKIP newest");
    assert!(
        plan[1..]
            .iter()
            .all(|line| line.ends_with("PURGE superseded")),
        "{plan:?}"
    );
    assert_eq!(plan.len(), 7);
}

/// Hex without a digit, five letters with a vowel, and words are names; one such Job holds the group.
#[test]
fn words_make_a_family() {
    for word in ["sync-deadbeef", "sync-setup", "sync-version2", "sync"] {
        let space = Space::with(&[(word, 1), ("other-1a2b3c", 2), ("other-2b3c4d", 3)]);
        let plan = space.plan(&[]);
        assert!(
            plan.iter().all(|line| line.contains("mixed-group")),
            "{plan:?}"
        );
    }
    let space = Space::with(&[("sync-deadbeef", 1), ("sync-1a2b3c", 2)]);
    let plan = space.plan(&[]);
    assert!(
        plan.iter().all(|line| line.contains("mixed-group")),
        "{plan:?}"
    );
}

#[test]
fn the_originals_rule_can_be_had_exactly() {
    let space = Space::new();
    let uid = plane().cron_job(&space.name, "nightly").unwrap();
    space.seed(&[
        space.job("g", "one-1a2b3c", 1),
        space.job("g", "two-1a2b3c", 2).state(State::Suspended),
        space
            .job("g", "nightly-29000001", 3)
            .owner(Owner::cron_job("nightly", &uid)),
        space.job("h", "one-2b3c4d", 9),
    ]);
    space
        .run(&[
            "--yes",
            "--keep=1",
            "--include-active",
            "--include-owned",
            "--mixed-groups=merge",
            "--cascade=foreground",
        ])
        .exits(0);
    until("the older ones are gone", || space.names().len() == 2);
    space.holds(&["one-1a2b3c", "one-2b3c4d"]);
}

/// They pass for what the server completes a generateName with, and are words.
#[test]
fn words_of_five_consonants_make_a_family() {
    for words in [
        ["backup-mssql", "backup-pgsql"],
        ["probe-https", "probe-grpcs"],
        ["export-xhtml", "export-https"],
    ] {
        let space = Space::with(&[(words[0], 1), (words[1], 2)]);
        let plan = space.plan(&[]);
        let expected = [
            format!("{} SKIP mixed-group,newest", words[0]),
            format!("{} SKIP mixed-group", words[1]),
        ];
        assert_eq!(plan, expected);
        space.run(&["--yes"]).exits(0);
        space.holds(&words);
        // Each of them has newer versions of its own.
        let newer = format!("{}-1a2b3c", words[1]);
        space.seed(&[space.job("g", &newer, 0)]);
        let args = ["--yes", "--mixed-groups=split", "--cascade=background"];
        space.run(&args).exits(0);
        space.holds(&[words[0], &newer]);
    }
}

/// The server says itself that it completed the name: then five consonants are no word.
#[test]
fn what_the_server_completed_is_generated() {
    let space = Space::new();
    let admin = ApiClient::admin(plane());
    let containers = json!([{"name": "run", "image": "example.com/none:1"}]);
    // The older ones have names that another rule would take apart, or not at all.
    for name in [
        "sync-1a2b3c-mssql",
        "sync-1a2b3c-pgsql",
        "sync-1a2b3c-x2k9v",
    ] {
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "generateName": "sync-1a2b3c-", "labels": {LABEL: "g"}},
            "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
        });
        let (status, answer) = admin.ask("POST", &space.path(), Some(&job));
        assert_eq!(status, 201, "{answer}");
    }
    let drawn = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"generateName": "sync-1a2b3c-", "labels": {LABEL: "g"}},
        "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
    });
    let (status, answer) = admin.ask("POST", &space.path(), Some(&drawn));
    assert_eq!(status, 201, "{answer}");
    let run = space
        .run(&["--dry-run=client", "--include-active", "-o", "json"])
        .exits(0);
    let plan = run.json();
    assert_eq!(plan["summary"]["purge"], 3, "{plan:#}");
    for job in plan["groups"][0]["jobs"].as_array().unwrap() {
        assert_eq!(job["generateName"], "sync-1a2b3c-");
    }
    let split = space.run(&["--dry-run=client", "--mixed-groups=split", "-o", "json"]);
    let split = split.exits(0).json();
    assert_eq!(split["groups"].as_array().unwrap().len(), 1);
    assert_eq!(split["groups"][0]["family"], "sync-1a2b3c");
    // A saved plan knows it, too.
    let files = Files::new();
    let saved = files.path("plan.json");
    let args = [
        "--include-active",
        "--mixed-groups=split",
        "--save-plan",
        arg(&saved),
    ];
    space.run(&args).exits(0);
    let mut command = tool_as(plane().kubeconfig());
    command.args(["--plan", arg(&saved), "--yes", "--cascade=background"]);
    run_tool(command).exits(0);
    assert_eq!(space.names().len(), 1);
}

/// Makes suspended Jobs with these names and generateNames, and fails unless they are of different families.
#[track_caller]
fn are_of_different_families(jobs: &[(Option<&str>, String)]) {
    let space = Space::new();
    let admin = ApiClient::admin(plane());
    let containers = json!([{"name": "run", "image": "example.com/none:1"}]);
    for (name, generate_name) in jobs {
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "generateName": generate_name, "labels": {LABEL: "g"}},
            "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
        });
        let (status, answer) = admin.ask("POST", &space.path(), Some(&job));
        assert_eq!(status, 201, "{answer}");
    }
    let plan = space.plan(&["--include-active"]);
    assert!(
        plan.iter().all(|line| line.contains("mixed-group")),
        "{plan:?}"
    );
}

/// What was given as the name, whatever generateName says besides, is a name like any other.
#[test]
fn a_generate_name_that_was_not_completed_says_nothing() {
    are_of_different_families(&[
        (Some("backup-mssql"), "back".to_owned()),
        (Some("backup-mysql"), "backup-".to_owned()),
    ]);
}

/// The server keeps 58 characters of it, and what it cut off may be all that tells two Jobs apart.
#[test]
fn a_generate_name_that_was_cut_off_makes_no_family() {
    let jobs = ["export", "import"].map(|step| (None, format!("{}-{step}-", "a".repeat(58))));
    are_of_different_families(&jobs);
}

/// A file says of generateName what the server would.
#[test]
fn a_file_tells_a_generate_name() {
    let files = Files::new();
    let job = |name: &str, generate_name: Value, hour: u32| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "generateName": generate_name, "namespace": "team",
                         "creationTimestamp": format!("2026-01-01T0{hour}:00:00Z"), "labels": {LABEL: "g"}},
            "status": {"conditions": [{"type": "Complete", "status": "True"}]},
        })
    };
    let plan = |base: Value| {
        let jobs = [
            job("nightly-mssql", base.clone(), 2),
            job("nightly-pgsql", base, 1),
        ];
        let list = json!({"apiVersion": "v1", "kind": "List", "items": jobs});
        let yaml = serde_saphyr::to_string(&list).unwrap();
        let plans = [list.to_string(), yaml].map(|text| {
            let mut command = tool();
            let file = files.write("jobs", &text);
            command.args(["-f", arg(&file), "-L", LABEL, "-o", "json"]);
            verdicts(&run_tool(command).exits(0).json())
        });
        assert_eq!(plans[0], plans[1]);
        plans[0].join(", ")
    };
    assert_eq!(
        plan("nightly-".into()),
        "nightly-mssql SKIP newest, nightly-pgsql PURGE superseded"
    );
    for none in [Value::Null, "".into(), "weekly-".into()] {
        assert_eq!(
            plan(none),
            "nightly-mssql SKIP mixed-group,newest, nightly-pgsql SKIP mixed-group"
        );
    }
}

/// The saved plan's word for it has to fit the name.
#[test]
fn a_saved_plan_is_not_believed_where_its_generate_name_does_not_fit() {
    let space = Space::with(&[("sync-x7k2p", 1), ("sync-b4n9q", 2)]);
    for base in ["sync-x7k2p", "other-", ""] {
        let saved = Saved::of(&space, &[]);
        saved.edit(|plan| plan["groups"][0]["jobs"][1]["generateName"] = base.into());
        saved.run(&["--yes"]).exits(1).complains(&["generateName"]);
    }
    let saved = Saved::of(&space, &[]);
    saved.edit(|plan| plan["groups"][0]["jobs"][1]["generateName"] = "sync-".into());
    saved.run(&["--yes"]).exits(0);
    space.holds(&["sync-x7k2p"]);
}
