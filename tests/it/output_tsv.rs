//! `-o tsv` is a row a Job that says all of it; `-o name` is refused where a name does not say all of it.

use serde_json::{Value, json};

use crate::support::control_plane::{everywhere, job_in};
use crate::support::kubeconfig::{Files, arg};
use crate::support::{LABEL, Run, Space, Terminal, audit, run, tool};

const HEADERS: [&str; 8] = [
    "NAMESPACE",
    "NAME",
    "UID",
    "GROUP",
    "VERDICT",
    "REASONS",
    "STATUS",
    "CREATED",
];

fn rows(run: &Run) -> Vec<Vec<&str>> {
    run.out
        .lines()
        .map(|line| line.split('\t').collect())
        .collect()
}

/// Two namespaces with a group of two each, on a label key of their own.
fn two(key: &str) -> [Space; 2] {
    let mut spaces = [Space::new(), Space::new()];
    spaces.sort_by(|a, b| a.name.cmp(&b.name));
    for space in &spaces {
        space.seed(&[2, 1].map(|age| {
            let name = format!("sync-{age}");
            job_in(&space.name, key, "g", &name, age)
        }));
    }
    spaces
}

#[test]
fn a_row_says_all_of_a_job() {
    let key = "test.example/tsv";
    let spaces = two(key);
    let plan = run(everywhere(key, &["--dry-run=client", "-o", "tsv"])).exits(0);
    let rows = rows(&plan);
    assert_eq!(rows[0], HEADERS);
    assert_eq!(rows.len(), 5);
    let mut at = 1;
    for space in &spaces {
        let jobs = space.list();
        for (name, verdict, reason) in [
            ("sync-1", "SKIP", "newest"),
            ("sync-2", "PURGE", "superseded"),
        ] {
            let job = jobs
                .iter()
                .find(|job| job["metadata"]["name"] == name)
                .unwrap();
            let text = |field: &str| job["metadata"][field].as_str().unwrap();
            let group = format!("{key}=g");
            let expected = [
                &space.name,
                name,
                text("uid"),
                &group,
                verdict,
                reason,
                "Complete",
                text("creationTimestamp"),
            ];
            assert_eq!(rows[at], expected);
            at += 1;
        }
    }
    let bare = run(everywhere(
        key,
        &["--dry-run=client", "-o", "tsv", "--no-headers"],
    ))
    .exits(0);
    assert_eq!(plan.out.split_once('\n').unwrap().1, bare.out);
}

#[test]
fn a_report_has_outcomes() {
    let key = "test.example/tsv-report";
    let spaces = two(key);
    for (mode, outcome) in [("--dry-run", "would-delete"), ("--yes", "deleted")] {
        let args = [mode, "--cascade=background", "-o", "tsv"];
        let report = run(everywhere(key, &args)).exits(0);
        let rows = rows(&report);
        assert_eq!(rows[0][..8], HEADERS);
        assert_eq!(rows[0][8], "OUTCOME");
        let outcomes: Vec<(&str, &str)> = rows[1..].iter().map(|row| (row[4], row[8])).collect();
        assert_eq!(
            outcomes,
            [
                ("SKIP", ""),
                ("PURGE", outcome),
                ("SKIP", ""),
                ("PURGE", outcome)
            ]
        );
        assert!(
            report.err.contains(&format!("2 {outcome}")),
            "{}",
            report.story()
        );
    }
    spaces.iter().for_each(|space| space.holds(&["sync-1"]));
}

/// People are told the totals on stderr; a row is a Job and nothing else.
#[test]
fn the_totals_stand_beside_the_rows() {
    const TOTALS: &str = "1 group, 3 Jobs: 1 SKIP, 2 PURGE";
    let space = Space::three();
    let files = Files::new();
    let saved = files.path("plan.json");
    let list = json!({"apiVersion": "batch/v1", "kind": "JobList", "items": space.list()});
    let file = files.write("jobs.json", &list.to_string());
    let mut from_file = tool();
    from_file.args(["-f", arg(&file), "-L", LABEL]);
    for (mut command, code) in [
        (space.tool(&["--dry-run=client"]), 0),
        (space.tool(&["--dry-run"]), 0),
        (space.tool(&["--save-plan", arg(&saved)]), 0),
        (space.tool(&["--yes", "--max-purge=1"]), 5),
        (space.tool(&[]), 2),
        (from_file, 0),
        (space.tool(&["--yes", "--cascade=background"]), 0),
    ] {
        command.args(["-o", "tsv", "--no-headers"]);
        let run = run(command).exits(code);
        assert_eq!(rows(&run).len(), 3, "{}", run.story());
        assert_eq!(run.err.matches(TOTALS).count(), 1, "{}", run.story());
    }
    let quiet = space.run(&["--dry-run=client", "-o", "tsv", "-q"]).exits(0);
    assert_eq!(quiet.err, "");
}

/// With nothing to show there is still a header, so that a program knows the columns.
#[test]
fn no_jobs_are_no_rows() {
    let space = Space::new();
    let run = |args: &[&str]| {
        space
            .run(&[&["-o", "tsv", "--yes"], args].concat())
            .exits(0)
    };
    assert_eq!(run(&[]).out, format!("{}\tOUTCOME\n", HEADERS.join("\t")));
    assert_eq!(run(&["--no-headers"]).out, "");
}

/// As with the other forms for programs, people see the plan on stderr before the question.
#[test]
fn the_question_stands_below_a_table() {
    let space = Space::three();
    let mut terminal = Terminal::start(&space.tool(&["-o", "tsv", "--cascade=background"]), 200);
    terminal.wait_for("[y/N/l]");
    let text = terminal.text();
    assert!(
        text.contains("superseded (2 of 3)") && !text.contains("CREATED"),
        "{text}"
    );
    terminal.enter("y");
    let left = terminal.finish().exits(0);
    assert!(
        left.text.contains("OUTCOME") && left.text.contains("deleted"),
        "{}",
        left.text
    );
    space.holds(&["sync-3"]);
}

/// Nothing from a cluster or a file can break a row.
#[test]
fn a_row_stays_a_row() {
    let files = Files::new();
    let job = |name: &str, uid: &str, day: u32| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": name, "namespace": "a\tb\nc", "uid": uid, "labels": {LABEL: "x\r\ty"},
                "creationTimestamp": format!("2026-01-0{day}T00:00:00Z"),
            },
        })
    };
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [job("o\u{202e}ne", "u\t1", 1), job("two", "u2", 2)]});
    let file = files.write("jobs.json", &list.to_string());
    let mut command = tool();
    command.args(["-f", arg(&file), "-L", LABEL, "-o", "tsv"]);
    let shown = run(command).exits(0);
    let rows = rows(&shown);
    assert_eq!(rows.len(), 3, "{}", shown.out);
    assert!(rows.iter().all(|row| row.len() == 8), "{}", shown.out);
    assert!(!shown.out.contains('\u{202e}') && !shown.out.contains('\r'));
}

#[test]
fn names_without_namespaces_are_refused_where_there_are_several() {
    let key = "test.example/tsv-names";
    let spaces = two(key);
    let files = Files::new();
    let saved = files.path("plan.json");
    let items: Vec<Value> = spaces.iter().flat_map(Space::list).collect();
    let list = json!({"apiVersion": "batch/v1", "kind": "JobList", "items": items});
    let file = files.write("jobs.json", &list.to_string());
    run(everywhere(key, &["--save-plan", arg(&saved)])).exits(0);
    let mut from_file = tool();
    from_file.args(["-f", arg(&file), "-L", key, "-o", "name"]);
    for command in [
        everywhere(key, &["-o", "name", "--dry-run=client"]),
        everywhere(key, &["-o", "name", "--dry-run"]),
        everywhere(key, &["-o", "name", "--yes"]),
        everywhere(key, &["-o", "name"]),
        from_file,
    ] {
        let refused = run(command).exits(2).complains(&["-o name", "-o tsv"]);
        assert_eq!(refused.out, "", "{}", refused.story());
    }
    let mut carried_out =
        crate::support::control_plane::tool_as(crate::support::plane().kubeconfig());
    carried_out.args(["--plan", arg(&saved), "--yes", "-o", "name"]);
    run(carried_out).exits(2).complains(&["-o tsv"]);
    for space in &spaces {
        space.holds(&["sync-1", "sync-2"]);
        assert!(audit::all(&space.name, "delete").is_empty());
    }
    // One namespace is enough of a name.
    let mut one = crate::support::control_plane::tool_as(crate::support::plane().kubeconfig());
    one.args([
        "-n",
        &spaces[0].name,
        "-L",
        key,
        "-o",
        "name",
        "--dry-run=client",
    ]);
    assert_eq!(run(one).exits(0).out, "job.batch/sync-2\n");
}
