//! What the kubeconfig and kubectl's connection flags come to: one cluster, one user, one context.
//!
//! Every way in (files, flags alone, a Pod's service account) ends in one [`Target`], so that the flags apply to all
//! of them alike.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
};

use kube::config::{
    AuthInfo, Cluster as ClusterInfo, Context, Kubeconfig, KubeconfigError, NamedAuthInfo,
    NamedCluster, NamedContext,
};
use secrecy::SecretString;

use super::{credentials, flags::ConnectionFlags, trouble::config_error};
use crate::error::{Error, Exit, io_words};

/// Where a Pod finds its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What the kubeconfig and the flags come to.
pub(super) struct Target {
    /// The name of the context, empty if there is none.
    pub(super) context_name: String,
    context: Context,
    cluster: ClusterInfo,
    user: AuthInfo,
}

impl Target {
    /// Read the kubeconfig, pick what the flags or the current context name, and apply the flags.
    ///
    /// # Errors
    /// If a file cannot be read, or a name is not in it, or there is no cluster to talk to.
    pub(super) fn find(flags: &ConnectionFlags) -> Result<Target, Error> {
        let mut target = find_target(flags)?;
        apply_flags(&mut target, flags);
        credentials::check(&target.cluster, &target.user)?;
        Ok(target)
    }

    /// The address of the API server, without what may stand before an @: that is nobody's business.
    pub(super) fn server(&self) -> String {
        let server = self
            .cluster
            .server
            .as_deref()
            .unwrap_or_default()
            .trim_end_matches('/');
        let scheme = server.split_once("://").map_or("", |(scheme, _)| scheme);
        match (server.rfind('@'), scheme) {
            (None, _) => server.to_owned(),
            (Some(at), "") => server[at + 1..].to_owned(),
            (Some(at), scheme) => format!("{scheme}://{}", &server[at + 1..]),
        }
    }

    /// Whether that address is a URL with a scheme and a host. That there is none at all is kube's to say.
    pub(super) fn has_valid_server(&self) -> bool {
        self.cluster.server.as_ref().is_none_or(|server| {
            server
                .parse::<http::Uri>()
                .is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some())
        })
    }

    /// The namespace of the context.
    pub(super) fn namespace(&self) -> &str {
        let namespace = self.context.namespace.as_deref();
        namespace
            .filter(|name| !name.is_empty())
            .unwrap_or("default")
    }

    /// The same as a kubeconfig with one context, which is what kube reads.
    pub(super) fn into_kubeconfig(self) -> Kubeconfig {
        const NAME: &str = "target";
        Kubeconfig {
            current_context: Some(NAME.to_owned()),
            contexts: vec![NamedContext {
                name: NAME.to_owned(),
                context: Some(Context {
                    cluster: NAME.to_owned(),
                    user: Some(NAME.to_owned()),
                    ..self.context
                }),
                ..NamedContext::default()
            }],
            clusters: vec![NamedCluster {
                name: NAME.to_owned(),
                cluster: Some(self.cluster),
                ..NamedCluster::default()
            }],
            auth_infos: vec![NamedAuthInfo {
                name: NAME.to_owned(),
                auth_info: Some(self.user),
                ..NamedAuthInfo::default()
            }],
            ..Kubeconfig::default()
        }
    }
}

/// Read the kubeconfig and pick the context, cluster and user that the flags or the current context name.
pub(super) fn find_target(flags: &ConnectionFlags) -> Result<Target, Error> {
    let Some((kubeconfig, origin)) = read_kubeconfig(flags.kubeconfig.as_deref())? else {
        return in_cluster(flags);
    };
    let named = flags
        .context
        .clone()
        .or_else(|| kubeconfig.current_context.clone());
    let context = match &named {
        Some(name) => kubeconfig
            .contexts
            .iter()
            .find(|context| context.name == *name)
            .and_then(|context| context.context.clone())
            .ok_or_else(|| {
                not_found(
                    "context",
                    name,
                    &origin,
                    kubeconfig.contexts.iter().map(|c| &c.name),
                )
            })?,
        None if flags.server.is_some() || flags.cluster.is_some() => Context::default(),
        None => {
            return Err(
                Error::new(Exit::Failure, format!("no context is selected in {origin}"))
                    .hint("name one with --context, or select one with kubectl config use-context"),
            );
        }
    };
    let cluster_name = flags.cluster.as_ref().unwrap_or(&context.cluster);
    let cluster = kubeconfig
        .clusters
        .iter()
        .find(|cluster| cluster.name == *cluster_name)
        .and_then(|cluster| cluster.cluster.clone());
    let cluster = match cluster {
        Some(cluster) => cluster,
        None if flags.server.is_some() && flags.cluster.is_none() => ClusterInfo::default(),
        None => {
            let names = kubeconfig.clusters.iter().map(|c| &c.name);
            return Err(not_found("cluster", cluster_name, &origin, names));
        }
    };
    let user = match flags.user.as_ref().or(context.user.as_ref()) {
        None => AuthInfo::default(),
        Some(name) => {
            let found = kubeconfig.auth_infos.iter().find(|user| user.name == *name);
            match found.and_then(|user| user.auth_info.clone()) {
                Some(user) => user,
                // A context may name a user that is nowhere, as for a server that needs none.
                None if flags.user.is_none() => AuthInfo::default(),
                None => {
                    let names = kubeconfig.auth_infos.iter().map(|u| &u.name);
                    return Err(not_found("user", name, &origin, names));
                }
            }
        }
    };
    Ok(Target {
        context_name: named.unwrap_or_default(),
        context,
        cluster,
        user,
    })
}

/// The kubeconfig by kubectl's rules, and where it came from; `None` if none was named or found.
pub(super) fn read_kubeconfig(named: Option<&Path>) -> Result<Option<(Kubeconfig, String)>, Error> {
    if let Some(path) = named {
        return Ok(Some((read_file(path)?, path.display().to_string())));
    }
    let listed: Vec<PathBuf> = env::var_os("KUBECONFIG")
        .map(|list| {
            env::split_paths(&list)
                .filter(|path| !path.as_os_str().is_empty())
                .collect()
        })
        .unwrap_or_default();
    if !listed.is_empty() {
        let mut merged = None;
        // kubectl passes over a file of the list that does not exist.
        for path in listed.iter().filter(|path| path.exists()) {
            let next = read_file(path)?;
            merged = Some(match merged {
                None => next,
                Some(merged) => {
                    Kubeconfig::merge(merged, next).map_err(|error| config_error(&error))?
                }
            });
        }
        let origin = env::var("KUBECONFIG").unwrap_or_default();
        return match merged {
            Some(merged) => Ok(Some((merged, origin))),
            None => Err(Error::new(
                Exit::Failure,
                format!("none of the files in KUBECONFIG exists: {origin}"),
            )
            .hint("unset KUBECONFIG, or name a file with --kubeconfig")),
        };
    }
    match home().map(|home| home.join(".kube").join("config")) {
        Some(path) if path.exists() => Ok(Some((read_file(&path)?, path.display().to_string()))),
        _ => Ok(None),
    }
}

fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

fn read_file(path: &Path) -> Result<Kubeconfig, Error> {
    let mut kubeconfig = Kubeconfig::read_from(path).map_err(|error| match error {
        KubeconfigError::ReadConfig(cause, path) => Error::new(
            Exit::Failure,
            format!(
                "cannot read kubeconfig {}: {}",
                path.display(),
                io_words(&cause)
            ),
        )
        .hint("check --kubeconfig and KUBECONFIG"),
        // The parser shows the lines around the fault, and they may hold a token.
        KubeconfigError::Parse(cause) => {
            let place = cause
                .location()
                .map(|location| format!(" (line {})", location.line()))
                .unwrap_or_default();
            Error::new(
                Exit::Failure,
                format!(
                    "cannot read kubeconfig {}: it is not a valid kubeconfig{place}",
                    path.display()
                ),
            )
            .hint("check it with kubectl config view")
        }
        other => config_error(&other),
    })?;
    // An empty current-context is none, so that the next file of a list may name one.
    kubeconfig.current_context = kubeconfig.current_context.filter(|name| !name.is_empty());
    Ok(kubeconfig)
}

/// Without a kubeconfig: the flags alone if they name a server, else the service account of the Pod.
fn in_cluster(flags: &ConnectionFlags) -> Result<Target, Error> {
    let absent = [
        ("context", &flags.context),
        ("cluster", &flags.cluster),
        ("user", &flags.user),
    ]
    .into_iter()
    .find_map(|(what, name)| name.as_ref().map(|name| (what, name)));
    if let Some((what, name)) = absent {
        return Err(Error::new(
            Exit::Failure,
            format!("{what} {name:?} cannot be used: there is no kubeconfig"),
        )
        .hint("name a file with --kubeconfig or KUBECONFIG"));
    }
    let mut target = Target {
        context_name: String::new(),
        context: Context::default(),
        cluster: ClusterInfo::default(),
        user: AuthInfo::default(),
    };
    if flags.server.is_some() {
        return Ok(target);
    }
    let mounted = |file: &str| Path::new(SERVICE_ACCOUNT).join(file);
    match (env::var("KUBERNETES_SERVICE_HOST"), env::var("KUBERNETES_SERVICE_PORT")) {
        (Ok(host), Ok(port)) if !host.is_empty() && mounted("token").exists() => {
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            target.cluster.server = Some(format!("https://{host}:{port}"));
            target.cluster.certificate_authority = Some(mounted("ca.crt").display().to_string());
            target.user.token_file = Some(mounted("token").display().to_string());
            // The way is short and wide, and compressing is a third more work for the API server.
            target.cluster.disable_compression = Some(true);
            target.context.namespace = fs::read_to_string(mounted("namespace"))
                .ok()
                .map(|namespace| namespace.trim().to_owned())
                .filter(|namespace| !namespace.is_empty());
            Ok(target)
        }
        _ => Err(Error::new(
            Exit::Failure,
            "there is no cluster to talk to: no kubeconfig was named or found, and this is not a Pod",
        )
        .hint("name a file with --kubeconfig or KUBECONFIG, or a server with --server")),
    }
}

fn apply_flags(target: &mut Target, flags: &ConnectionFlags) {
    let path = |path: &PathBuf| Some(path.display().to_string());
    let cluster = &mut target.cluster;
    if flags.insecure_skip_tls_verify || flags.certificate_authority.is_some() {
        cluster.insecure_skip_tls_verify = Some(flags.insecure_skip_tls_verify);
        cluster.certificate_authority = flags.certificate_authority.as_ref().and_then(path);
        cluster.certificate_authority_data = None;
    }
    // As in kubectl, another server does not inherit the name that the kubeconfig's server has.
    if flags.tls_server_name.is_some() || flags.server.is_some() {
        cluster.tls_server_name.clone_from(&flags.tls_server_name);
    }
    if let Some(server) = &flags.server {
        // kubectl takes a bare host and port as well.
        let server = match server.contains("://") {
            true => server.clone(),
            false => format!("https://{server}"),
        };
        cluster.server = Some(server);
    }
    if flags.disable_compression.is_some() {
        cluster.disable_compression = flags.disable_compression;
    }
    let user = &mut target.user;
    if let Some(token) = &flags.token {
        // kube ranks these above a token.
        user.auth_provider = None;
        user.username = None;
        user.password = None;
        user.token_file = None;
        user.exec = None;
        user.token = Some(SecretString::from(token.clone()));
    }
    if let Some(certificate) = &flags.client_certificate {
        user.client_certificate = path(certificate);
        user.client_certificate_data = None;
    }
    if let Some(key) = &flags.client_key {
        user.client_key = path(key);
        user.client_key_data = None;
    }
    if let Some(impersonate) = &flags.impersonate {
        user.impersonate = Some(impersonate.clone());
    }
    if flags.impersonate_uid.is_some() {
        user.impersonate_uid.clone_from(&flags.impersonate_uid);
    }
    if !flags.impersonate_groups.is_empty() {
        user.impersonate_groups = Some(flags.impersonate_groups.clone());
    }
    if !flags.impersonate_extra.is_empty() {
        let mut extra: HashMap<String, Vec<String>> = HashMap::new();
        for (key, value) in &flags.impersonate_extra {
            extra.entry(key.clone()).or_default().push(value.clone());
        }
        user.impersonate_user_extra = Some(extra);
    }
}

fn not_found<'a>(
    what: &str,
    name: &str,
    origin: &str,
    others: impl Iterator<Item = &'a String>,
) -> Error {
    let others: Vec<&str> = others.map(String::as_str).collect();
    let hint = match others.as_slice() {
        [] => format!("it names no {what} at all"),
        others => format!("it has {}", others.join(", ")),
    };
    Error::new(
        Exit::Failure,
        format!("there is no {what} {name:?} in {origin}"),
    )
    .hint(hint)
}
