//! Credential plugins: programs of the user's that kubectl, and so this tool, asks for credentials.
//!
//! kube would run one three times for each client and again for every request in the last minute of a token's life, tell
//! it that it may ask where there is no terminal, keep back what it says, and never renew a certificate. So it is run
//! here, by the rules of kubectl: once, and once more when its credentials have expired or the server does not take them.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::HeaderValue;
use jiff::Timestamp;
use kube::config::{Cluster as ClusterInfo, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{ChildStderr, Command},
};

use super::{
    console::{Console, Stdin},
    credentials::{Credentials, Validity, bearer},
    entries::Exec,
    identity::Identity,
    kuberc::PluginPolicy,
};
use crate::{
    error::{Error, io_words},
    text::quoted,
};

/// The reserved name under which a cluster holds what its plugins are to be told.
const EXTENSION: &str = "client.authentication.k8s.io/exec";
const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// A plugin, checked and ready to run. It may hold secrets, so nothing shows it.
#[derive(Clone)]
pub(crate) struct Plugin {
    command: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    version: &'static str,
    mode: ExecInteractiveMode,
    install_hint: Option<String>,
    /// What it is told of the cluster, if it is to be told.
    cluster: Option<Value>,
    policy: PluginPolicy,
    console: Arc<dyn Console>,
}

/// What a plugin prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    kind: String,
    api_version: String,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Plugin {
    /// Read a kubeconfig's `exec`. `ca` are the certificates of the cluster's authority, in PEM.
    ///
    /// # Errors
    /// If kubectl would not run it either.
    pub(crate) fn new(
        exec: Exec,
        cluster: &ClusterInfo,
        ca: Option<&[u8]>,
        console: Arc<dyn Console>,
    ) -> Result<Plugin, Error> {
        let command = exec.command.filter(|command| !command.is_empty());
        let command = command.ok_or_else(|| wrong("names no command"))?;
        let version = match exec.api_version.as_deref() {
            Some(V1) => V1,
            Some(V1BETA1) => V1BETA1,
            None | Some("") => return Err(wrong("names no apiVersion")),
            Some(other) => {
                return Err(wrong(&format!(
                    "names an apiVersion that is not known: {other}"
                )));
            }
        };
        let mode = match (exec.interactive_mode.as_deref(), version) {
            (Some("Never"), _) => ExecInteractiveMode::Never,
            (Some("IfAvailable"), _) => ExecInteractiveMode::IfAvailable,
            (Some("Always"), _) => ExecInteractiveMode::Always,
            (None | Some(""), V1BETA1) => ExecInteractiveMode::IfAvailable,
            (None | Some(""), _) => return Err(wrong("names no interactiveMode")),
            (Some(other), _) => {
                let other = quoted(other);
                return Err(wrong(&format!(
                    "names an interactiveMode that is not known: {other}"
                )));
            }
        };
        if exec.env.iter().any(|variable| variable.name.is_empty()) {
            return Err(wrong("sets a variable without a name"));
        }
        let env = exec.env.into_iter();
        Ok(Plugin {
            command,
            args: exec.args,
            env: env
                .map(|variable| (variable.name, variable.value))
                .collect(),
            version,
            mode,
            install_hint: exec.install_hint.filter(|hint| !hint.trim().is_empty()),
            cluster: exec.provide_cluster_info.then(|| describe(cluster, ca)),
            policy: PluginPolicy::read(&*console)?,
            console,
        })
    }

    /// Run it and take what it prints. What it says on stderr is shown as it comes: it may be a code to enter
    /// somewhere. One that may ask has the terminal to itself, as under kubectl. It ends with this call.
    ///
    /// # Errors
    /// If it cannot be run, fails, or prints no credentials. Its arguments and environment may hold secrets and are not
    /// shown.
    pub(crate) async fn run(&self) -> Result<Credentials, Error> {
        if self.console.is_stopping() {
            return Err(self
                .failure("was not started: the run was asked to stop")
                .hint("run the command again"));
        }
        let is_interactive = match (&self.mode, self.console.input()) {
            (ExecInteractiveMode::Never, _) => false,
            (_, Stdin::Terminal) => true,
            (ExecInteractiveMode::IfAvailable, Stdin::Other) => false,
            (ExecInteractiveMode::Always, Stdin::Other) => {
                return Err(self
                    .failure("needs to prompt, but standard input is not a terminal")
                    .hint("run this in a terminal, or use credentials that need no prompt"));
            }
        };
        if !self.policy.admits(&self.command, find) {
            return Err(self.failure("is not among those that kuberc allows").hint(
                "if you trust it, add it to credentialPluginAllowlist in kuberc, as for kubectl",
            ));
        }
        let mut spec = json!({"interactive": is_interactive});
        if let Some(cluster) = &self.cluster {
            spec["cluster"] = cluster.clone();
        }
        let info = json!({"apiVersion": self.version, "kind": "ExecCredential", "spec": spec});
        let (stdin, stderr) = if is_interactive {
            (Stdio::inherit(), Stdio::inherit())
        } else {
            (Stdio::null(), Stdio::piped())
        };
        let program =
            find(&self.command).ok_or_else(|| self.not_run(&io::ErrorKind::NotFound.into()))?;
        let mut command = Command::new(program);
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("KUBERNETES_EXEC_INFO", info.to_string())
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(stderr)
            // Its credentials are of no use once no request waits for them.
            .kill_on_drop(true);
        let aside = Aside::of(&self.console);
        let mut child = command.spawn().map_err(|error| self.not_run(&error))?;
        let said = child
            .stderr
            .take()
            .map(|said| tokio::spawn(pass_on(said, Arc::clone(&self.console))));
        let output = child.wait_with_output().await;
        if let Some(said) = said {
            // Something that it leaves running may keep its stderr open for ever.
            let _ = tokio::time::timeout(LAST_WORDS, said).await;
        }
        drop(aside);
        let output = output.map_err(|error| self.not_run(&error))?;
        if !output.status.success() {
            let how = match output.status.code() {
                Some(code) => format!("failed with exit code {code}"),
                None => "was ended by a signal".to_owned(),
            };
            return Err(self.failure(&how).hint(LOG_IN));
        }
        read(&output.stdout, self.version)
            .map_err(|why| self.failure(why).hint("check that it is up to date"))
    }

    fn not_run(&self, error: &io::Error) -> Error {
        if error.kind() != io::ErrorKind::NotFound {
            return self
                .failure(&format!("cannot be run: {}", io_words(error)))
                .hint(LOG_IN);
        }
        let hint = self.install_hint.clone();
        self.failure("is not installed")
            .hint(hint.unwrap_or_else(|| {
                "install it, or check the PATH and the user of the kubeconfig context".to_owned()
            }))
    }

    fn failure(&self, what: &str) -> Error {
        Error::failure(format!("{} {what}", self.name()))
    }

    /// What it is, to people.
    pub(crate) fn name(&self) -> String {
        format!("the credential plugin {}", self.command)
    }
}

/// What a plugin has printed, in this apiVersion.
///
/// # Errors
/// If those are no credentials; what it did instead, as a fragment.
pub fn read(stdout: &[u8], version: &str) -> Result<Credentials, &'static str> {
    let printed: Printed =
        serde_saphyr::from_slice(stdout).map_err(|_| "did not print an ExecCredential")?;
    if printed.kind != "ExecCredential" {
        return Err("did not print an ExecCredential");
    }
    if printed.api_version != version {
        return Err("answered in another apiVersion than the kubeconfig names");
    }
    let status = printed.status.ok_or("did not print a status")?;
    // As in Go, what is null is empty.
    let identity = match (
        status.client_certificate_data.unwrap_or_default(),
        status.client_key_data.unwrap_or_default(),
    ) {
        (certificate, key) if certificate.is_empty() && key.is_empty() => None,
        (certificate, key) if certificate.is_empty() || key.is_empty() => {
            return Err("printed a certificate without its key, or a key without its certificate");
        }
        (certificate, key) => Some(Identity::new(certificate, key)),
    };
    let authorization: Option<HeaderValue> = match status.token.as_deref().unwrap_or_default() {
        "" => None,
        token => Some(bearer(token).ok_or("printed a token that no header may hold")?),
    };
    if identity.is_none() && authorization.is_none() {
        return Err("printed neither a token nor a certificate");
    }
    let validity = match status.expiration_timestamp {
        None => Validity::Always,
        Some(at) => match at.parse::<Timestamp>() {
            // A plugin in Go that sets no time prints this one.
            Ok(at) if at == go_zero() => Validity::Always,
            Ok(at) => Validity::Until(at),
            Err(_) => return Err("printed an expirationTimestamp that is not a time"),
        },
    };
    Ok(Credentials {
        authorization,
        identity,
        validity,
    })
}

/// Go's zero time, which means none: the first moment of year 1.
fn go_zero() -> Timestamp {
    Timestamp::constant(-62_135_596_800, 0)
}

/// The program that a command means; `None` if a bare name is nowhere on the PATH. As kubectl does, it is looked for on
/// this tool's own PATH, whatever PATH the kubeconfig sets for the plugin, and not in the folder that this happens to run
/// in.
fn find(command: &str) -> Option<PathBuf> {
    let command = Path::new(command);
    // Windows has endings of its own, which are the system's to try.
    if command.components().count() > 1 || cfg!(windows) {
        return Some(command.to_owned());
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(command))
        .find(|path| is_executable(path))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = path.metadata();
    metadata.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// As long as there is this, the terminal is a plugin's.
struct Aside(Arc<dyn Console>);

impl Aside {
    fn of(console: &Arc<dyn Console>) -> Aside {
        console.leave();
        Aside(Arc::clone(console))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.take_back();
    }
}

/// Shows line by line what a plugin says, to the end.
async fn pass_on(said: ChildStderr, console: Arc<dyn Console>) {
    let mut said = BufReader::new(said);
    let mut line = Vec::new();
    while matches!(said.read_until(b'\n', &mut line).await, Ok(1..)) {
        console.say(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
        line.clear();
    }
}

/// How long to wait for what a plugin that has ended still has to say.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// What to do about credentials that are not to be had.
pub(crate) const LOG_IN: &str = "check the user of the kubeconfig context, or log in again";

fn wrong(what: &str) -> Error {
    let message = format!("the credential plugin of the user {what}");
    Error::failure(message).hint("check exec of the user in the kubeconfig")
}

/// The cluster in the plugins' terms.
fn describe(cluster: &ClusterInfo, ca: Option<&[u8]>) -> Value {
    let mut told = json!({"server": cluster.server, "config": null});
    let mut tell = |name: &str, value: Value| told[name] = value;
    if let Some(name) = &cluster.tls_server_name {
        tell("tls-server-name", name.as_str().into());
    }
    if cluster.insecure_skip_tls_verify == Some(true) {
        tell("insecure-skip-tls-verify", true.into());
    }
    if let Some(ca) = ca {
        tell("certificate-authority-data", BASE64.encode(ca).into());
    }
    if let Some(proxy) = &cluster.proxy_url {
        tell("proxy-url", proxy.as_str().into());
    }
    if cluster.disable_compression == Some(true) {
        tell("disable-compression", true.into());
    }
    let mut extensions = cluster.extensions.iter().flatten();
    if let Some(found) = extensions.find(|extension| extension.name == EXTENSION) {
        tell("config", found.extension.clone());
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::console::Silent;

    #[tokio::test]
    async fn none_is_started_once_the_run_is_to_stop() {
        let plugin = Plugin {
            command: "/no/such/plugin".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            version: V1,
            mode: ExecInteractiveMode::Never,
            install_hint: None,
            cluster: None,
            policy: PluginPolicy::AllowAll,
            console: Arc::new(Silent { is_stopping: true }),
        };
        let error = plugin.run().await.map(|_| ()).unwrap_err();
        assert!(error.message.contains("asked to stop"), "{}", error.message);
    }
}
