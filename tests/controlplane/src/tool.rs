//! The plugin itself, for those that show it at work.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::{Context, Error, Result};

/// The root of the checkout that cargo runs in.
///
/// Clones may share a target folder, and then the path that is compiled in can be that of another clone.
pub fn checkout() -> PathBuf {
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR"));
    let running = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let folders = running.iter().flat_map(|folder| folder.ancestors());
    folders
        .chain(compiled.ancestors())
        .find(|folder| folder.join("tests/controlplane/go.mod").is_file())
        .map_or_else(|| compiled.join("../.."), Path::to_owned)
}

/// Builds the plugin of this checkout and returns its path, wherever the target folder is.
pub fn build_tool() -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = checkout().join("Cargo.toml");
    let name = "kubectl-jobclean";
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--package",
        name,
        "--bin",
        name,
        "--message-format=json-render-diagnostics",
    ]);
    command
        .arg("--manifest-path")
        .arg(manifest)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    // The variables that cargo sets for the package that it runs are not for this build: a build script that watches
    // them would build its package anew every time.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    let built = command.output().context("cannot run cargo")?;
    if !built.status.success() {
        return Err(Error::new(format!("{name} does not build")));
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| Error::new(format!("cargo does not say where {name} is")))
}
