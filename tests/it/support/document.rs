//! Reads the tool's documents, each of which follows the published schema.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

/// The schema as it is published.
pub static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let published = include_str!("../../../src/output/jobclean-v1.schema.json");
    serde_json::from_str(published).expect("the published schema is JSON")
});

/// The published schema, and one that also refuses the fields that it does not know: readers are to ignore them, but
/// the tool has no business writing them.
pub struct Schemas {
    /// For readers.
    pub open: Validator,
    /// For the tool.
    pub closed: Validator,
}

/// Both, compiled once.
pub static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let mut closed = SCHEMA.clone();
    close(&mut closed);
    let [open, closed] = [&*SCHEMA, &closed].map(|schema| {
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        options.build(schema).expect("a schema")
    });
    Schemas { open, closed }
});

/// Closes the objects of a schema; the rules between fields, which have no type, stay as they are.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            let is_object = object.get("type").is_some_and(|name| name == "object");
            if is_object && object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

/// What of a document does not follow the schema, in words.
pub fn faults(validator: &Validator, document: &Value) -> Vec<String> {
    validator
        .iter_errors(document)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect()
}

/// The document, or a failure unless it follows the schema and has no field that the schema does not know.
#[track_caller]
pub fn valid(document: Value) -> Value {
    let faults = faults(&SCHEMAS.closed, &document);
    assert!(
        faults.is_empty(),
        "not what the schema says:\n{}\n{document:#}",
        faults.join("\n")
    );
    document
}

/// The document that this JSON is.
#[track_caller]
pub fn from_json(text: &str) -> Value {
    let document: Value = serde_json::from_str(text)
        .unwrap_or_else(|why| panic!("not one JSON document: {why}\n{text}"));
    // Of several clusters there is a list of documents.
    if let Some(items) = document["items"].as_array() {
        items.iter().for_each(|item| drop(valid(item.clone())));
        return document;
    }
    valid(document)
}

/// The document that this YAML is.
#[track_caller]
pub fn from_yaml(text: &str) -> Value {
    valid(
        serde_saphyr::from_str(text)
            .unwrap_or_else(|why| panic!("not one YAML document: {why}\n{text}")),
    )
}

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

/// Takes out of a document how many bytes its Jobs take; each of them says it.
#[track_caller]
pub fn without_bytes(document: &mut Value) {
    let summary = document["summary"].as_object_mut().unwrap();
    summary.remove("purgeBytes");
    for group in document["groups"].as_array_mut().unwrap() {
        for job in group["jobs"].as_array_mut().unwrap() {
            let bytes = job.as_object_mut().unwrap().remove("bytes");
            assert!(bytes.is_some_and(|bytes| bytes.is_u64()), "{job}");
        }
    }
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
