//! A real Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager and kubectl.
//!
//! The versions are pinned in `go.mod` beside this crate's `Cargo.toml`, and nowhere else. The programs are built from
//! source the first time and then found in the user's cache folder; `KUBEBUILDER_ASSETS` overrides.
//!
//! ```no_run
//! use controlplane::{ControlPlane, Options, SeedJob, State};
//!
//! let plane = ControlPlane::start(Options::default())?;
//! let namespace = plane.namespace("team")?;
//! let created = "2026-01-01T00:00:00Z".parse().unwrap();
//! plane.seed(&[SeedJob::new(&namespace, "sync-1", created).label("group", "sync").state(State::Failed)])?;
//! println!("{}", plane.kubectl_run(["get", "jobs", "--namespace", &namespace])?);
//! # Ok::<(), controlplane::Error>(())
//! ```

mod binaries;
pub mod cache;
mod certs;
mod client;
mod error;
mod etcd;
mod fleet;
pub mod gitops;
mod go;
mod launch;
mod manifest;
mod process;
mod samples;
mod seed;
mod server;
mod tool;

pub use binaries::Binaries;
pub use error::{Context, Error, Result};
pub use etcd::Etcd;
pub use fleet::Fleet;
pub use samples::{ARGOCD_INSTANCE, MAS_GROUP, SAMPLE_CRON_JOB, samples};
pub use seed::{Owner, SeedJob, State};
pub use server::{ControlPlane, Controllers, Options, TOKEN_USER};
pub use tool::{build_tool, checkout};
