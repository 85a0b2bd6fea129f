//! Holds a report against the cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{jobs_of, outcomes, reasons_of, text};

/// Fails unless what is left, as names and uids, is exactly what the report says, and each group keeps its newest.
#[track_caller]
pub fn account(report: &Value, left: &BTreeMap<String, String>) {
    let told = outcomes(report);
    let alive =
        |job: &Value| left.get(text(job, "name")).map(String::as_str) == job["uid"].as_str();
    let mut uids = BTreeSet::new();
    for job in jobs_of(report) {
        assert!(uids.insert(text(job, "uid")), "twice: {job}");
        let is_alive = alive(job);
        let as_told = match job["outcome"].as_str() {
            None => is_alive,
            Some("deleted" | "gone") => !is_alive,
            // It may have been replaced, which is a change, too.
            Some("changed") => left.contains_key(text(job, "name")),
            Some("not-attempted") => is_alive,
            // It is not known.
            Some("failed" | "terminating") => true,
            Some(_) => false,
        };
        assert!(
            as_told,
            "alive: {is_alive}, but it is told as {job}\n{told:#?}"
        );
    }
    for group in report["groups"].as_array().unwrap() {
        let jobs = group["jobs"].as_array().unwrap();
        let newest = jobs.iter().find(|job| reasons_of(job).contains(&"newest"));
        assert!(newest.is_some_and(alive), "without its newest: {group:#}");
    }
}

/// How many Jobs had this outcome.
#[track_caller]
pub fn count(report: &Value, outcome: &str) -> u64 {
    let told = outcomes(report);
    let suffix = format!(" {outcome}");
    told.iter().filter(|line| line.ends_with(&suffix)).count() as u64
}

/// The message beside the outcome of a Job.
#[track_caller]
pub fn message<'a>(report: &'a Value, name: &str) -> &'a str {
    let job = jobs_of(report).into_iter().find(|job| job["name"] == name);
    text(
        job.unwrap_or_else(|| panic!("no {name} in {report:#}")),
        "message",
    )
}
