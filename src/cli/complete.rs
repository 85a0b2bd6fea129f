//! Completion of the command line, for kubectl and for shells. clap_complete's engine reads the line; here are the
//! values that only the kubeconfig or the cluster knows, and the form of the answer.
//!
//! kubectl runs `kubectl_complete-jobclean` with the words of the line. It takes a candidate a line, after a tab what it
//! means, and at the end a colon and a number that says what else the shell may do. The scripts for shells ask in the
//! same way. clap_complete's own scripts do not serve: the one for bash hands over words broken at `=` and `:`, and the
//! one for PowerShell evaluates the line that is being typed.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    io::{self, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};

use clap::{
    Arg, ArgAction, Command, CommandFactory, FromArgMatches, ValueHint, builder::StyledStr,
    error::ErrorKind, value_parser,
};
use clap_complete::engine::{self, ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use super::{Cli, Shell};
use crate::{
    cluster::{Cluster, discover::Carried},
    connection::{
        Connection,
        console::Silent,
        flags::{CONNECTION_HEADING, ConnectionFlags, Unchecked},
        kubeconfig::{self, Entry},
    },
    job::{label::DERIVED_LABELS, query::Scope},
    text::{count, is_unsafe},
};

/// What kubectl looks for on the PATH.
const KUBECTL_NAME: &str = "kubectl_complete-jobclean";
/// The word by which the program under its own name is asked as kubectl asks.
const ASK: &str = "__complete";
/// How long the cluster may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// cobra's directives for the shell: complete the path of a file, nothing, or complete the path of a folder.
const FILES: u8 = 0;
const NOTHING: u8 = 4;
const FOLDERS: u8 = 16;

/// The words of the line to complete, from the program's name to the word at the cursor, if the process was started for
/// that.
pub fn asked(args: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    let mut words: Vec<OsString> = args.collect();
    let is_kubectls = Path::new(words.first()?).file_stem()? == KUBECTL_NAME;
    let is_asked = words.get(1).is_some_and(|word| word == ASK);
    if is_asked {
        words.remove(1);
    } else if !is_kubectls {
        return None;
    }
    if words.len() == 1 {
        words.push(OsString::new());
    }
    Some(words)
}

/// The script for a shell. It asks as kubectl does.
pub fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!("scripts/bash.sh"),
        Shell::Zsh => include_str!("scripts/zsh.zsh"),
        Shell::Fish => include_str!("scripts/fish.fish"),
        Shell::PowerShell => include_str!("scripts/powershell.ps1"),
    }
}

/// Write what may stand at the cursor.
///
/// # Errors
/// If it cannot be written. If anything else goes wrong, nothing is offered.
pub fn answer(mut words: Vec<OsString>, out: &mut dyn Write) -> io::Result<()> {
    // Not every PowerShell hands an empty word on, so its script writes one as two quotes.
    if let Some(last) = words.last_mut().filter(|last| *last == "\"\"") {
        last.clear();
    }
    let Some((current, before)) = words.split_last() else {
        return Ok(());
    };
    let current = current.to_string_lossy();
    // What the asker leaves as it is, and does not want back.
    let stays = match current.find('=') {
        Some(at) if current.starts_with('-') => at + 1,
        _ => 0,
    };
    let mut command = prepared(Cli::command(), &current, &before.into());
    let folder = env::current_dir().ok();
    let index = before.len();
    let mut candidates =
        engine::complete(&mut command, words.clone(), index, folder.as_deref()).unwrap_or_default();
    let first = before.get(1).and_then(|word| word.to_str());
    // A subcommand does not go with flags before it.
    if first.is_some_and(|word| word.starts_with('-')) {
        candidates.retain(|c| !is_subcommand(c));
    }
    // The engine offers every flag by only one of its names.
    if ["-", "--"].contains(&&*current) && candidates.iter().any(|c| c.get_id().is_some()) {
        let command = first
            .and_then(|word| command.find_subcommand(word))
            .unwrap_or(&command);
        candidates = command.get_arguments().flat_map(names).collect();
        candidates.retain(|c| c.get_value().to_string_lossy().starts_with(&*current));
    }
    let is_flag = |c: &CompletionCandidate| c.get_value().to_string_lossy().starts_with('-');
    let is_value = |c: &CompletionCandidate| !is_flag(c) && !is_subcommand(c);
    if current.is_empty() && candidates.iter().any(is_value) {
        candidates.retain(|c| !is_flag(c));
    }
    let mut line = lenient();
    candidates.retain(|c| {
        !is_flag(c) || current.contains('=') || !contradicts(&mut line, before, c.get_value())
    });
    let mut directive = NOTHING;
    for candidate in candidates {
        if let Some(number) = candidate.get_id().and_then(|id| id.parse().ok()) {
            directive = number;
            continue;
        }
        let word = candidate
            .get_value()
            .to_str()
            .filter(|word| !word.contains(is_unsafe));
        let Some(word) = word.and_then(|word| word.get(stays..)) else {
            continue;
        };
        let about = candidate
            .get_help()
            .map(StyledStr::to_string)
            .unwrap_or_default();
        match about.lines().next() {
            None => writeln!(out, "{word}")?,
            Some(about) => writeln!(out, "{word}\t{about}")?,
        }
    }
    writeln!(out, ":{directive}")
}

/// All names of a flag that the help shows.
fn names(arg: &Arg) -> Vec<CompletionCandidate> {
    let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
    let longs = longs.into_iter().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    let names = longs.chain(short).filter(|_| !arg.is_hide_set());
    names
        .map(|name| CompletionCandidate::new(name).help(arg.get_help().cloned()))
        .collect()
}

/// The command line with what completes its values.
fn prepared(command: Command, current: &str, before: &Arc<[OsString]>) -> Command {
    let prepare = |arg: Arg| {
        let live = Live::of_flag(arg.get_id().as_str());
        // kubectl leaves paths to the shell.
        let directive = match arg.get_value_hint() {
            ValueHint::AnyPath | ValueHint::FilePath => Some(FILES),
            ValueHint::DirPath => Some(FOLDERS),
            _ => None,
        };
        if arg.is_require_equals_set() && !current.contains('=') {
            // The engine would take the next word for its value.
            arg.action(ArgAction::SetTrue)
                .num_args(0)
                .require_equals(false)
                .default_missing_value(None::<&str>)
                .hide_default_value(false)
        } else if let Some(live) = live {
            let before = Arc::clone(before);
            arg.add(ArgValueCandidates::new(move || {
                ask(live, &before).unwrap_or_default()
            }))
        } else if let Some(directive) = directive {
            let marker = move || CompletionCandidate::new("").id(Some(directive.to_string()));
            arg.add(ArgValueCompleter::new(move |_: &OsStr| vec![marker()]))
        } else {
            arg
        }
    };
    command
        .mut_args(prepare)
        .mut_subcommands(|subcommand| prepared(subcommand, current, before))
}

/// What a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Live {
    Namespace,
    LabelKey,
    Grouping,
    JobName,
    Kubeconfig(Entry),
}

impl Live {
    fn of_flag(id: &str) -> Option<Live> {
        match id {
            "namespace" | "exclude_namespaces" | "gitops_namespaces" => Some(Live::Namespace),
            "group_by" => Some(Live::Grouping),
            "name" => Some(Live::JobName),
            "labels" => Some(Live::LabelKey),
            "context" | "argocd_context" => Some(Live::Kubeconfig(Entry::Context)),
            "cluster" => Some(Live::Kubeconfig(Entry::Cluster)),
            "user" => Some(Live::Kubeconfig(Entry::User)),
            _ => None,
        }
    }
}

fn is_subcommand(candidate: &CompletionCandidate) -> bool {
    let id = candidate.get_id();
    id.is_some_and(|id| id.starts_with("command::"))
}

/// Whether a flag does not go with those before it.
fn contradicts(line: &mut Command, before: &[OsString], flag: &OsStr) -> bool {
    let words = before.iter().map(OsString::as_os_str).chain([flag]);
    let mistakes = [None, Some("x")].map(|value| {
        let words = words.clone().chain(value.map(OsStr::new));
        let parsed = line.try_get_matches_from_mut(words);
        parsed.err().map(|error| error.kind())
    });
    // The second counts where the flag lacked its value.
    let ([Some(ErrorKind::InvalidValue), mistake] | [mistake, _]) = mistakes;
    mistake == Some(ErrorKind::ArgumentConflict)
}

/// The command line, for which any value will do but those that say which cluster and where.
fn lenient() -> Command {
    fn any_value(arg: Arg) -> Arg {
        let says_where = ["namespace", "all_namespaces"].contains(&arg.get_id().as_str())
            || arg.get_help_heading() == Some(CONNECTION_HEADING);
        let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        if says_where || !takes_value {
            arg
        } else {
            arg.value_parser(value_parser!(OsString))
        }
    }
    let command = Cli::command().mut_args(any_value);
    command.mut_subcommands(|subcommand| subcommand.mut_args(any_value))
}

/// The values that there are; none if they cannot be had in time.
fn ask(live: Live, before: &[OsString]) -> Option<Vec<CompletionCandidate>> {
    // The last flag may wait for the value at the cursor. A line that is wrong otherwise may mean another cluster.
    let matches = [None, Some("x")].into_iter().find_map(|value| {
        let words = before.iter().cloned().chain(value.map(OsString::from));
        lenient().try_get_matches_from(words).ok()
    })?;
    let matches = matches
        .subcommand()
        .map_or(&matches, |(_, matches)| matches);
    let connection = ConnectionFlags::from_arg_matches(matches).ok()?;
    if let Live::Kubeconfig(entry) = live {
        let names = kubeconfig::entry_names(&connection, entry).ok()?;
        return Some(names.into_iter().map(CompletionCandidate::new).collect());
    }
    // Not every subcommand has that flag.
    let all = matches.try_get_one::<bool>("all_namespaces");
    let scope = if all.is_ok_and(|all| all == Some(&true)) {
        Some(Scope::AllNamespaces)
    } else {
        let namespace = matches.get_one::<String>("namespace");
        namespace.cloned().map(Scope::Namespace)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let values = async {
        let console = Arc::new(Silent { is_stopping: false });
        let connection = Connection::open(&connection, console, Unchecked::Allowed)
            .await
            .ok()?;
        of_cluster(live, &Cluster::new(connection), scope).await
    };
    let values = runtime.block_on(async { tokio::time::timeout(DEADLINE, values).await });
    // A name may still be looked up.
    runtime.shutdown_background();
    values.ok()?
}

async fn of_cluster(
    live: Live,
    cluster: &Cluster,
    scope: Option<Scope>,
) -> Option<Vec<CompletionCandidate>> {
    if live == Live::Namespace {
        let names = cluster.namespace_names(0).await?;
        return Some(names.into_iter().map(CompletionCandidate::new).collect());
    }
    let of_context = || Scope::Namespace(cluster.connection.default_namespace.clone());
    let sample = cluster.sample(scope.unwrap_or_else(of_context)).await?;
    let keys = |word: &str, mut keys: BTreeMap<String, Carried>| {
        // What is different for every Job makes no groups.
        keys.retain(|key, _| DERIVED_LABELS.iter().all(|(label, _)| label != key));
        let offer = |(key, carried): (String, Carried)| {
            let about = format!("on {}", count(carried.jobs, "Job"));
            CompletionCandidate::new(format!("{word}{key}")).help(Some(about.into()))
        };
        keys.into_iter().map(offer).collect::<Vec<_>>()
    };
    Some(match live {
        Live::JobName => sample
            .names
            .into_iter()
            .map(CompletionCandidate::new)
            .collect(),
        Live::Grouping => {
            let fixed = ["application", "family"].map(CompletionCandidate::new);
            let labels = keys("label:", sample.labels);
            let annotations = keys("annotation:", sample.annotations);
            fixed.into_iter().chain(labels).chain(annotations).collect()
        }
        Live::LabelKey | Live::Namespace | Live::Kubeconfig(_) => keys("", sample.labels),
    })
}
