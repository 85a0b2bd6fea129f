//! The one control plane of a run, and a namespace for each test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::OnceLock;

use controlplane::{ControlPlane, Options, SeedJob};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::tool::{LABEL, Run, run, scratch, tool};
use super::verdicts;

/// Who did what is in kube-apiserver's own log, bodies included; the servers' own requests are not.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ['system:kube-controller-manager', 'system:apiserver']
- level: Request
";

/// The control plane; started by the first test that asks. A failure to start is the failure of every test.
pub fn plane() -> &'static ControlPlane {
    static PLANE: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
    let started = PLANE.get_or_init(|| {
        let policy = scratch().join("audit-policy.yaml");
        let unfinished = scratch().join(format!("audit-policy-{}", process::id()));
        fs::write(&unfinished, AUDIT_POLICY).map_err(|why| why.to_string())?;
        fs::rename(&unfinished, &policy).map_err(|why| why.to_string())?;
        let options = Options {
            apiserver_flags: vec![
                "--audit-log-path=-".into(),
                format!("--audit-policy-file={}", policy.display()),
            ],
            ..Options::default()
        };
        ControlPlane::start(options).map_err(|why| why.to_string())
    });
    match started {
        Ok(plane) => plane,
        Err(why) => panic!("the control plane does not start: {why}"),
    }
}

/// The moment from which the ages of seeded Jobs count: one for the whole run, so that equal ages are equal stamps.
pub fn hours_ago(hours: i64) -> Timestamp {
    static NOW: OnceLock<Timestamp> = OnceLock::new();
    let now = *NOW.get_or_init(|| Timestamp::from_second(Timestamp::now().as_second()).unwrap());
    now - SignedDuration::from_hours(hours)
}

/// A Job of a namespace and group.
pub fn job_in(namespace: &str, key: &str, group: &str, name: &str, age: i64) -> SeedJob {
    SeedJob::new(namespace, name, hours_ago(age)).label(key, group)
}

/// The tool as the user of this kubeconfig.
pub fn tool_as(kubeconfig: &Path) -> Command {
    let mut command = tool();
    command.arg("--kubeconfig").arg(kubeconfig);
    command
}

/// The tool as the admin in every namespace, on this label key.
pub fn everywhere(key: &str, args: &[&str]) -> Command {
    let mut command = tool_as(plane().kubeconfig());
    command.args(["-A", "-L", key]).args(args);
    command
}

/// A namespace of a test's own.
pub struct Space {
    /// Its name.
    pub name: String,
}

impl Space {
    /// An empty one.
    pub fn new() -> Self {
        let name = plane().namespace("it").unwrap();
        Self { name }
    }

    /// One with Jobs of one group, as (name, age in hours).
    pub fn with(jobs: &[(&str, i64)]) -> Self {
        let space = Self::new();
        let jobs: Vec<_> = jobs
            .iter()
            .map(|(name, age)| space.job("g", name, *age))
            .collect();
        space.seed(&jobs);
        space
    }

    /// One with three Jobs of one group: `sync-3` is kept, and `sync-1` and `sync-2` are to go.
    pub fn three() -> Self {
        Self::with(&[("sync-1", 30), ("sync-2", 20), ("sync-3", 10)])
    }

    /// One with seven Jobs of one group: `sync-7` is kept, and six are to go.
    pub fn seven() -> Self {
        let space = Self::new();
        let jobs: Vec<_> = (1..=7)
            .map(|number| space.job("g", &format!("sync-{number}"), 10 - number))
            .collect();
        space.seed(&jobs);
        space
    }

    /// One with two groups, `g` of `sync-1` to `sync-3` and `h` of `other-1` and `other-2`; the highest number is the newest.
    pub fn two_groups() -> Self {
        let space = Self::three();
        space.seed(&[space.job("h", "other-1", 20), space.job("h", "other-2", 10)]);
        space
    }

    /// A complete Job of a group, `age` hours old.
    pub fn job(&self, group: &str, name: &str, age: i64) -> SeedJob {
        job_in(&self.name, LABEL, group, name, age)
    }

    /// Writes Jobs.
    pub fn seed(&self, jobs: &[SeedJob]) {
        assert!(jobs.iter().all(|job| job.get_namespace() == self.name));
        plane().seed(jobs).unwrap();
    }

    /// The API's path of its Jobs.
    pub fn path(&self) -> String {
        format!("/apis/batch/v1/namespaces/{}/jobs", self.name)
    }

    /// Its Jobs, as the API has them.
    pub fn list(&self) -> Vec<Value> {
        let list = plane().get_json(&self.path()).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// The resourceVersion of each Job.
    pub fn versions(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        self.list()
            .iter()
            .map(|job| {
                let metadata = &job["metadata"];
                (text(&metadata["name"]), text(&metadata["resourceVersion"]))
            })
            .collect()
    }

    /// The names of its Jobs.
    pub fn names(&self) -> BTreeSet<String> {
        self.versions().into_keys().collect()
    }

    /// Fails unless exactly these Jobs are there.
    #[track_caller]
    pub fn holds(&self, names: &[&str]) {
        let expected: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(self.names(), expected, "the Jobs of {}", self.name);
    }

    /// The tool as the admin in this namespace, on [`LABEL`].
    pub fn tool(&self, args: &[&str]) -> Command {
        self.tool_as(plane().kubeconfig(), args)
    }

    /// The same as the user of this kubeconfig.
    pub fn tool_as(&self, kubeconfig: &Path, args: &[&str]) -> Command {
        let mut command = tool_as(kubeconfig);
        command.args(["-n", &self.name, "-L", LABEL]).args(args);
        command
    }

    /// Runs that.
    pub fn run(&self, args: &[&str]) -> Run {
        run(self.tool(args))
    }

    /// Its plan as one line a Job, `NAME VERDICT REASON,REASON`.
    #[track_caller]
    pub fn plan(&self, args: &[&str]) -> Vec<String> {
        let run = self.run(&[args, &["--dry-run=client", "-o", "json"]].concat());
        verdicts(&run.exits(0).json())
    }

    /// A kubeconfig of a user who may do these `verbs` with Jobs here and nothing else.
    pub fn kubeconfig_for(&self, user: &str, verbs: &[&str]) -> PathBuf {
        let user = format!("{user}-{}", self.name);
        self.allow("User", &user, verbs);
        let kubeconfig = plane().kubeconfig_for(&user, &[]).unwrap();
        for verb in verbs {
            super::until("RBAC lets the user in", || {
                let mut can = plane().kubectl_command(["auth", "can-i", verb, "jobs.batch"]);
                can.args(["--namespace", &self.name, "--kubeconfig"])
                    .arg(&kubeconfig);
                can.output().unwrap().status.success()
            });
        }
        kubeconfig
    }

    /// Lets a `User` or `Group` do these `verbs` with Jobs here.
    pub fn allow(&self, kind: &str, subject: &str, verbs: &[&str]) {
        let namespace = &self.name;
        let name = subject.replace(':', "-");
        let role = serde_json::json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": name, "namespace": namespace},
            "rules": [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": verbs}],
        });
        let binding = serde_json::json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": subject}],
        });
        plane()
            .kubectl_apply(&format!("{role}\n---\n{binding}\n"))
            .unwrap();
    }
}
