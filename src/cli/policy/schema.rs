//! The JSON Schema of a policy, made from its types: what they cannot say by themselves is said here.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{API_VERSION, KIND};
use crate::text::schema::add;

/// A typo in a field is an error.
fn close(schema: &mut Schema) {
    add(schema, json!({"additionalProperties": false}));
}

pub(super) fn policy(schema: &mut Schema) {
    let says_something = ["defaults", "rules", "namespaceAnnotations"];
    let says_something = says_something.map(|field| json!({"required": [field]}));
    add(schema, json!({"anyOf": says_something}));
    close(schema);
}

/// What must not stand there without anything in it.
pub(super) fn not_empty(schema: &mut Schema) {
    add(schema, json!({"minProperties": 1}));
    close(schema);
}

/// What is held needs no retention.
pub(super) fn rule(schema: &mut Schema) {
    let fields = schema.get("properties").and_then(Value::as_object);
    let others = fields.into_iter().flat_map(|fields| fields.keys());
    let retention = others.filter(|field| !["name", "match", "hold"].contains(&field.as_str()));
    let without: serde_json::Map<String, Value> = retention
        .map(|field| (field.clone(), json!(false)))
        .collect();
    let held = json!({
        "if": {"properties": {"hold": {"const": true}}, "required": ["hold"]},
        "then": {"properties": without},
    });
    add(schema, held);
    close(schema);
}

pub(super) fn api_version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "const": API_VERSION})
}

pub(super) fn kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "const": KIND})
}

pub(super) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        "not": {"const": crate::plan::rules::DEFAULTS},
    })
}

pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"})
}

pub(super) fn patterns(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1})
}
