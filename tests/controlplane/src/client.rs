//! The ways in: kubeconfigs, kubectl, and namespaces of a test's own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::error::{Context, Error, Result};
use crate::manifest::namespace_entry;
use crate::server::{ControlPlane, TOKEN_USER};

/// Numbers what must be unique within one process.
fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl ControlPlane {
    /// Writes a kubeconfig by which a client is `user` in at most two `groups`.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let (certificate, key) = self.client_certificate(user, groups)?;
        self.write_kubeconfig(
            user,
            &json!({
                "client-certificate-data": BASE64.encode(certificate),
                "client-key-data": BASE64.encode(key),
            }),
        )
    }

    /// Writes a kubeconfig that authenticates with [`ControlPlane::token`].
    pub fn kubeconfig_with_token(&self) -> Result<PathBuf> {
        self.write_kubeconfig(TOKEN_USER.0, &json!({ "token": self.token() }))
    }

    fn write_kubeconfig(&self, user: &str, credentials: &Value) -> Result<PathBuf> {
        let cluster = json!({
            "server": self.server_url(),
            "certificate-authority-data": BASE64.encode(self.ca_pem()),
        });
        // JSON is YAML.
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.context(), "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": self.context(), "context": {"cluster": self.context(), "user": user}}],
            "current-context": self.context(),
        });
        self.write(
            &format!("kubeconfig/{}.yaml", next_number()),
            &format!("{config:#}\n"),
        )
    }

    /// The path of kubectl.
    pub fn kubectl(&self) -> PathBuf {
        self.binaries().kubectl()
    }

    /// A kubectl command as the admin that reads and writes nothing of the user's.
    pub fn kubectl_command<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(self.kubectl());
        command
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(args);
        command
            .env("HOME", self.home())
            .env("KUBERC", "off")
            .stdin(Stdio::null());
        for name in ["KUBECONFIG", "KUBECACHEDIR"] {
            command.env_remove(name);
        }
        command
    }

    /// An empty home for programs that would write to the user's.
    pub fn home(&self) -> PathBuf {
        self.folder().join("home")
    }

    /// Runs kubectl as the admin and returns its stdout; what it says on stderr is the error if it fails.
    pub fn kubectl_run<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<String> {
        output_of(
            self.kubectl_command(args)
                .output()
                .context("cannot run kubectl")?,
        )
    }

    /// Applies manifests, YAML or JSON, server-side.
    pub fn kubectl_apply(&self, manifests: &str) -> Result<String> {
        let mut command = self.kubectl_command(["apply", "--server-side", "--filename", "-"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot run kubectl")?;
        if let Some(mut stdin) = child.stdin.take() {
            // A kubectl that does not read says why on stderr, which is the better error.
            let _ = stdin.write_all(manifests.as_bytes());
        }
        output_of(child.wait_with_output().context("cannot run kubectl")?)
    }

    /// What the API answers to a GET of a path such as `/apis/batch/v1/namespaces/NS/jobs`.
    pub fn get_raw(&self, path: &str) -> Result<String> {
        self.kubectl_run(["get", "--raw", path])
    }

    /// The same, parsed.
    pub fn get_json(&self, path: &str) -> Result<Value> {
        serde_json::from_str(&self.get_raw(path)?)
            .context(format_args!("the answer to {path} is not JSON"))
    }

    /// Makes a namespace of a new name that starts with `prefix`.
    pub fn namespace(&self, prefix: &str) -> Result<String> {
        // Another process may use the same plane by its kubeconfig, hence the create that can fail.
        for _ in 0..1000 {
            let name = format!("{prefix}-{:04}", next_number());
            if self.etcd.create(&namespace_entry(&name))? {
                return Ok(name);
            }
        }
        Err(Error::new(format!(
            "no name is free for a namespace {prefix}-…"
        )))
    }

    /// Makes a suspended CronJob, as the owner of seeded Jobs, and returns its uid.
    pub fn cron_job(&self, namespace: &str, name: &str) -> Result<String> {
        let container = json!({"name": "run", "image": "example.com/none:1"});
        let cron_job = json!({
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "schedule": "0 3 * * *",
                "suspend": true,
                "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}},
            },
        });
        self.kubectl_apply(&cron_job.to_string())?;
        self.kubectl_run([
            "get",
            "cronjob",
            name,
            "--namespace",
            namespace,
            "--output",
            "jsonpath={.metadata.uid}",
        ])
    }

    /// A PATH on which kubectl and the programs in `folder` come first.
    pub fn path_with(&self, folder: &Path) -> Result<std::ffi::OsString> {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = [folder.to_owned(), self.binaries().folder().to_owned()];
        std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&inherited)))
            .context("cannot make a PATH")
    }
}

fn output_of(output: Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!(
        "kubectl: {} ({})",
        said.trim(),
        output.status
    )))
}
