//! Credential plugins that take note of how they are called.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::kubeconfig::{Files, arg};

/// The version of today.
pub const V1: &str = "client.authentication.k8s.io/v1";
/// The one before it.
pub const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// A plugin that takes note of what it is told at each call.
pub struct Plugin {
    /// Its program.
    pub path: PathBuf,
    calls: PathBuf,
}

impl Plugin {
    /// One that then goes on with this script, in which `$call` is the number of the call, from 1.
    pub fn new(files: &Files, script: &str) -> Self {
        let calls = files.path("calls");
        let calls_arg = arg(&calls);
        let path = files.write(
            "plugin",
            &format!(
                "#!/bin/sh\necho \"$KUBERNETES_EXEC_INFO\" | tr -d '\\n' >>'{calls_arg}'; echo >>'{calls_arg}'\n\
                 call=$(grep -c . '{calls_arg}')\n{script}\n"
            ),
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self { path, calls }
    }

    /// One that prints this.
    pub fn printing(files: &Files, printed: &Value) -> Self {
        let file = files.write("printed", &printed.to_string());
        Self::new(files, &format!("cat '{}'", arg(&file)))
    }

    /// One that prints the first of these the first time, and then the second.
    pub fn changing(files: &Files, first: &Value, second: &Value) -> Self {
        let first = files.write("first", &first.to_string());
        let second = files.write("second", &second.to_string());
        let (first, second) = (arg(&first), arg(&second));
        Self::new(
            files,
            &format!("case $call in 1) cat '{first}';; *) cat '{second}';; esac"),
        )
    }

    /// What it was told since this was asked last, a call each.
    pub fn take(&self) -> Vec<Value> {
        let calls = fs::read_to_string(&self.calls).unwrap_or_default();
        let _ = fs::remove_file(&self.calls);
        let told = calls
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        told.collect()
    }

    /// The user of a kubeconfig who has it.
    pub fn exec(&self, more: Value) -> Value {
        exec(&self.path, more)
    }
}

/// The user of a kubeconfig who has this command for a plugin that does not ask, with more of its settings.
pub fn exec(command: &Path, more: Value) -> Value {
    let mut exec = json!({"apiVersion": V1, "interactiveMode": "Never", "command": command});
    exec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"exec": exec})
}

/// What a plugin prints.
pub fn credential(version: &str, status: Value) -> Value {
    json!({"apiVersion": version, "kind": "ExecCredential", "status": status})
}

/// The same with just a token.
pub fn token(token: &str) -> Value {
    credential(V1, json!({"token": token}))
}
