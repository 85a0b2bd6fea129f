//! The binary of a platform.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::platform::Platform;
use crate::project::{PACKAGE, Project, cargo};

/// Builds the project's binary for a platform and returns its path. The same sources and compiler give the same bytes,
/// wherever the sources, cargo's home and the target folder are.
pub fn binary(project: &Project, platform: Platform) -> Result<PathBuf> {
    has_target(platform)?;
    let target = platform.target;
    let mut fetch = cargo(&project.root);
    fetch.args(["fetch", "--quiet", "--locked", "--target", target]);
    run(&mut fetch)?;

    let mut build = cargo(&project.root);
    build
        .args(["build", "--release", "--locked", "--package", PACKAGE])
        .args(["--bin", PACKAGE, "--target", target, "--target-dir"])
        .arg(&project.target)
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(project, platform)?)
        // The profile of Cargo.toml, whatever the environment says.
        .env("CARGO_INCREMENTAL", "0");
    if target.ends_with("-musl") {
        let compiler = format!("CC_{}", target.replace('-', "_"));
        if env::var_os(&compiler).is_none() {
            // Another C compiler would take the headers of this machine's C library.
            has_musl_gcc()?;
            build.env(compiler, "musl-gcc");
        }
    }
    run(&mut build)?;
    let binary = project.target.join(target).join("release");
    Ok(binary.join(platform.binary()))
}

/// Panics and the like name source files by their path. cargo names those of the project relative to it; those of the
/// dependencies lie in cargo's home, in a folder named after the registry that they came from, and generated ones in the
/// target folder.
fn rustflags(project: &Project, platform: Platform) -> Result<String> {
    let mut flags = Vec::new();
    let mut remap = |from: &Path, to: &str| {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    };
    // The last that fits counts.
    remap(&project.target, "target");
    let cargo_home = cargo_home()?;
    remap(&cargo_home, "cargo");
    let sources = cargo_home.join("registry").join("src");
    for registry in fs::read_dir(&sources).with_context(|| sources.display().to_string())? {
        remap(&registry?.path(), "registry");
    }
    if platform.os != "darwin" {
        flags.push("-Ctarget-feature=+crt-static".into());
    }
    if platform.os == "windows" {
        // Else the linker writes the time into the file.
        flags.push("-Clink-arg=/Brepro".into());
    }
    // The separator that cargo takes, so that paths may hold spaces.
    Ok(flags.join("\u{1f}"))
}

fn cargo_home() -> Result<PathBuf> {
    let named = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || env::home_dir().map(|home| home.join(".cargo"));
    named.or_else(home).context("there is no home folder")
}

fn has_target(platform: Platform) -> Result<()> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", platform.target])
        .output()
        .context("cannot run rustc")?;
    let folder = String::from_utf8(output.stdout)?;
    if !Path::new(folder.trim()).is_dir() {
        let target = platform.target;
        bail!(
            "Rust's standard library for {target} is not here; install it with `rustup target add {target}`"
        );
    }
    Ok(())
}

fn has_musl_gcc() -> Result<()> {
    let there = Command::new("musl-gcc")
        .arg("-dumpversion")
        .stdout(Stdio::null())
        .status();
    match there {
        Ok(status) if status.success() => Ok(()),
        _ => bail!("musl-gcc is not here; Debian and Ubuntu have it in the package musl-tools"),
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}
