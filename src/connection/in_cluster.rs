//! Inside a Pod: its service account and its namespace, as kubectl takes them.

use std::{env, fs, path::Path};

use kube::config::{AuthInfo, Cluster as ClusterInfo, Context};

use super::{flags::ConnectionFlags, kubeconfig::Target};
use crate::{error::Error, text::quoted};

/// Where a Pod finds its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Without a kubeconfig: the flags alone if they name a server, else the service account of the Pod.
///
/// # Errors
/// If the flags name what only a kubeconfig could hold, or this is not a Pod.
pub(crate) fn find(flags: &ConnectionFlags) -> Result<Target, Error> {
    let absent = [
        ("context", &flags.context),
        ("cluster", &flags.cluster),
        ("user", &flags.user),
    ]
    .into_iter()
    .find_map(|(what, name)| name.as_ref().map(|name| (what, name)));
    if let Some((what, name)) = absent {
        return Err(Error::failure(format!(
            "{what} {} cannot be used: there is no kubeconfig",
            quoted(name)
        ))
        .hint("name a file with --kubeconfig or KUBECONFIG"));
    }
    let mut target = Target {
        context_name: String::new(),
        cluster_name: String::new(),
        origin: String::new(),
        context: Context::default(),
        cluster: ClusterInfo::default(),
        user: AuthInfo::default(),
        exec: None,
    };
    if flags.server.is_some() {
        return Ok(target);
    }
    let Some(server) = server() else {
        return Err(Error::failure("there is no cluster to talk to: no kubeconfig was named or found, and this is not a Pod",
        )
        .hint("name a file with --kubeconfig or KUBECONFIG, or a server with --server"));
    };
    let mounted = |file: &str| Some(mounted(file).display().to_string());
    target.cluster.server = Some(server);
    target.cluster.certificate_authority = mounted("ca.crt");
    target.user.token_file = mounted("token");
    // The way is short and wide, and compressing is a third more work for the API server.
    target.cluster.disable_compression = Some(true);
    Ok(target)
}

/// The namespace of the Pod that this is, if it is one: where the kubeconfig's context names none, it applies, too.
pub(crate) fn namespace() -> Option<String> {
    server()?;
    // kubectl's name for what a Pod may be told of itself; it goes first there as well.
    let told = env::var("POD_NAMESPACE").ok();
    let told = told.filter(|namespace| !namespace.is_empty());
    told.or_else(|| {
        let namespace = fs::read_to_string(mounted("namespace")).ok()?;
        Some(namespace.trim().to_owned())
    })
    .filter(|namespace| !namespace.is_empty())
}

/// The API server's address for this Pod, `None` if this is no Pod, or one without a service account.
fn server() -> Option<String> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let (host, port) = (
        variable("KUBERNETES_SERVICE_HOST")?,
        variable("KUBERNETES_SERVICE_PORT")?,
    );
    if !mounted("token").is_file() {
        return None;
    }
    Some(if host.contains(':') {
        format!("https://[{host}]:{port}")
    } else {
        format!("https://{host}:{port}")
    })
}

fn mounted(file: &str) -> std::path::PathBuf {
    Path::new(SERVICE_ACCOUNT).join(file)
}
