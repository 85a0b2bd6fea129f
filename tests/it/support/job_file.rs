//! Jobs in a file, and the tool on it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::document::verdicts;
use super::files::arg;
use super::tool::{LABEL, Run, run, tool};

/// The tool on a file.
pub fn command(file: &str, args: &[&str]) -> Command {
    let mut command = tool();
    command.args(["-L", LABEL, "-f", file]).args(args);
    command
}

/// What it does.
pub fn from_file(file: &Path, args: &[&str]) -> Run {
    run(command(arg(file), args))
}

/// The plan of a file, a line a Job.
#[track_caller]
pub fn plan(file: &Path, args: &[&str]) -> Vec<String> {
    verdicts(
        &from_file(file, &[args, &["-o", "json"]].concat())
            .exits(0)
            .json(),
    )
}

/// A Job as kubectl prints it.
pub fn job(name: &str, day: u32) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": name, "namespace": "team", "uid": format!("uid-{name}"), "resourceVersion": "7",
            "creationTimestamp": format!("2026-01-{day:02}T00:00:00Z"),
            "labels": {LABEL: "g", "env": "prod"},
        },
        "spec": {"template": {}},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]},
    })
}
