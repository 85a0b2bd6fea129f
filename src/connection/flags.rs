//! kubectl's connection flags, with kubectl's names and meanings.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{PathBufValueParser, TypedValueParser},
};

use crate::time::RequestTimeout;

/// What follows, in an error, the name of what switches the check off, where a run deletes without asking.
pub const NOT_UNSEEN: &str = "--yes cannot be used together without --plan: a server that is not checked would decide unseen what is deleted";

/// Whether a server may be talked to whose certificate is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unchecked {
    /// It may.
    Allowed,
    /// It may not: this run deletes what the server says, without asking.
    Refused,
}

/// The heading of the flags in the help.
pub const CONNECTION_HEADING: &str = "Connection";

/// How to reach the cluster, and as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = CONNECTION_HEADING)]
pub struct ConnectionFlags {
    /// Read the connection from this kubeconfig file
    #[arg(long, value_name = "FILE", value_parser = non_empty_path())]
    pub kubeconfig: Option<PathBuf>,
    /// Use this context of the kubeconfig
    #[arg(long, value_name = "NAME", value_parser = non_empty)]
    pub context: Option<String>,
    /// Use this cluster of the kubeconfig
    #[arg(long, value_name = "NAME", value_parser = non_empty)]
    pub cluster: Option<String>,
    /// Use this user of the kubeconfig
    #[arg(long, value_name = "NAME", value_parser = non_empty)]
    pub user: Option<String>,
    /// Authenticate with this bearer token
    #[arg(long, value_name = "TOKEN", value_parser = non_empty)]
    pub token: Option<String>,
    /// Impersonate this user
    #[arg(long = "as", value_name = "USER", value_parser = non_empty)]
    pub impersonate: Option<String>,
    /// Impersonate this uid
    #[arg(long = "as-uid", value_name = "UID", value_parser = non_empty)]
    pub impersonate_uid: Option<String>,
    /// Impersonate this group; repeat for more
    #[arg(long = "as-group", value_name = "GROUP", value_parser = non_empty)]
    pub impersonate_groups: Vec<String>,
    /// Impersonate with this extra attribute; repeat for more
    #[arg(long = "as-user-extra", value_name = "KEY=VALUE", value_parser = key_value)]
    pub impersonate_extra: Vec<(String, String)>,
    /// Talk to the API server at this address
    #[arg(short, long, value_name = "URL", value_parser = non_empty)]
    pub server: Option<String>,
    /// Expect this name in the server's certificate
    #[arg(long, value_name = "NAME", value_parser = non_empty)]
    pub tls_server_name: Option<String>,
    /// Do not check the server's certificate
    #[arg(long, value_name = "BOOL")]
    pub insecure_skip_tls_verify: bool,
    /// Trust the certificate authority in this file
    #[arg(long, value_name = "FILE", value_parser = non_empty_path())]
    pub certificate_authority: Option<PathBuf>,
    /// Authenticate with the client certificate in this file
    #[arg(long, value_name = "FILE", value_parser = non_empty_path())]
    pub client_certificate: Option<PathBuf>,
    /// Authenticate with the client key in this file
    #[arg(long, value_name = "FILE", value_parser = non_empty_path())]
    pub client_key: Option<PathBuf>,
    /// Give up on a request after this time, such as 5s or 2m; 0 waits for ever [default: 60s]
    #[arg(long, value_name = "DURATION")]
    pub request_timeout: Option<RequestTimeout>,
    /// Ask the server not to compress its answers [default: only within the cluster]
    #[arg(long, value_name = "BOOL")]
    pub disable_compression: Option<bool>,
}

impl ConnectionFlags {
    /// The flags that lead to another context of the same kubeconfig. Those that say who and where stay behind.
    pub fn of_context(&self, context: &str) -> ConnectionFlags {
        ConnectionFlags {
            kubeconfig: self.kubeconfig.clone(),
            context: Some(context.to_owned()),
            request_timeout: self.request_timeout,
            disable_compression: self.disable_compression,
            ..ConnectionFlags::default()
        }
    }
}

/// A value that is not empty: a shell variable that is not set must not fall back to something else. Blanks are no value
/// either. The API server, for one, ignores a user to impersonate whose name is blank.
pub fn non_empty(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        Err(EMPTY)
    } else {
        Ok(text.to_owned())
    }
}

/// The same of a path, which need not be Unicode.
pub fn non_empty_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if path.to_str().is_some_and(|text| text.trim().is_empty()) {
            Err(EMPTY)
        } else {
            Ok(path)
        }
    })
}

const EMPTY: &str = "it is empty";

/// A boolean as Go's flags read it.
pub fn go_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("it is neither true nor false"),
    }
}

fn key_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE"),
    }
}
