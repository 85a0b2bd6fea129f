//! What the kubeconfig and kubectl's connection flags come to: one cluster, one user, one context.
//!
//! Every way in (files, flags alone, a Pod's service account) ends in one `Target`, so that the flags apply to all
//! of them alike.

use std::{collections::HashMap, env, fs, path::PathBuf, sync::Arc};

use http::Uri;
use kube::{
    Config,
    config::{AuthInfo, Cluster as ClusterInfo},
};
use secrecy::SecretString;

use super::{
    console::Console,
    entries::Exec,
    exec::Plugin,
    flags::{ConnectionFlags, NOT_UNSEEN},
    identity::{Identity, decode},
    in_cluster,
    kubeconfig::{self, Target},
    login::{CredentialSource, TokenFile},
    oidc,
    proxy::Proxies,
    transport::Line,
    trust::{Trust, certificates},
    validate,
};
use crate::{
    error::{Error, Exit, io_words},
    text::quoted,
};

impl Target {
    /// Read the kubeconfig, pick what the flags or the current context name, and apply the flags.
    ///
    /// # Errors
    /// If a file cannot be read, or a name is not in it, or there is no cluster to talk to.
    pub(crate) fn find(flags: &ConnectionFlags) -> Result<Target, Error> {
        let mut target = find(flags)?;
        target.forget_empty();
        apply_flags(&mut target, flags);
        if let Some(server) = &mut target.cluster.server
            && !server.contains("://")
        {
            // kubectl takes a bare host and port, too, and for one of plain HTTP.
            *server = format!("http://{server}");
        }
        if target.context.namespace.is_none() {
            target.context.namespace = in_cluster::namespace();
        }
        validate::check(&target.cluster, &target.user, target.exec.is_some())?;
        Ok(target)
    }

    /// Whether the server's certificate is not to be checked.
    pub(crate) fn is_unchecked(&self) -> bool {
        self.cluster.insecure_skip_tls_verify == Some(true)
    }

    /// Refuse a cluster of the kubeconfig whose server is not checked.
    ///
    /// # Errors
    /// If it is such a one.
    pub(crate) fn refuse_unchecked(&self) -> Result<(), Error> {
        if !self.is_unchecked() {
            return Ok(());
        }
        Err(Error::new(
            Exit::Usage,
            format!(
                "insecure-skip-tls-verify of the cluster {} in {} and {NOT_UNSEEN}",
                quoted(&self.cluster_name),
                self.origin
            ),
        )
        .hint(
            "name the cluster's certificate authority with --certificate-authority, or save a plan with --save-plan and \
             carry it out with --plan",
        ))
    }

    /// The address of the API server, without a login before an @, which is secret.
    pub(crate) fn server(&self) -> String {
        let server = self
            .cluster
            .server
            .as_deref()
            .unwrap_or_default()
            .trim_end_matches('/');
        match (server.rfind('@'), server.split_once("://")) {
            (Some(at), Some((scheme, _))) => format!("{scheme}://{}", &server[at + 1..]),
            _ => server.to_owned(),
        }
    }

    /// The same as a line to the server, and where credentials come from that may change.
    ///
    /// It is put together here, since kube would look at the environment for a proxy by rules of its own.
    ///
    /// # Errors
    /// If something in it is not what it should be.
    pub(crate) fn into_line(
        self,
        console: Arc<dyn Console>,
    ) -> Result<(Line, CredentialSource), Error> {
        let uri = self.uri()?;
        let ca = self.certificate_authority()?;
        let is_unchecked = self.is_unchecked();
        let Target {
            context,
            cluster,
            user,
            exec,
            ..
        } = self;
        let mut config = Config::new(uri);
        if let Some(namespace) = context.namespace {
            config.default_namespace = namespace;
        }
        let proxies = Proxies::from_env();
        let proxy = proxies.towards(&config.cluster_url, cluster.proxy_url.as_deref())?;
        config.disable_compression = cluster.disable_compression.unwrap_or(false);
        config.tls_server_name.clone_from(&cluster.tls_server_name);
        let is_https = |uri: &Uri| uri.scheme_str() == Some("https");
        let is_encrypted = is_https(&config.cluster_url);
        let is_proxy_encrypted = proxy.as_ref().is_some_and(|proxy| is_https(&proxy.uri));
        let trust = match &ca {
            _ if is_unchecked => Trust::Unchecked,
            Some(ca) => Trust::Named(certificates(ca)?),
            None if is_encrypted || is_proxy_encrypted => Trust::System,
            None => Trust::Any,
        };
        let (mut user, source) = if is_encrypted {
            choose(user, exec, &cluster, ca.as_deref(), console)?
        } else {
            // As in kubectl, credentials are not sent over a connection that is not encrypted.
            (anonymous(user), CredentialSource::Fixed)
        };
        let identity = Identity::take_from(&mut user)?;
        config.auth_info = user;
        let line = Line {
            config,
            proxy: proxy.map(Arc::new),
            trust,
            identity,
            // As kubectl.
            may_use_http2: env::var_os("DISABLE_HTTP2").is_none_or(|value| value.is_empty()),
        };
        Ok((line, source))
    }

    fn uri(&self) -> Result<Uri, Error> {
        let Some(server) = &self.cluster.server else {
            let message = "the cluster of the context has no server address";
            return Err(
                Error::failure(message).hint("check the context with kubectl config view --minify")
            );
        };
        let uri = server.parse::<Uri>().ok();
        let is_whole =
            |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        uri.filter(is_whole).ok_or_else(|| {
            let message = format!("the server address {} is not a URL", quoted(&self.server()));
            Error::failure(message).hint("write it as https://HOST:PORT")
        })
    }

    /// The PEM text of the authorities that sign the server's certificate; none for the system's own.
    fn certificate_authority(&self) -> Result<Option<Vec<u8>>, Error> {
        let wrong =
            |what: String| Error::failure(what).hint("check the cluster of the kubeconfig context");
        if let Some(data) = &self.cluster.certificate_authority_data {
            let decoded = decode(data).ok_or_else(|| {
                wrong("the certificate authority in the kubeconfig is not valid base64".to_owned())
            });
            return decoded.map(Some);
        }
        let Some(path) = &self.cluster.certificate_authority else {
            return Ok(None);
        };
        fs::read(path).map(Some).map_err(|error| {
            wrong(format!(
                "cannot read the certificate authority {path}: {}",
                io_words(&error)
            ))
        })
    }
}

/// What of several credentials counts, in kubectl's order: a token before all else, from its file rather than from the
/// kubeconfig; a plugin only where there is nothing else. What is left to kube is in the first of the two.
fn choose(
    mut user: AuthInfo,
    exec: Option<Exec>,
    cluster: &ClusterInfo,
    ca: Option<&[u8]>,
    console: Arc<dyn Console>,
) -> Result<(AuthInfo, CredentialSource), Error> {
    let provider = user.auth_provider.take();
    let has_certificate =
        user.client_certificate.is_some() || user.client_certificate_data.is_some();
    if let Some(path) = user.token_file.take() {
        let file = TokenFile {
            path: PathBuf::from(path),
            token: user.token.take(),
        };
        return Ok((user, CredentialSource::TokenFile(file)));
    }
    if user.token.is_some() || user.username.is_some() {
        return Ok((user, CredentialSource::Fixed));
    }
    if let Some(provider) = provider {
        user.token = Some(SecretString::from(oidc::id_token(&provider)?));
        return Ok((user, CredentialSource::Fixed));
    }
    match exec.filter(|_| !has_certificate) {
        Some(exec) => {
            let plugin = Plugin::new(exec, cluster, ca, console)?;
            Ok((user, CredentialSource::Plugin(Box::new(plugin))))
        }
        None => Ok((user, CredentialSource::Fixed)),
    }
}

/// Whom to impersonate and nothing else.
fn anonymous(user: AuthInfo) -> AuthInfo {
    AuthInfo {
        impersonate: user.impersonate,
        impersonate_uid: user.impersonate_uid,
        impersonate_groups: user.impersonate_groups,
        impersonate_user_extra: user.impersonate_user_extra,
        ..AuthInfo::default()
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
    if flags.server.is_some() {
        cluster.server.clone_from(&flags.server);
    }
    if flags.disable_compression.is_some() {
        cluster.disable_compression = flags.disable_compression;
    }
    let user = &mut target.user;
    if let Some(token) = &flags.token {
        // A token that is named is the one to use: drop what would outrank it or not go with it.
        user.username = None;
        user.password = None;
        user.token_file = None;
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
    let mut extra: HashMap<String, Vec<String>> = HashMap::new();
    for (key, value) in &flags.impersonate_extra {
        extra.entry(key.clone()).or_default().push(value.clone());
    }
    if !extra.is_empty() {
        // Those of the kubeconfig that have another name stay.
        user.impersonate_user_extra
            .get_or_insert_default()
            .extend(extra);
    }
}

/// What the kubeconfig and the flags name, or the cluster that this Pod is in.
fn find(flags: &ConnectionFlags) -> Result<Target, Error> {
    match kubeconfig::find(flags)? {
        Some(target) => Ok(target),
        None => in_cluster::find(flags),
    }
}

/// Find out whether there is what the flags name.
///
/// # Errors
/// If the kubeconfig cannot be read, or lacks it.
pub fn check_names(flags: &ConnectionFlags) -> Result<(), Error> {
    find(flags).map(drop)
}

/// The namespace that applies where none is asked for.
///
/// # Errors
/// If the kubeconfig cannot be read, or lacks what the flags name.
pub fn default_namespace(flags: &ConnectionFlags) -> Result<String, Error> {
    let mut target = find(flags)?;
    target.forget_empty();
    let namespace = target.context.namespace.or_else(in_cluster::namespace);
    Ok(namespace.unwrap_or_else(|| "default".to_owned()))
}
