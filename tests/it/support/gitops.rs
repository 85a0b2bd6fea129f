//! A control plane with the kinds of Argo CD and Flux, and their objects on it.

use std::process::Command;
use std::sync::OnceLock;

pub use controlplane::gitops::kustomization;

use controlplane::gitops::{self, GITOPS_KINDS, listed_job};
use controlplane::{ControlPlane, Controllers, Options};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::control_plane::job_in;
use super::kubeconfig::arg;
use super::{ApiClient, LABEL, tool, verdicts};

/// The control plane that has them; [`super::plane`] has not. No controllers run there.
pub fn gitops_plane() -> &'static ControlPlane {
    static PLANE: OnceLock<controlplane::Result<ControlPlane>> = OnceLock::new();
    let started = PLANE.get_or_init(|| {
        let options = Options {
            controllers: Controllers::Off,
            ..Options::default()
        };
        let plane = ControlPlane::start(options)?;
        plane.serve_gitops_kinds()?;
        Ok(plane)
    });
    match started {
        Ok(plane) => plane,
        Err(why) => panic!("the control plane for GitOps tools does not start: {why}"),
    }
}

/// A namespace with three Jobs of one group: the newest is not in git any more.
pub struct Shop {
    pub plane: &'static ControlPlane,
    /// The namespace; the Application is called like it.
    pub name: String,
    pub client: ApiClient,
}

pub const NEWEST: &str = "shop-migrate-3333cccc";
pub const MIDDLE: &str = "shop-migrate-2222bbbb";
pub const OLDEST: &str = "shop-migrate-1111aaaa";

/// What a plan says of them without any tool.
pub const SUPERSEDED: [&str; 3] = [
    "shop-migrate-3333cccc SKIP newest",
    "shop-migrate-2222bbbb PURGE superseded",
    "shop-migrate-1111aaaa PURGE superseded",
];

/// What it says if this holds of [`MIDDLE`].
pub fn middle_is(reason: &str) -> [String; 3] {
    let mut lines = SUPERSEDED.map(str::to_owned);
    lines[1] = format!("{MIDDLE} SKIP {reason}");
    lines
}

impl Shop {
    /// One on the control plane that has the kinds, whose Jobs carry Argo CD's mark.
    pub fn marked() -> Shop {
        Shop::on(gitops_plane(), true)
    }

    /// The same without marks.
    pub fn plain() -> Shop {
        Shop::on(gitops_plane(), false)
    }

    /// One on another control plane.
    pub fn on(plane: &'static ControlPlane, is_marked: bool) -> Shop {
        let name = plane.namespace("shop").unwrap();
        let jobs = [(NEWEST, 1), (MIDDLE, 2), (OLDEST, 3)].map(|(job, age)| {
            let seed = job_in(&name, LABEL, "g", job, age);
            if is_marked {
                let id = format!("{name}:batch/Job:{name}/{job}");
                seed.annotation("argocd.argoproj.io/tracking-id", id)
            } else {
                seed
            }
        });
        plane.seed(&jobs).unwrap();
        Shop {
            plane,
            name,
            client: ApiClient::admin(plane),
        }
    }

    /// The tool here as the admin.
    pub fn tool(&self, args: &[&str]) -> Command {
        let mut command = tool();
        command
            .args(["--kubeconfig", arg(self.plane.kubeconfig())])
            .args(["-n", &self.name, "-L", LABEL])
            .args(args);
        command
    }

    /// What it plans, a line a Job.
    #[track_caller]
    pub fn plan(&self, args: &[&str]) -> Vec<String> {
        let mut command = self.tool(&["--dry-run=client", "-o", "json"]);
        command.args(args);
        verdicts(&super::run(command).exits(0).json())
    }

    /// Makes the Application of this shop, which lists these, or changes it.
    pub fn argocd_has(&self, resources: &[Value]) {
        self.apply(&application(&self.name, resources));
    }

    /// Makes an object, or replaces it.
    #[track_caller]
    pub fn apply(&self, object: &Value) {
        let kind = GITOPS_KINDS
            .iter()
            .find(|kind| object["kind"] == *kind.kind);
        let kind = kind.unwrap();
        let all = kind.path(Some(&self.name));
        let one = format!("{all}/{}", object["metadata"]["name"].as_str().unwrap());
        let (status, answer) = self.client.ask("POST", &all, Some(object));
        if status == 409 {
            let patch = json!({"spec": object["spec"], "status": object["status"]});
            let (status, answer) = self.client.ask("PATCH", &one, Some(&patch));
            assert_eq!(status, 200, "{answer}");
        } else {
            assert_eq!(status, 201, "{answer}");
        }
        if kind.has_status {
            let patch = json!({"status": object["status"]});
            let (status, answer) = self
                .client
                .ask("PATCH", &format!("{one}/status"), Some(&patch));
            assert_eq!(status, 200, "{answer}");
        }
    }

    /// An entry of `status.resources` for a Job of this shop.
    pub fn listed(&self, job: &str, more: &Value) -> Value {
        listed_job(&self.name, job, more)
    }

    /// One that git has.
    pub fn in_git(&self, job: &str) -> Value {
        self.listed(job, &json!({"status": "Synced"}))
    }

    /// One that git has no more.
    pub fn left_git(&self, job: &str) -> Value {
        self.listed(
            job,
            &json!({"status": "OutOfSync", "requiresPruning": true}),
        )
    }
}

/// An Application for the cluster that it is on, which was compared just now.
pub fn application(name: &str, resources: &[Value]) -> Value {
    gitops::application(name, name, Timestamp::now(), resources)
}
