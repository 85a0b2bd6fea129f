//! What people read: tables, names, warnings.

use controlplane::SeedJob;
use serde_json::json;

use crate::support::control_plane::hours_ago;
use crate::support::document::text;
use crate::support::samples::alpha_and_beta;
use crate::support::{LABEL, Space, everywhere, plane, run};

#[test]
fn names_are_of_what_would_go_and_nothing_else() {
    let space = alpha_and_beta();
    let plan = space.run(&["--dry-run=client", "-o", "name"]).exits(0);
    assert_eq!(plan.out, "job.batch/sync-2\njob.batch/sync-1\n");
    let nothing = space
        .run(&["--dry-run=client", "-o", "name", "--keep=3"])
        .exits(0);
    assert_eq!(nothing.out, "");
}

fn rows(out: &str) -> Vec<Vec<&str>> {
    out.lines()
        .map(|line| line.split_whitespace().collect())
        .filter(|row: &Vec<_>| !row.is_empty())
        .collect()
}

#[test]
fn the_table_is_grouped_and_ends_with_the_totals() {
    let space = alpha_and_beta();
    let run = space.run(&["--dry-run=client"]).exits(0);
    let rows = rows(&run.out);
    assert_eq!(rows[0], ["VERDICT", "JOB", "STATUS", "AGE", "REASON"]);
    // A line names each group; below it its Jobs, newest first.
    let at = |word: &str| {
        rows.iter()
            .position(|row| row.contains(&word))
            .unwrap_or_else(|| panic!("{word}\n{}", run.story()))
    };
    for (earlier, later) in [
        ("sync-3", "sync-2"),
        ("sync-2", "sync-1"),
        ("sync-1", "load-1"),
    ] {
        assert!(at(earlier) < at(later), "{}", run.story());
    }
    assert_eq!(rows[at("sync-3")][..3], ["SKIP", "sync-3", "Complete"]);
    assert!(
        rows[at("sync-2")]
            .join(" ")
            .ends_with("superseded (2 of 3)"),
        "{}",
        run.story()
    );
    assert_eq!(rows[at("sync-1")][..3], ["PURGE", "sync-1", "Complete"]);
    let naming: Vec<usize> = (0..rows.len())
        .filter(|row| rows[*row].contains(&space.name.as_str()))
        .collect();
    assert_eq!(
        naming,
        [at("sync-3") - 1, at("load-1") - 1],
        "{}",
        run.story()
    );
    assert!(
        rows[naming[0]].join(" ").contains("alpha"),
        "{}",
        run.story()
    );
    let last = rows.last().unwrap().join(" ");
    for words in ["2 groups", "4 Jobs", "2 SKIP", "2 PURGE"] {
        assert!(last.contains(words), "{}", run.story());
    }
    assert_eq!(run.err, "", "{}", run.story());
}

#[test]
fn wide_adds_what_an_operator_may_ask_for() {
    let space = alpha_and_beta();
    let run = space.run(&["--dry-run=client", "-o", "wide"]).exits(0);
    let rows = rows(&run.out);
    for column in [
        "VERDICT", "JOB", "STATUS", "AGE", "REASON", "CREATED", "DURATION", "RANK", "UID", "OWNER",
    ] {
        assert!(rows[0].contains(&column), "{column}\n{}", run.story());
    }
    let job = &space.list()[2];
    assert_eq!(job["metadata"]["name"], "sync-2");
    let row = rows.iter().find(|row| row.contains(&"sync-2")).unwrap();
    assert!(
        row.contains(&text(&job["metadata"], "uid")),
        "{}",
        run.story()
    );
    assert!(
        row.contains(&text(&job["metadata"], "creationTimestamp")),
        "{}",
        run.story()
    );
    let complete = rows.iter().find(|row| row.contains(&"sync-1")).unwrap();
    assert!(
        complete.contains(&"60s") || complete.contains(&"1m"),
        "{}",
        run.story()
    );
}

#[test]
fn wide_names_the_owner() {
    let space = Space::new();
    let uid = plane().cron_job(&space.name, "nightly").unwrap();
    let owner = controlplane::Owner::cron_job("nightly", &uid);
    space.seed(&[space.job("g", "nightly-29000001", 1).owner(owner)]);
    let run = space.run(&["--dry-run=client", "-o", "wide"]).exits(0);
    let row = run
        .out
        .lines()
        .find(|line| line.contains("nightly-29000001"))
        .unwrap();
    assert!(row.contains("CronJob/nightly"), "{}", run.story());
}

#[test]
fn the_summary_has_a_row_a_group() {
    let space = alpha_and_beta();
    let run = space.run(&["--dry-run=client", "-o", "summary"]).exits(0);
    assert!(!run.out.contains("sync-1"), "{}", run.story());
    let rows = rows(&run.out);
    let row = |group: &str| {
        let row = rows
            .iter()
            .find(|row| row.iter().any(|cell| cell.contains(group)));
        row.unwrap_or_else(|| panic!("{group}\n{}", run.story()))
    };
    for (group, counts) in [("alpha", ["3", "1", "2"]), ("beta", ["1", "1", "0"])] {
        let row = row(group);
        assert_eq!(row[0], space.name);
        assert_eq!(row[2..5], counts, "{}", run.story());
    }
}

#[test]
fn headers_can_be_left_out() {
    let space = alpha_and_beta();
    for output in ["table", "wide", "summary"] {
        let with = space.run(&["--dry-run=client", "-o", output]).exits(0);
        let without = space
            .run(&["--dry-run=client", "-o", output, "--no-headers"])
            .exits(0);
        let header = if output == "summary" {
            "NAMESPACE"
        } else {
            "VERDICT"
        };
        assert!(with.out.contains(header), "{}", with.story());
        assert!(!without.out.contains(header), "{}", without.story());
        // Rows alone: neither the lines that name groups nor the totals.
        assert!(with.out.contains("PURGE\n"), "{}", with.story());
        assert!(!without.out.contains("PURGE\n"), "{}", without.story());
        let is_row = |line: &str| match output {
            "table" => line.contains("SKIP ") || line.contains("PURGE "),
            _ => line.contains(&space.name),
        };
        assert!(without.out.lines().all(is_row), "{}", without.story());
        assert!(without.out.lines().count() > 1, "{}", without.story());
    }
}

#[test]
fn warnings_go_to_stderr_and_into_the_document() {
    let space = Space::new();
    let long = "a".repeat(63);
    space.seed(&[
        space.job("mixed", "one-thing", 1),
        space.job("mixed", "other-thing", 2),
        space.job("future", "sync-1", -48),
        space.job(&long, "sync-2", 1),
    ]);
    let table = space.run(&["--dry-run=client"]).exits(0);
    let warnings: Vec<&str> = table.err.lines().collect();
    assert_eq!(warnings.len(), 3, "{}", table.story());
    assert!(
        warnings.iter().all(|line| line.starts_with("warning: ")),
        "{}",
        table.story()
    );
    for words in ["mixed", "sync-1", &long] {
        assert!(table.err.contains(words), "{words}\n{}", table.story());
    }
    assert!(!table.out.contains("warning"), "{}", table.story());
    let json = space.run(&["--dry-run=client", "-o", "json"]).exits(0);
    let document = json.json();
    let within = document["warnings"].as_array().unwrap();
    assert_eq!(within.len(), 3, "{document:#}");
    for warning in within {
        assert!(
            json.err.contains(warning.as_str().unwrap()),
            "{}",
            json.story()
        );
    }
    assert_eq!(space.run(&["--dry-run=client", "-q"]).exits(0).err, "");
}

#[test]
fn nothing_found_says_where_and_what_to_try() {
    let space = Space::new();
    space.seed(&[SeedJob::new(&space.name, "unlabelled", hours_ago(1))]);
    let here = space.run(&["--dry-run=client"]).exits(0);
    for words in [&space.name, LABEL, "-A", "-L"] {
        assert!(here.err.contains(words), "{words}\n{}", here.story());
    }
    let everywhere = run(everywhere("test.example/nowhere", &["--yes"])).exits(0);
    for words in ["test.example/nowhere", "-L"] {
        assert!(
            everywhere.err.contains(words),
            "{words}\n{}",
            everywhere.story()
        );
    }
    let document = space
        .run(&["--dry-run=client", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(document["groups"], json!([]));
    assert_eq!(
        document["summary"],
        json!({"groups": 0, "jobs": 0, "skip": 0, "purge": 0})
    );
    assert_eq!(
        document["warnings"].as_array().unwrap().len(),
        1,
        "{document:#}"
    );
}

/// A namespace that is not there is likely a typo; the list is empty all the same.
#[test]
fn a_selector_that_matches_nothing_is_named_too() {
    let space = alpha_and_beta();
    let run = space
        .run(&["--dry-run=client", "-l", "app=absent"])
        .exits(0);
    assert!(run.err.contains("app=absent"), "{}", run.story());
}
