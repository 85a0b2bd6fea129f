//! Reads the tool's documents.

use serde_json::Value;

/// A string field, or a failure that shows where it is missing.
#[track_caller]
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no text {field} in {value}"))
}

fn array<'a>(value: &'a Value, field: &str) -> &'a Vec<Value> {
    value[field]
        .as_array()
        .unwrap_or_else(|| panic!("no list {field} in {value}"))
}

/// All Jobs of a document, in its order.
pub fn jobs_of(document: &Value) -> Vec<&Value> {
    array(document, "groups")
        .iter()
        .flat_map(|group| array(group, "jobs"))
        .collect()
}

/// The reasons of a Job, sorted.
pub fn reasons_of(job: &Value) -> Vec<&str> {
    let mut reasons: Vec<&str> = array(job, "reasons")
        .iter()
        .map(|reason| reason.as_str().unwrap())
        .collect();
    reasons.sort_unstable();
    reasons
}

/// `NAME VERDICT REASON,REASON` of every Job, in the document's order.
pub fn verdicts(document: &Value) -> Vec<String> {
    jobs_of(document)
        .into_iter()
        .map(|job| {
            let reasons = reasons_of(job).join(",");
            format!("{} {} {reasons}", text(job, "name"), text(job, "verdict"))
        })
        .collect()
}

/// `NAME OUTCOME` of every Job that was to be purged; fails unless the counts add up.
#[track_caller]
pub fn outcomes(report: &Value) -> Vec<String> {
    assert_eq!(report["kind"], "Report", "{report:#}");
    let mut outcomes = Vec::new();
    for job in jobs_of(report) {
        if job["verdict"] == "PURGE" {
            outcomes.push(format!("{} {}", text(job, "name"), text(job, "outcome")));
        } else {
            assert_eq!(job.get("outcome"), None, "{job}");
        }
    }
    let counts = report["summary"]["outcomes"].as_object().unwrap();
    let sum: u64 = counts.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(report["summary"]["purge"], sum, "{report:#}");
    assert_eq!(outcomes.len() as u64, sum, "{report:#}");
    for (outcome, count) in counts {
        let told = outcomes
            .iter()
            .filter(|line| line.ends_with(&format!(" {outcome}")))
            .count();
        assert_eq!(*count, told, "{outcome} in {report:#}");
    }
    outcomes
}
