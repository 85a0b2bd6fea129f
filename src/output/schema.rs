//! The JSON Schema of the document, made from its types: what they cannot say by themselves is said here.
//!
//! The published file leaves objects open, since fields may be added within a version and readers ignore those that
//! they do not know. Only what `--plan` reads back is closed.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::API_VERSION;
use crate::{
    gitops::{Answer, Mode},
    job::Job,
    plan::{
        report::{Outcome, RECREATED},
        retention::{KeepReason, SUPERSEDED},
    },
    text::schema::{add, words},
};

/// What holds between the fields of a document.
pub(super) fn document(schema: &mut Schema) {
    let every_job = |rule: Value| json!({"items": {"properties": {"jobs": {"items": rule}}}});
    let rules = json!({
        "oneOf": [{"required": ["cluster"]}, {"required": ["file"]}],
        "dependentRequired": {"saved": ["cluster"]},
        "if": {"properties": {"kind": {"const": "Report"}}},
        "then": {
            "required": ["cluster"],
            "properties": {
                "saved": false,
                "held": false,
                "summary": {"required": ["outcomes"]},
                "groups": every_job(json!({
                    "if": {"properties": {"verdict": {"const": "PURGE"}}},
                    "then": {"required": ["outcome"]},
                })),
            },
        },
        "else": {
            "properties": {
                "summary": {"properties": {"outcomes": false}},
                "groups": every_job(json!({"properties": {"outcome": false}})),
            },
        },
    });
    add(schema, rules);
}

/// What holds between the fields of a Job.
pub(super) fn job(schema: &mut Schema) {
    let rules = json!({
        "allOf": [
            {
                "if": {"properties": {"verdict": {"const": "PURGE"}}},
                "then": {"properties": {"reasons": {"items": {"const": SUPERSEDED}}}},
                "else": {"properties": {"reasons": {"items": {"not": {"const": SUPERSEDED}}}, "outcome": false}},
            },
            {
                "if": {"properties": {"outcome": {"enum": ["changed", "failed", "recreated"]}}, "required": ["outcome"]},
                "then": {"required": ["message"]},
                "else": {"properties": {"message": false}},
            },
            {
                "if": {"properties": {"reasons": {"contains": {"const": "terminating"}}}},
                "else": {"properties": {"deletionTimestamp": false}},
            },
            {
                "if": {"anyOf": [
                    {"properties": {"outcome": {"const": "terminating"}}, "required": ["outcome"]},
                    {"properties": {"reasons": {"contains": {"const": "terminating"}}}},
                ]},
                "else": {"properties": {"finalizers": false, "pods": false}},
            },
        ],
    });
    add(schema, rules);
}

pub(super) fn api_version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "const": API_VERSION})
}

pub(super) fn kind(_: &mut SchemaGenerator) -> Schema {
    words(&["Plan", "Report"])
}

pub(super) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

pub(super) fn status(_: &mut SchemaGenerator) -> Schema {
    words(&Job::STATUSES)
}

pub(super) fn verdict(_: &mut SchemaGenerator) -> Schema {
    words(&["SKIP", "PURGE"])
}

pub(super) fn reasons(_: &mut SchemaGenerator) -> Schema {
    let mut known = KeepReason::ALL.map(KeepReason::as_str).to_vec();
    known.push(SUPERSEDED);
    json_schema!({"type": "array", "items": words(&known), "minItems": 1, "uniqueItems": true})
}

pub(super) fn gitops_mode(_: &mut SchemaGenerator) -> Schema {
    words(&[Mode::Auto, Mode::Require, Mode::Ignore].map(Mode::as_str))
}

pub(super) fn gitops_answer(_: &mut SchemaGenerator) -> Schema {
    let answers = [
        Answer::NotAsked,
        Answer::Read,
        Answer::Absent,
        Answer::Forbidden,
        Answer::Broken(String::new()),
    ];
    words(&answers.each_ref().map(super::words::answer))
}

pub(super) fn says(_: &mut SchemaGenerator) -> Schema {
    words(&[KeepReason::Wanted, KeepReason::Unsettled].map(KeepReason::as_str))
}

pub(super) fn outcome(_: &mut SchemaGenerator) -> Schema {
    words(&Outcome::WORDS)
}

pub(super) fn outcomes(generator: &mut SchemaGenerator) -> Schema {
    let count = usize::json_schema(generator).to_value();
    let counts: serde_json::Map<String, Value> = Outcome::WORDS
        .iter()
        .map(|word| ((*word).to_owned(), count.clone()))
        .collect();
    let always: Vec<&str> = Outcome::WORDS
        .into_iter()
        .filter(|word| *word != RECREATED)
        .collect();
    json_schema!({
        "type": "object",
        "properties": counts,
        "required": always,
        "additionalProperties": false,
    })
}

/// Fields may be added within a version: `--plan` alone refuses those that it does not know.
pub(super) fn open(schema: &mut Schema) {
    schema.remove("additionalProperties");
}
