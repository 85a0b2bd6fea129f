//! The pinned etcd, Kubernetes servers and kubectl, built from source once and kept in the user's cache folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::{self, lock};
use crate::error::{Context, Error, Result};
use crate::go;

const GO_MOD: &str = include_str!("../go.mod");
const GO_SUM: &str = include_str!("../go.sum");
pub(crate) const NAMES: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kubectl",
];

/// Where the four programs are.
#[derive(Clone)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Finds the programs: in `$KUBEBUILDER_ASSETS` if that is set, else in the user's cache folder, where they are
    /// built first if they are not there yet. That takes minutes, and says so on stderr.
    pub fn ensure() -> Result<Self> {
        if let Some(folder) = env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()) {
            return Self::given(PathBuf::from(folder));
        }
        let pinned = Pinned::parse(GO_MOD)?;
        let root = cache::root()?;
        let found = Self {
            folder: root.join(pinned.folder_name()),
        };
        if found.missing().is_empty() {
            return Ok(found);
        }
        fs::create_dir_all(&root).context(format_args!("cannot make {}", root.display()))?;
        let _lock = lock(
            &root.join("build.lock"),
            "another process builds the control plane; waiting for it",
        )?;
        // The one that held the lock may have built it.
        if !found.missing().is_empty() {
            build(&pinned, &found)?;
        }
        Ok(found)
    }

    fn given(folder: PathBuf) -> Result<Self> {
        let found = Self { folder };
        let missing = found.missing();
        if missing.is_empty() {
            return Ok(found);
        }
        Err(Error::new(format!(
            "KUBEBUILDER_ASSETS is {}, which lacks {}; put them there, or unset it to have them built",
            found.folder.display(),
            missing.join(", ")
        )))
    }

    fn missing(&self) -> Vec<&'static str> {
        NAMES
            .into_iter()
            .filter(|name| !self.folder.join(name).is_file())
            .collect()
    }

    /// The folder that holds them, to put into a PATH.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of etcd.
    pub fn etcd(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    /// The path of kube-apiserver.
    pub fn kube_apiserver(&self) -> PathBuf {
        self.folder.join("kube-apiserver")
    }

    /// The path of kube-controller-manager.
    pub fn kube_controller_manager(&self) -> PathBuf {
        self.folder.join("kube-controller-manager")
    }

    /// The path of kubectl.
    pub fn kubectl(&self) -> PathBuf {
        self.folder.join("kubectl")
    }
}

/// The versions that go.mod pins.
struct Pinned {
    etcd: String,
    kubernetes: String,
}

impl Pinned {
    fn parse(go_mod: &str) -> Result<Self> {
        let version = |module: &str| {
            go_mod
                .lines()
                .filter_map(|line| line.trim().strip_prefix(module)?.trim().split(' ').next())
                .find(|word| word.starts_with('v'))
                .map(str::to_owned)
                .ok_or_else(|| Error::new(format!("go.mod names no version of {module}")))
        };
        Ok(Self {
            etcd: version("go.etcd.io/etcd/server/v3 ")?,
            kubernetes: version("k8s.io/kubernetes ")?,
        })
    }

    /// Without the version kubectl calls itself v0.0.0-master+$Format and cannot parse that.
    fn ldflags(&self) -> String {
        let mut parts = self.kubernetes.trim_start_matches('v').split('.');
        let (major, minor) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let package = "k8s.io/component-base/version";
        format!(
            "-s -w -X {package}.gitVersion={} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean",
            self.kubernetes
        )
    }

    fn build_flags(&self) -> [String; 4] {
        [
            "-buildvcs=false".into(),
            "-trimpath".into(),
            "-ldflags".into(),
            self.ldflags(),
        ]
    }

    /// All that makes one build differ from another is in the name.
    fn folder_name(&self) -> String {
        let hash = fnv1a(
            [GO_MOD, GO_SUM]
                .into_iter()
                .chain(self.build_flags().iter().map(String::as_str)),
        );
        format!(
            "controlplane-kubernetes-{}-etcd-{}-{}-{}-{hash:016x}",
            self.kubernetes,
            self.etcd,
            env::consts::OS,
            env::consts::ARCH
        )
    }
}

/// A hash that stays the same over Rust versions, which std's does not promise.
fn fnv1a<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    texts
        .flat_map(str::bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
}

fn build(pinned: &Pinned, target: &Binaries) -> Result<()> {
    eprintln!(
        "building etcd {} and Kubernetes {} from source; 4 to 10 minutes the first time, then cached in {}",
        pinned.etcd,
        pinned.kubernetes,
        target.folder.display()
    );
    // Renamed only when complete, so that a broken build is never found. What an interrupted one left goes first.
    let unfinished = Binaries {
        folder: target.folder.with_added_extension("unfinished"),
    };
    for folder in [&unfinished.folder, &target.folder] {
        if folder.exists() {
            fs::remove_dir_all(folder)
                .context(format_args!("cannot remove {}", folder.display()))?;
        }
    }
    // Go's temporary files lie in there too, since a go that was killed leaves them.
    let scratch = unfinished.folder.join("scratch");
    fs::create_dir_all(&scratch).context(format_args!("cannot make {}", scratch.display()))?;
    go::build_tools(&pinned.build_flags(), &unfinished.folder, &scratch)?;
    fs::remove_dir_all(&scratch).context(format_args!("cannot remove {}", scratch.display()))?;
    // Go names a program after the last word of its package's path: `server` for etcd.
    let server = unfinished.folder.join("server");
    if server.is_file() {
        fs::rename(&server, unfinished.etcd())
            .context(format_args!("cannot rename {}", server.display()))?;
    }
    let missing = unfinished.missing();
    if !missing.is_empty() {
        return Err(Error::new(format!(
            "go build ended well but made no {}",
            missing.join(", ")
        )));
    }
    fs::rename(&unfinished.folder, &target.folder)
        .context(format_args!("cannot make {}", target.folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_go_mod() {
        let pinned = Pinned::parse(GO_MOD).unwrap();
        assert!(
            pinned
                .ldflags()
                .contains(&format!("gitVersion={} ", pinned.kubernetes))
        );
        assert!(pinned.folder_name().contains(&pinned.etcd));
    }

    #[test]
    fn assets_that_lack_a_program_are_named() {
        let empty = tempfile::tempdir().unwrap();
        let said = Binaries::given(empty.path().to_owned())
            .err()
            .unwrap()
            .to_string();
        assert!(said.contains("lacks etcd, kube-apiserver"), "{said}");
    }
}
