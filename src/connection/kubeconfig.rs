//! Kubeconfigs: found, read and merged by kubectl's rules, and what of them is meant.
use std::{
    collections::HashSet,
    env, fs, io,
    path::{MAIN_SEPARATOR, Path, PathBuf},
};

use kube::config::AuthInfo;
use kube::config::{Cluster as ClusterInfo, Context};
use secrecy::ExposeSecret as _;

use super::{
    entries::{Entries, Exec, Named, UserFields},
    flags::ConnectionFlags,
};
use crate::{
    error::{Error, io_words},
    text::{decode, quoted, yaml},
};

/// What the kubeconfig and the flags come to.
pub(crate) struct Target {
    /// The name of the context, empty if there is none.
    pub(crate) context_name: String,
    /// The name of the cluster, empty if it has none.
    pub(crate) cluster_name: String,
    /// Where the kubeconfig is, empty if there is none.
    pub(crate) origin: String,
    pub(crate) context: Context,
    pub(crate) cluster: ClusterInfo,
    /// Its `exec` is always empty: what there is stands in [`Target::exec`].
    pub(crate) user: AuthInfo,
    /// The credential plugin of the user.
    pub(crate) exec: Option<Exec>,
}

impl Target {
    /// What is there and empty counts as absent in kubectl; kube would take an empty name or token for one.
    pub(super) fn forget_empty(&mut self) {
        let empty = |text: &mut Option<String>| {
            text.take_if(|text| text.is_empty());
        };
        let (cluster, user) = (&mut self.cluster, &mut self.user);
        for text in [
            &mut self.context.namespace,
            &mut cluster.server,
            &mut cluster.certificate_authority,
            &mut cluster.certificate_authority_data,
            &mut cluster.proxy_url,
            &mut cluster.tls_server_name,
            &mut user.username,
            &mut user.token_file,
            &mut user.client_certificate,
            &mut user.client_certificate_data,
            &mut user.client_key,
            &mut user.impersonate,
            &mut user.impersonate_uid,
        ] {
            empty(text);
        }
        for secret in [
            &mut user.password,
            &mut user.token,
            &mut user.client_key_data,
        ] {
            secret.take_if(|secret| secret.expose_secret().is_empty());
        }
        user.impersonate_groups.take_if(|groups| groups.is_empty());
        user.impersonate_user_extra
            .take_if(|extra| extra.is_empty());
        // A name without a password, or the other way round, is sent as it is.
        if user.username.is_some() || user.password.is_some() {
            user.username.get_or_insert_default();
            user.password.get_or_insert_default();
        }
    }
}

/// Read the kubeconfig and pick the context, cluster and user that the flags or the current context name.
pub(crate) fn find(flags: &ConnectionFlags) -> Result<Option<Target>, Error> {
    let Some((kubeconfig, origin)) = read_kubeconfig(flags.kubeconfig.as_deref())? else {
        return Ok(None);
    };
    let named = flags
        .context
        .clone()
        .or_else(|| kubeconfig.current_context.clone());
    let context = match &named {
        Some(name) => {
            let found = kubeconfig.contexts.iter().find(|entry| entry.name == *name);
            let found = found
                .ok_or_else(|| not_found("context", name, &origin, &names(&kubeconfig.contexts)))?;
            Context::from(found.entry.clone())
        }
        None if flags.server.is_some() || flags.cluster.is_some() => Context::default(),
        None => {
            return Err(
                Error::failure(format!("no context is selected in {origin}"))
                    .hint("name one with --context, or select one with kubectl config use-context"),
            );
        }
    };
    let cluster_name = flags.cluster.as_ref().unwrap_or(&context.cluster);
    let cluster = kubeconfig
        .clusters
        .iter()
        .find(|entry| entry.name == *cluster_name);
    let cluster = match (cluster, &named) {
        (Some(found), _) => ClusterInfo::from(found.entry.clone()),
        (None, _) if flags.server.is_some() && flags.cluster.is_none() => ClusterInfo::default(),
        (None, Some(context)) if cluster_name.is_empty() => {
            let message = format!(
                "the context {} in {origin} names no cluster",
                quoted(context)
            );
            return Err(Error::failure(message).hint("name one with --cluster"));
        }
        (None, _) => {
            let names = names(&kubeconfig.clusters);
            return Err(not_found("cluster", cluster_name, &origin, &names));
        }
    };
    // A context without a user means the entry without a name, if there is one.
    let user_name = flags.user.as_ref().or(context.user.as_ref());
    let user_name = user_name.map_or("", String::as_str);
    let user = kubeconfig
        .users
        .iter()
        .find(|entry| entry.name == user_name);
    let user = match user {
        Some(found) => found.entry.clone(),
        // A context may name a user that is nowhere, as for a server that needs none.
        None if flags.user.is_none() => UserFields::default(),
        None => {
            let names = names(&kubeconfig.users);
            return Err(not_found("user", user_name, &origin, &names));
        }
    };
    let cluster_name = cluster_name.clone();
    let (user, exec) = user.split();
    Ok(Some(Target {
        context_name: named.unwrap_or_default(),
        cluster_name,
        origin,
        context,
        cluster,
        user,
        exec,
    }))
}

/// The kubeconfig by kubectl's rules, and where it came from; `None` if none was named or found.
pub(crate) fn read_kubeconfig(named: Option<&Path>) -> Result<Option<(Entries, String)>, Error> {
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
        let mut merged: Option<Entries> = None;
        // kubectl passes over a file of the list that does not exist.
        for path in listed.iter().filter(|path| path.exists()) {
            let next = read_file(path)?;
            match &mut merged {
                None => merged = Some(next),
                Some(merged) => merged.merge(next),
            }
        }
        let origin = env::var("KUBECONFIG").unwrap_or_default();
        return match merged {
            Some(merged) => Ok(Some((merged, origin))),
            None => Err(Error::failure(format!(
                "none of the files in KUBECONFIG exists: {origin}"
            ))
            .hint("unset KUBECONFIG, or name a file with --kubeconfig")),
        };
    }
    match home().map(|home| home.join(".kube").join("config")) {
        Some(path) if path.exists() => Ok(Some((read_file(&path)?, path.display().to_string()))),
        _ => Ok(None),
    }
}

/// The folder of the user, in which `.kube` is.
pub(crate) fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

/// Read one file, once: it may be a pipe.
fn read_file(path: &Path) -> Result<Entries, Error> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let mut kubeconfig = parse(&bytes, path)?;
    if let Some(folder) = path.parent() {
        resolve(&mut kubeconfig, folder);
    }
    Ok(kubeconfig)
}

/// What the bytes of the kubeconfig at this path say.
///
/// # Errors
/// If they are no kubeconfig, or one that could mean two things. The parser shows the lines around a fault, and they may
/// hold a token, so the error tells the line's number alone.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Entries, Error> {
    let text = decode(bytes).map_err(|error| unreadable(path, &error))?;
    let documents: Vec<Entries> = serde_saphyr::from_multiple_with_options(&text, yaml::limits())
        .map_err(|error| {
        let place = error.location();
        let place = place.map(|place| format!(" (line {})", place.line()));
        let place = place.unwrap_or_default();
        match yaml::limit_met(&error) {
            Some(limit) => wrong(
                "read",
                path,
                &format!("{limit}{place}"),
                "write it with fewer aliases, and less nested",
            ),
            None => {
                let why = format!("it is not a valid kubeconfig{place}");
                wrong("read", path, &why, VIEW)
            }
        }
    })?;
    if let Some(why) = ambiguity(&documents) {
        return Err(wrong("use", path, &why, VIEW));
    }
    let mut kubeconfig = documents.into_iter().next().unwrap_or_default();
    // An empty current-context counts as absent, so that the next file of a list may name one.
    kubeconfig.current_context = kubeconfig.current_context.filter(|name| !name.is_empty());
    Ok(kubeconfig)
}

/// What to do about a kubeconfig that says something wrong.
const VIEW: &str = "check it with kubectl config view";

fn wrong(what: &str, path: &Path, why: &str, hint: &'static str) -> Error {
    let message = format!("cannot {what} kubeconfig {}: {why}", path.display());
    Error::failure(message).hint(hint)
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let hint = "check --kubeconfig and KUBECONFIG";
    wrong("read", path, &io_words(error), hint)
}

/// Where the paths in a kubeconfig begin that are not whole: in its own folder. A plugin's bare name is no path.
fn resolve(kubeconfig: &mut Entries, folder: &Path) {
    let whole = |path: &mut String| {
        // An empty one counts as absent.
        if !path.is_empty() {
            *path = folder.join(&*path).display().to_string();
        }
    };
    for cluster in &mut kubeconfig.clusters {
        let authority = cluster.entry.certificate_authority.iter_mut();
        authority.for_each(whole);
    }
    for user in &mut kubeconfig.users {
        let user = &mut user.entry;
        let command = user.exec.as_mut().and_then(|exec| exec.command.as_mut());
        [
            user.client_certificate.as_mut(),
            user.client_key.as_mut(),
            user.token_file.as_mut(),
            command.filter(|command| command.contains(MAIN_SEPARATOR)),
        ]
        .into_iter()
        .flatten()
        .for_each(whole);
    }
}

/// What in one file could mean two things. Of several documents kubectl reads the first alone, and of entries of the same
/// name it refuses the file.
fn ambiguity(documents: &[Entries]) -> Option<String> {
    let kubeconfig = match documents {
        [] => return None,
        [one] => one,
        _ => return Some("it holds several YAML documents".to_owned()),
    };
    let twice = |what: &str, names: Vec<&str>| {
        let mut seen = HashSet::new();
        let again = names.into_iter().find(|name| !seen.insert(*name))?;
        Some(format!(
            "it has two entries for the {what} {}",
            quoted(again)
        ))
    };
    twice("context", names(&kubeconfig.contexts))
        .or_else(|| twice("cluster", names(&kubeconfig.clusters)))
        .or_else(|| twice("user", names(&kubeconfig.users)))
}

fn names<T>(entries: &[Named<T>]) -> Vec<&str> {
    entries.iter().map(|entry| &*entry.name).collect()
}

/// The most names that a hint shows.
const MOST_NAMES: usize = 50;

fn not_found(what: &str, name: &str, origin: &str, others: &[&str]) -> Error {
    let hint = match others {
        [] => format!("it names no {what} at all"),
        others if others.len() > MOST_NAMES => {
            let more = others.len() - MOST_NAMES;
            format!("it has {} and {more} more", others[..MOST_NAMES].join(", "))
        }
        others => format!("it has {}", others.join(", ")),
    };
    Error::failure(format!("there is no {what} {} in {origin}", quoted(name))).hint(hint)
}

/// What has a name in a kubeconfig.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Context,
    Cluster,
    User,
}

/// The names of its contexts, clusters or users; none if there is no kubeconfig.
///
/// # Errors
/// If it cannot be read.
pub fn entry_names(flags: &ConnectionFlags, entry: Entry) -> Result<Vec<String>, Error> {
    let Some((kubeconfig, _)) = read_kubeconfig(flags.kubeconfig.as_deref())? else {
        return Ok(Vec::new());
    };
    Ok(match entry {
        Entry::Context => kubeconfig.contexts.into_iter().map(|c| c.name).collect(),
        Entry::Cluster => kubeconfig.clusters.into_iter().map(|c| c.name).collect(),
        Entry::User => kubeconfig.users.into_iter().map(|u| u.name).collect(),
    })
}
