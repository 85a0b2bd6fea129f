//! Kubeconfigs: found, read and merged by kubectl's rules, and what of them is meant.

use std::{
    collections::HashSet,
    env, fs, io,
    path::{MAIN_SEPARATOR, Path, PathBuf},
};

use kube::config::{AuthInfo, Cluster as ClusterInfo, Context, Kubeconfig};

use super::{flags::ConnectionFlags, pod, target::Target, trouble::config_error};
use crate::{
    error::{Error, Exit, io_words},
    text::quoted,
};

/// Read the kubeconfig and pick the context, cluster and user that the flags or the current context name.
pub(super) fn find(flags: &ConnectionFlags) -> Result<Target, Error> {
    let Some((kubeconfig, origin)) = read_kubeconfig(flags.kubeconfig.as_deref())? else {
        return pod::find(flags);
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

/// The folder of the user, in which `.kube` is.
pub(super) fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

/// Read one file, once: it may be a pipe.
fn read_file(path: &Path) -> Result<Kubeconfig, Error> {
    let wrong = |what: &str, why: &str, hint: &str| {
        let message = format!("cannot {what} kubeconfig {}: {why}", path.display());
        Error::new(Exit::Failure, message).hint(hint)
    };
    let view = "check it with kubectl config view";
    let text = fs::read(path)
        .and_then(|bytes| decode(&bytes))
        .map_err(|error| {
            wrong(
                "read",
                &io_words(&error),
                "check --kubeconfig and KUBECONFIG",
            )
        })?;
    let documents: Vec<Kubeconfig> = serde_saphyr::from_multiple(&text).map_err(|error| {
        // The parser shows the lines around the fault, and they may hold a token.
        let place = error.location();
        let place = place.map(|place| format!(" (line {})", place.line()));
        let why = format!("it is not a valid kubeconfig{}", place.unwrap_or_default());
        wrong("read", &why, view)
    })?;
    if let Some(why) = ambiguity(&documents) {
        return Err(wrong("use", &why, view));
    }
    let mut kubeconfig = documents.into_iter().next().unwrap_or_default();
    if let Some(folder) = path.parent() {
        resolve(&mut kubeconfig, folder);
    }
    // An empty current-context is none, so that the next file of a list may name one.
    kubeconfig.current_context = kubeconfig.current_context.filter(|name| !name.is_empty());
    Ok(kubeconfig)
}

/// Text in UTF-8 or, as Windows may write it, in UTF-16.
///
/// # Errors
/// If it is neither.
pub(super) fn decode(bytes: &[u8]) -> io::Result<String> {
    let wide = |bytes: &[u8], of: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = units.iter().map(|unit| of(*unit)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => String::from_utf8(rest.to_vec()).ok(),
    };
    text.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is not text"))
}

/// Where the paths in a kubeconfig begin that are not whole: in its own folder. A plugin's bare name is no path.
fn resolve(kubeconfig: &mut Kubeconfig, folder: &Path) {
    let whole = |path: &mut String| {
        // An empty one counts as absent.
        if !path.is_empty() {
            *path = folder.join(&*path).display().to_string();
        }
    };
    let clusters = kubeconfig.clusters.iter_mut();
    for cluster in clusters.filter_map(|named| named.cluster.as_mut()) {
        cluster.certificate_authority.iter_mut().for_each(whole);
    }
    let users = kubeconfig.auth_infos.iter_mut();
    for user in users.filter_map(|named| named.auth_info.as_mut()) {
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

/// What in one file could mean two things. Of entries of the same name kube takes the first, and of several documents
/// something of each; kubectl refuses the one, and of the other reads the first alone.
fn ambiguity(documents: &[Kubeconfig]) -> Option<String> {
    let kubeconfig = match documents {
        [] => return None,
        [one] => one,
        _ => return Some("it holds several YAML documents".to_owned()),
    };
    let twice = |what: &str, names: Vec<&String>| {
        let mut seen = HashSet::new();
        let again = names.into_iter().find(|name| !seen.insert(*name))?;
        Some(format!(
            "it has two entries for the {what} {}",
            quoted(again)
        ))
    };
    let contexts = kubeconfig.contexts.iter().map(|one| &one.name);
    let clusters = kubeconfig.clusters.iter().map(|one| &one.name);
    let users = kubeconfig.auth_infos.iter().map(|one| &one.name);
    twice("context", contexts.collect())
        .or_else(|| twice("cluster", clusters.collect()))
        .or_else(|| twice("user", users.collect()))
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
        format!("there is no {what} {} in {origin}", quoted(name)),
    )
    .hint(hint)
}
