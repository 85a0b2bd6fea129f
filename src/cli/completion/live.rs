//! Values that only the kubeconfig or the cluster knows.

use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches, Parser};

use super::line::Candidate;
use crate::{
    cluster::Cluster,
    connection::{
        Connection,
        console::{Console, Stdin},
        flags::{ConnectionFlags, Unchecked, go_bool},
        kubeconfig::{self, Entry},
    },
    job::{label::DERIVED_LABELS, query::Scope},
};

/// What a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// A namespace.
    Namespace,
    /// A label key that Jobs have.
    LabelKey,
    /// Something in the kubeconfig.
    Kubeconfig(Entry),
}

impl Live {
    /// What the value of this flag names, if it is something that is known anywhere.
    pub fn of_flag(id: &str) -> Option<Live> {
        match id {
            "namespace" => Some(Live::Namespace),
            "labels" => Some(Live::LabelKey),
            "context" => Some(Live::Kubeconfig(Entry::Context)),
            "cluster" => Some(Live::Kubeconfig(Entry::Cluster)),
            "user" => Some(Live::Kubeconfig(Entry::User)),
            _ => None,
        }
    }
}

/// Where to ask: those flags before the cursor that say so.
#[derive(Debug, Parser)]
pub struct Whereabouts {
    #[command(flatten)]
    connection: ConnectionFlags,
    #[arg(long)]
    namespace: Option<String>,
    #[arg(long, value_parser = go_bool, num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    all_namespaces: bool,
}

impl Whereabouts {
    /// From flags by id, whatever else is among them; none if they make no sense.
    pub fn of(given: &[(String, Option<String>)]) -> Option<Whereabouts> {
        let mut command = Whereabouts::command();
        command.build();
        let mut line = vec![String::new()];
        for (id, value) in given {
            let arg = command.get_arguments().find(|arg| arg.get_id() == id);
            if let Some(long) = arg.and_then(clap::Arg::get_long) {
                line.push(match value {
                    Some(value) => format!("--{long}={value}"),
                    None => format!("--{long}"),
                });
            }
        }
        let matches = command.try_get_matches_from(line).ok()?;
        Whereabouts::from_arg_matches(&matches).ok()
    }
}

/// Whoever presses Tab is not to be asked anything, nor to be told what a credential plugin has to say.
struct Nobody;

impl Console for Nobody {
    fn input(&self) -> Stdin {
        Stdin::Other
    }

    fn say(&self, _: &str) {}

    fn leave(&self) {}

    fn take_back(&self) {}

    fn is_stopping(&self) -> bool {
        false
    }
}

async fn connect(flags: &ConnectionFlags) -> Option<Cluster> {
    let connection = Connection::open(flags, Arc::new(Nobody), Unchecked::Allowed).await;
    connection.ok().map(Cluster::new)
}

/// The values that there are; none if they cannot be had.
pub async fn values(live: Live, at: Whereabouts) -> Option<Vec<Candidate>> {
    match live {
        Live::Kubeconfig(entry) => {
            let names = kubeconfig::entry_names(&at.connection, entry).ok()?;
            Some(
                names
                    .into_iter()
                    .map(|name| Candidate::new(name, ""))
                    .collect(),
            )
        }
        Live::Namespace => {
            let cluster = connect(&at.connection).await?;
            let names = cluster.namespaces().await?;
            Some(
                names
                    .into_iter()
                    .map(|name| Candidate::new(name, ""))
                    .collect(),
            )
        }
        Live::LabelKey => {
            let cluster = connect(&at.connection).await?;
            let scope = match (at.all_namespaces, at.namespace) {
                (true, _) => Scope::AllNamespaces,
                (false, Some(namespace)) => Scope::Namespace(namespace),
                (false, None) => Scope::Namespace(cluster.connection.default_namespace.clone()),
            };
            let keys = cluster.label_keys(scope).await?;
            // What is different for every Job makes no groups.
            let is_derived = |key: &str| DERIVED_LABELS.iter().any(|(label, _)| *label == key);
            let keys = keys.into_iter().filter(|(key, _)| !is_derived(key));
            Some(
                keys.map(|(key, jobs)| match jobs {
                    1 => Candidate::new(key, "on 1 Job"),
                    jobs => Candidate::new(key, format!("on {jobs} Jobs")),
                })
                .collect(),
            )
        }
    }
}
