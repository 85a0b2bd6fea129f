//! Journals of runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::document::{jobs_of, text};

/// Its lines, each of which is whole and JSON.
#[track_caller]
pub fn lines(path: &Path) -> Vec<Value> {
    let journal = fs::read_to_string(path).unwrap();
    assert!(journal.is_empty() || journal.ends_with('\n'), "{journal}");
    journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect()
}

/// Those of one event.
pub fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

/// The names of the Jobs whose delete may have left and of which nothing more is known.
pub fn in_doubt(lines: &[Value]) -> BTreeSet<String> {
    let settled: BTreeSet<&str> = of(lines, "outcome")
        .iter()
        .map(|line| text(line, "uid"))
        .collect();
    of(lines, "sent")
        .into_iter()
        .filter(|line| !settled.contains(text(line, "uid")))
        .map(|line| text(line, "name").to_owned())
        .collect()
}

/// Fails unless these are the lines of one run that ended with this report: each planned PURGE has one outcome, which is
/// that of the report, and no Job is gone whose delete was not announced.
#[track_caller]
pub fn adds_up(lines: &[Value], report: &Value, exit: i32) {
    let (run, end) = (&lines[0], lines.last().unwrap());
    assert_eq!(run["event"], "run", "{run}");
    assert_eq!(run["purge"], report["summary"]["purge"], "{run}");
    assert_eq!(run["server"], report["cluster"]["server"], "{run}");
    assert_eq!(end["event"], "end", "{end}");
    assert_eq!(end["exit"], exit, "{end}");
    for (outcome, count) in report["summary"]["outcomes"].as_object().unwrap() {
        assert_eq!(end["outcomes"][outcome], *count, "{end}");
    }
    for line in lines {
        assert_eq!(line["run"], run["run"], "{line}");
    }
    let mut told = BTreeMap::new();
    for (place, line) in lines.iter().enumerate() {
        if line["event"] == "outcome" {
            let before = told.insert(text(line, "uid"), (place, line));
            assert!(before.is_none(), "twice: {line}");
        }
    }
    let mut sent = BTreeSet::new();
    for (place, line) in lines.iter().enumerate() {
        if line["event"] == "sent" {
            let (settled, _) = told[text(line, "uid")];
            assert!(place < settled, "{line}");
            sent.insert(text(line, "uid"));
        }
    }
    let purges: Vec<&Value> = jobs_of(report)
        .into_iter()
        .filter(|job| job["verdict"] == "PURGE")
        .collect();
    assert_eq!(told.len(), purges.len());
    for job in purges {
        let (_, line) = told[text(job, "uid")];
        for field in ["name", "outcome", "message"] {
            assert_eq!(line[field], job[field], "{line}");
        }
        if matches!(text(job, "outcome"), "deleted" | "terminating") {
            assert!(sent.contains(text(job, "uid")), "not announced: {job}");
        }
    }
}
