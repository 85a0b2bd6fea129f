//! Kubernetes' own protobuf, written by the book: from an object's JSON and the fields that `field_numbers.proto` lists, which
//! another test compares with Kubernetes' own files. Nothing here knows the tool's own messages.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::Timestamp;
use serde_json::Value;

/// The fields of the objects that the tests write.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut schema = Schema::default();
    schema.parse(include_str!("field_numbers.proto"));
    schema
});

const META: &str = "k8s.io.apimachinery.pkg.apis.meta.v1";
const QUANTITIES: &str = "map<string,.k8s.io.apimachinery.pkg.api.resource.Quantity>";
const UNKNOWN: &str = "k8s.io.apimachinery.pkg.runtime.Unknown";

/// Messages by their full names.
#[derive(Debug, Default)]
pub struct Schema(pub BTreeMap<String, Vec<Field>>);

/// A field of a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    pub number: u64,
    pub name: String,
    /// A scalar's name, `map<string,string>`, or the full name of a message.
    pub kind: String,
}

impl Schema {
    /// Takes in what a file declares.
    pub fn parse(&mut self, text: &str) {
        let mut package = "";
        let mut message = None;
        for line in text.lines().map(str::trim) {
            let words: Vec<&str> = line.trim_end_matches(';').split_whitespace().collect();
            match words.as_slice() {
                ["package", name] => package = name,
                ["message", name, "{"] => {
                    let name = format!("{package}.{name}");
                    self.0.insert(name.clone(), Vec::new());
                    message = Some(name);
                }
                ["}"] => message = None,
                ["optional" | "repeated", kind, name, "=", number] => {
                    self.field(package, &message, kind, name, number);
                }
                ["map<string,", value, name, "=", number] => {
                    let kind = format!("map<string,{value}");
                    self.field(package, &message, &kind, name, number);
                }
                _ => {}
            }
        }
    }

    fn field(
        &mut self,
        package: &str,
        message: &Option<String>,
        kind: &str,
        name: &str,
        number: &str,
    ) {
        let kind = match kind.strip_prefix('.') {
            Some(full) => full.to_owned(),
            None if kind.starts_with(char::is_uppercase) => format!("{package}.{kind}"),
            None => kind.to_owned(),
        };
        let fields = message.as_ref().and_then(|message| self.0.get_mut(message));
        fields.expect("a message around a field").push(Field {
            number: number.parse().expect("a field number"),
            name: name.to_owned(),
            kind,
        });
    }

    fn fields(&self, message: &str) -> &[Field] {
        self.0
            .get(message)
            .unwrap_or_else(|| panic!("no message {message}"))
    }

    /// The body of an answer that holds this object, as kube-apiserver writes it.
    pub fn body(&self, message: &str, object: &Value) -> Vec<u8> {
        let raw = self.message(message, object);
        let mut body = b"k8s\0".to_vec();
        for field in self.fields(UNKNOWN) {
            let content = match field.name.as_str() {
                "typeMeta" => self.message(&field.kind, &only(object, &["apiVersion", "kind"])),
                "raw" => raw.clone(),
                _ => Vec::new(),
            };
            delimited(&mut body, field.number, &content);
        }
        body
    }

    /// The object without `apiVersion` and `kind`, which are not part of the messages.
    pub fn message(&self, message: &str, object: &Value) -> Vec<u8> {
        let fields = self.fields(message);
        let members = object.as_object().expect("an object");
        let has = |name: &str| fields.iter().any(|field| field.name == name);
        for name in members.keys() {
            let known = has(name) || name == "apiVersion" || name == "kind";
            assert!(known, "{message} has no field {name}");
        }
        let mut out = Vec::new();
        for field in fields {
            match members.get(&field.name) {
                None => {}
                Some(Value::Array(items)) => {
                    for item in items {
                        self.value(&mut out, field, item);
                    }
                }
                Some(value) => self.value(&mut out, field, value),
            }
        }
        out
    }

    fn value(&self, out: &mut Vec<u8>, field: &Field, value: &Value) {
        let special = field.kind.strip_prefix(META).unwrap_or(&field.kind);
        match (special, value) {
            // Go writes a Time that is not set as an empty message, and as null in JSON.
            (".Time" | ".MicroTime", Value::Null) => delimited(out, field.number, &[]),
            (".Time" | ".MicroTime", Value::String(text)) => {
                let stamp: Timestamp = text.parse().expect("a time");
                let mut time = Vec::new();
                number(&mut time, 1, stamp.as_second());
                number(&mut time, 2, 0);
                delimited(out, field.number, &time);
            }
            (".FieldsV1", fields) => {
                let mut raw = Vec::new();
                delimited(&mut raw, 1, fields.to_string().as_bytes());
                delimited(out, field.number, &raw);
            }
            ("k8s.io.apimachinery.pkg.api.resource.Quantity", Value::String(text)) => {
                let mut quantity = Vec::new();
                delimited(&mut quantity, 1, text.as_bytes());
                delimited(out, field.number, &quantity);
            }
            (QUANTITIES, Value::Object(entries)) => {
                for (key, value) in entries {
                    let mut quantity = Vec::new();
                    let value = value.as_str().expect("a text");
                    delimited(&mut quantity, 1, value.as_bytes());
                    let mut entry = Vec::new();
                    delimited(&mut entry, 1, key.as_bytes());
                    delimited(&mut entry, 2, &quantity);
                    delimited(out, field.number, &entry);
                }
            }
            ("map<string,string>", Value::Object(entries)) => {
                for (key, value) in entries {
                    let mut entry = Vec::new();
                    delimited(&mut entry, 1, key.as_bytes());
                    let value = value.as_str().expect("a text");
                    delimited(&mut entry, 2, value.as_bytes());
                    delimited(out, field.number, &entry);
                }
            }
            ("string", Value::String(text)) => delimited(out, field.number, text.as_bytes()),
            ("bool", Value::Bool(yes)) => number(out, field.number, (*yes).into()),
            ("int32" | "int64", Value::Number(value)) => {
                number(out, field.number, value.as_i64().expect("a whole number"));
            }
            (_, Value::Object(_)) => {
                delimited(out, field.number, &self.message(&field.kind, value));
            }
            _ => panic!("{} is no {}: {value}", field.name, field.kind),
        }
    }
}

fn only(object: &Value, names: &[&str]) -> Value {
    let member = |name: &&str| ((*name).to_owned(), object[*name].clone());
    Value::Object(names.iter().map(member).collect())
}

fn number(out: &mut Vec<u8>, field: u64, value: i64) {
    varint(out, field << 3);
    varint(out, value.cast_unsigned());
}

/// A string, bytes or message.
fn delimited(out: &mut Vec<u8>, field: u64, content: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
