//! The field numbers that the tests write protobuf with are those of Kubernetes' own `generated.proto` files, in the very
//! version that the control plane is built from.

use std::{fs, path::Path, process::Command};

use crate::support::proto::{Field, SCHEMA, Schema};

/// Reads the files from where Go keeps its modules.
fn of_go() -> Schema {
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
        .current_dir(controlplane::checkout().join("tests/controlplane"))
        .output()
        .expect("Go is installed: the tests build the control plane with it");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "go {arguments:?}: {told}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn the_field_numbers_are_those_of_kubernetes() {
    let theirs = of_go();
    for (message, fields) in &SCHEMA.0 {
        let known = theirs
            .0
            .get(message)
            .unwrap_or_else(|| panic!("no message {message}"));
        for field in fields {
            assert!(known.contains(field), "{message} has {field:?}");
        }
    }
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
        schema.0["a.b.One"],
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
