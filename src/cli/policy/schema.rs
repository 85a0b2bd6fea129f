//! The JSON Schema of a policy, made from its types: what they cannot say by themselves is said here.

#![allow(
    dead_code,
    reason = "these types are what a schema is made of, and nothing is read into them"
)]

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{API_VERSION, KIND, Said};
use crate::{gitops::Mode, plan::group::MixedGroups, text::schema::add};

/// Rules for what is kept, for the groups of a whole company.
#[derive(JsonSchema)]
#[schemars(transform = policy)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyForm {
    /// The version of this form; fields may be added within a version.
    #[schemars(schema_with = "api_version")]
    api_version: String,
    #[schemars(schema_with = "kind")]
    kind: String,
    /// What is kept of groups that no rule is for, and what the rules start from.
    defaults: Option<DefaultsForm>,
    /// The first rule that is for a Job counts.
    #[schemars(length(min = 1))]
    rules: Option<Vec<RuleForm>>,
    /// Whether a Namespace with the annotation jobclean/keep keeps all of its Jobs [default: true]
    namespace_annotations: Option<bool>,
}

/// What is kept of groups that no rule is for, and what the rules start from.
#[derive(JsonSchema)]
#[schemars(transform = not_empty)]
#[serde(rename_all = "camelCase")]
struct DefaultsForm {
    #[serde(flatten)]
    said: Said,
    /// What to do with a group that holds Jobs of different families
    mixed_groups: Option<MixedGroups>,
    /// Take an ending of names that matches this regular expression for generated, before the known ones
    #[schemars(length(min = 1))]
    family: Option<String>,
    /// Whether to keep Jobs that Argo CD, Flux or Helm still want
    gitops: Option<Mode>,
}

/// What is kept of the groups of some Jobs.
#[derive(JsonSchema)]
#[schemars(transform = rule)]
struct RuleForm {
    /// What the rule is called; without a name it is called by its number
    #[serde(default)]
    #[schemars(schema_with = "name")]
    name: Option<String>,
    r#match: MatchForm,
    /// Keep every Job of the group
    hold: Option<bool>,
    #[serde(flatten)]
    said: Said,
}

/// Which Jobs the rule is for: all that is given must hold.
#[derive(JsonSchema)]
#[schemars(transform = not_empty)]
struct MatchForm {
    /// Their namespace is one of these; *, ? and [...] stand for several
    #[serde(default)]
    #[schemars(schema_with = "patterns")]
    namespaces: Option<Vec<String>>,
    /// Their labels match this label selector
    #[schemars(length(min = 1))]
    selector: Option<String>,
    /// They are grouped by an Argo CD application that is one of these; *, ? and [...] stand for several
    #[serde(default)]
    #[schemars(schema_with = "patterns")]
    applications: Option<Vec<String>>,
}

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
