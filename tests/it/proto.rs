//! Kubernetes' own protobuf, written by the book: from an object's JSON and the `generated.proto` files of the very
//! version that the control plane is built from. Nothing here knows the tool's own messages.

use std::{collections::BTreeMap, fs, path::Path, process::Command, sync::LazyLock};

use jiff::Timestamp;
use serde_json::Value;

/// The messages of `batch/v1` and of all that it is made of.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::load);

const META: &str = "k8s.io.apimachinery.pkg.apis.meta.v1";
const QUANTITIES: &str = "map<string,.k8s.io.apimachinery.pkg.api.resource.Quantity>";
const UNKNOWN: &str = "k8s.io.apimachinery.pkg.runtime.Unknown";

/// Messages by their full names.
#[derive(Debug, Default)]
pub struct Schema(BTreeMap<String, Vec<Field>>);

#[derive(Debug, PartialEq, Eq)]
struct Field {
    number: u64,
    name: String,
    /// A scalar's name, `map<string,string>`, or the full name of a message.
    kind: String,
}

impl Schema {
    /// Read the files from where Go keeps its modules.
    fn load() -> Schema {
        let mut schema = Schema::default();
        for (module, files) in [
            ("k8s.io/api", &["batch/v1", "core/v1"][..]),
            (
                "k8s.io/apimachinery",
                &[
                    "pkg/apis/meta/v1",
                    "pkg/runtime",
                    "pkg/api/resource",
                    "pkg/util/intstr",
                ],
            ),
        ] {
            let folder = module_folder(module);
            for file in files {
                let path = Path::new(&folder).join(file).join("generated.proto");
                let text = fs::read_to_string(&path).unwrap_or_else(|error| {
                    panic!("cannot read {file}/generated.proto of {module}: {error}")
                });
                schema.parse(&text);
            }
        }
        schema
    }

    fn parse(&mut self, text: &str) {
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
    fn message(&self, message: &str, object: &Value) -> Vec<u8> {
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

/// Where Go keeps the version of a module that the control plane is built from. Fetches it if it is not there yet.
fn module_folder(module: &str) -> String {
    let folder = go(&["list", "-m", "-f", "{{.Dir}}", module]);
    if !folder.is_empty() {
        return folder;
    }
    go(&["mod", "download", module]);
    go(&["list", "-m", "-f", "{{.Dir}}", module])
}

fn go(arguments: &[&str]) -> String {
    let output = Command::new("go")
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controlplane"))
        .output()
        .expect("Go is installed: the tests build the control plane with it");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "go {arguments:?}: {told}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What `.proto` text says is what is read from it.
#[test]
fn proto_text_is_understood() {
    let mut schema = Schema::default();
    schema.parse(
        "package a.b;\n// message Not {\nmessage One {\n  // optional string not = 9;\n  optional string name = 3;\n\n  \
         repeated .c.d.Two twos = 1;\n  map<string, string> labels = 300;\n  optional Three three = 4;\n}\n",
    );
    let field = |number, name: &str, kind: &str| Field {
        number,
        name: name.to_owned(),
        kind: kind.to_owned(),
    };
    assert_eq!(
        schema.fields("a.b.One"),
        [
            field(3, "name", "string"),
            field(1, "twos", "c.d.Two"),
            field(300, "labels", "map<string,string>"),
            field(4, "three", "a.b.Three"),
        ]
    );
    let object = serde_json::json!({"name": "é", "labels": {"k": ""}});
    assert_eq!(
        schema.message("a.b.One", &object),
        b"\x1a\x02\xc3\xa9\xe2\x12\x05\x0a\x01k\x12\x00"
    );
}
