//! The platforms of a release.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

/// A platform, in the words that krew and Go use for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// krew's `os`.
    pub os: &'static str,
    /// krew's `arch`.
    pub arch: &'static str,
    /// The target that it is built for.
    pub target: &'static str,
}

/// All of them. Those on Linux are static: musl needs no library of the machine, and runs in an empty image.
pub const PLATFORMS: [Platform; 5] = [
    Platform::new("linux", "amd64", "x86_64-unknown-linux-musl"),
    Platform::new("linux", "arm64", "aarch64-unknown-linux-musl"),
    Platform::new("darwin", "amd64", "x86_64-apple-darwin"),
    Platform::new("darwin", "arm64", "aarch64-apple-darwin"),
    Platform::new("windows", "amd64", "x86_64-pc-windows-msvc"),
];

impl Platform {
    const fn new(os: &'static str, arch: &'static str, target: &'static str) -> Self {
        Self { os, arch, target }
    }

    /// The one that this program runs on.
    pub fn here() -> Result<Self> {
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            other => other,
        };
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        match PLATFORMS
            .into_iter()
            .find(|at| at.os == os && at.arch == arch)
        {
            Some(platform) => Ok(platform),
            None => bail!("there is no release for {os}_{arch}"),
        }
    }

    /// The binary's name in the archive.
    pub fn binary(&self) -> &'static str {
        match self.os {
            "windows" => "kubectl-jobclean.exe",
            _ => "kubectl-jobclean",
        }
    }

    /// The name of the archive of the release with this tag.
    pub fn archive(&self, tag: &str) -> String {
        format!("kubectl-jobclean_{tag}_{self}.tar.gz")
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.os, self.arch)
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = PLATFORMS.into_iter().find(|at| at.to_string() == name);
        found.ok_or_else(|| {
            let known: Vec<_> = PLATFORMS.iter().map(ToString::to_string).collect();
            format!("one of {} is expected", known.join(", "))
        })
    }
}
