//! What `cargo metadata` knows of the plugin.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// The package that is released.
pub const PACKAGE: &str = "kubectl-jobclean";

/// The plugin's package and the folders around it.
#[derive(Clone, Debug)]
pub struct Project {
    /// The package's version, `0.1.0`.
    pub version: String,
    /// Where the project is at home; releases are below it. The only place that says so is `Cargo.toml`.
    pub repository: String,
    /// `package.metadata` of its `Cargo.toml`.
    pub metadata: Value,
    /// The folder of its `Cargo.toml`.
    pub root: PathBuf,
    /// Where cargo puts what it builds.
    pub target: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    repository: Option<String>,
    metadata: Value,
}

impl Project {
    /// The project that this crate is a part of.
    ///
    /// Clones may share a target folder, and then the path that is compiled in can be that of another clone.
    pub fn here() -> Result<Self> {
        let crate_folder = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        Self::at(&crate_folder.join("../.."))
    }

    /// The project whose `Cargo.toml` is in the folder `root`.
    pub fn at(root: &Path) -> Result<Self> {
        let output = cargo(root)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cannot run cargo")?;
        if !output.status.success() {
            bail!(
                "cargo metadata failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
        let is_plugin = |package: &Package| package.name == PACKAGE;
        let package = metadata.packages.into_iter().find(is_plugin);
        let package = package.with_context(|| format!("there is no package {PACKAGE}"))?;
        Ok(Self {
            version: package.version,
            repository: package
                .repository
                .context("Cargo.toml names no repository")?,
            metadata: package.metadata,
            root: metadata.workspace_root,
            target: metadata.target_directory,
        })
    }

    /// The tag of the release of this version.
    pub fn tag(&self) -> String {
        format!("v{}", self.version)
    }

    /// The address that the files of this version's release are below.
    pub fn downloads(&self) -> String {
        format!("{}/releases/download/{}", self.repository, self.tag())
    }
}

/// A cargo in this folder that takes nothing over from one that runs this program: what that says of the package it runs
/// would have build scripts that look at it, ring's for one, run anew each time.
pub fn cargo(folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let of_another = |name: &str| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        if name.to_str().is_some_and(of_another) {
            command.env_remove(name);
        }
    }
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command
}
