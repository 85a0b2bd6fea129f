//! What to write instead of what is not understood.
//!
//! clap proposes what is spelt alike. That something was mistyped is no sign that more is to be deleted, so what deletes
//! more is never proposed, and neither is the opposite of what was typed.

use std::{env, ffi::OsString};

use clap::{
    Arg, Command, CommandFactory, Error,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::Cli;
use crate::{connection::flags::go_bool, time::HumanDuration};

/// Flags with which more is deleted than without, or with less care.
pub const DELETE_MORE: [&str; 14] = [
    "contexts",
    "skip-unreachable",
    "all-namespaces",
    "argocd-context",
    "family",
    "gitops",
    "gitops-namespace",
    "include-active",
    "include-owned",
    "insecure-skip-tls-verify",
    "mixed-groups",
    "plan",
    "policy",
    "yes",
];
/// Values of which the same is true: `--dry-run=none`, `--gitops=ignore`, and `--mixed-groups` other than `hold`.
const VALUES_THAT_DELETE_MORE: [&str; 4] = ["ignore", "merge", "none", "split"];

/// How words begin that ask for the opposite of what follows.
const NEGATIONS: [&str; 9] = [
    "disable", "exclude", "ignore", "never", "no-", "not-", "omit", "skip", "without",
];

const ACTIVE: &str = "Jobs that are not finished are kept anyway";
const ASKS: &str =
    "it asks before it deletes; 'Deletion' in the help has the flags around the question";
const CONCURRENCY: &str = "for the number of deletes in flight, use '--concurrency N'";
const EVERY_GROUP: &str = "every group is looked at anyway";
const FORCE: &str = "a Job cannot be deleted by force; '--cascade' says what becomes of its Pods";
const FORMAT: &str = "for another form of output, use '-o FORMAT'";
const KEEP: &str = "to keep the N newest of every group, use '--keep N'";
const LABEL: &str = "to name the label, use '--label KEY'";
const LIMIT: &str = "to delete nothing if there is more to purge than N Jobs, use '--max-purge N'";
const NAMESPACES: &str =
    "to leave namespaces out, use '--exclude-namespace GLOB'; to look in one, use '--namespace NS'";
const OWNED: &str = "Jobs that have a controller are kept anyway";
const PLAN_ONLY: &str = "to change nothing, use '--dry-run=client'";
const STATUS: &str = "to keep Jobs by their status, use '--keep-succeeded N' and '--keep-failed N'";
const VERBOSE: &str = "to say more on stderr, use '-v' or '-v=6'";

/// What these tips are where there is a policy, in order: beside it a flag is an error where the policy says the same, and
/// what is kept without flags is for the policy to say.
const IN_POLICY: [(&str, &str); 4] = [
    (
        ACTIVE,
        "Jobs that are not finished are kept, unless includeActive in the policy says otherwise",
    ),
    (
        KEEP,
        "to keep the N newest of every group, use 'keep: N' in the policy",
    ),
    (
        OWNED,
        "Jobs that have a controller are kept, unless includeOwned in the policy says otherwise",
    ),
    (
        STATUS,
        "to keep Jobs by their status, use 'keepSucceeded: N' and 'keepFailed: N' in the policy",
    ),
];

/// Flags that people know from elsewhere, and what there is here for the same purpose. In order.
pub const HABITS: [(&str, &str); 74] = [
    ("active", ACTIVE),
    ("all", EVERY_GROUP),
    ("all-groups", EVERY_GROUP),
    ("approve", ASKS),
    ("assume-yes", ASKS),
    ("auto-approve", ASKS),
    ("batch", ASKS),
    ("check", PLAN_ONLY),
    ("cleanup-group", LABEL),
    ("completed", STATUS),
    ("confirm", ASKS),
    ("csv", "for a row a Job with all its fields, use '-o tsv'"),
    ("debug", VERBOSE),
    ("exclude-active", ACTIVE),
    ("exclude-cronjobs", OWNED),
    ("exclude-namespaces", NAMESPACES),
    ("exclude-owned", OWNED),
    ("exclude-running", ACTIVE),
    (
        "exclude-selector",
        "to leave Jobs out by their labels, use '--selector', as in '--selector \"app!=web\"'",
    ),
    ("failed", STATUS),
    ("failed-jobs-history-limit", STATUS),
    ("force", FORCE),
    ("format", FORMAT),
    ("grace-period", FORCE),
    ("history-limit", KEEP),
    ("ignore-active", ACTIVE),
    ("ignore-namespace", NAMESPACES),
    (
        "ignore-not-found",
        "a Job that is gone by then is no failure anyway",
    ),
    ("json", "for the document as JSON, use '-o json'"),
    ("keep-active", ACTIVE),
    ("keep-count", KEEP),
    ("keep-last", KEEP),
    ("keep-latest", KEEP),
    ("keep-newest", KEEP),
    ("keep-owned", OWNED),
    ("keep-running", ACTIVE),
    ("log-level", VERBOSE),
    ("loglevel", VERBOSE),
    ("max-delete", LIMIT),
    ("max-deletes", LIMIT),
    (
        "no-color",
        "for no colour, set the environment variable NO_COLOR",
    ),
    ("no-confirm", ASKS),
    ("no-input", ASKS),
    ("no-prompt", ASKS),
    ("no-running", ACTIVE),
    ("non-interactive", ASKS),
    ("noninteractive", ASKS),
    ("noop", PLAN_ONLY),
    ("now", FORCE),
    ("parallel", CONCURRENCY),
    ("parallelism", CONCURRENCY),
    ("phase", STATUS),
    ("plan-only", PLAN_ONLY),
    ("preview", PLAN_ONLY),
    ("retain", KEEP),
    ("running", ACTIVE),
    ("simulate", PLAN_ONLY),
    ("skip-active", ACTIVE),
    ("skip-confirmation", ASKS),
    ("skip-namespace", NAMESPACES),
    ("skip-namespaces", NAMESPACES),
    ("skip-owned", OWNED),
    ("skip-running", ACTIVE),
    ("state", STATUS),
    ("status", STATUS),
    ("succeeded", STATUS),
    ("successful", STATUS),
    ("successful-jobs-history-limit", STATUS),
    ("threads", CONCURRENCY),
    ("tsv", "for a row a Job with all its fields, use '-o tsv'"),
    ("verbosity", VERBOSE),
    ("whatif", PLAN_ONLY),
    ("workers", CONCURRENCY),
    ("yaml", "for the document as YAML, use '-o yaml'"),
];

/// The same of flags that take an age, and the unit of a bare number behind them. In order.
pub const AGES: [(&str, &str); 22] = [
    ("age", ""),
    ("keep-days", "d"),
    ("keep-for", ""),
    ("keep-hours", "h"),
    ("max-age", ""),
    ("max-age-days", "d"),
    ("max-age-hours", "h"),
    ("max-age-minutes", "m"),
    ("max-age-seconds", "s"),
    ("min-age", ""),
    ("min-age-days", "d"),
    ("min-age-hours", "h"),
    ("newer-than", ""),
    ("older", ""),
    ("older-than-days", "d"),
    ("older-than-hours", "h"),
    ("retention", ""),
    ("retention-days", "d"),
    ("retention-hours", "h"),
    ("since", ""),
    ("ttl", ""),
    ("ttl-seconds-after-finished", "s"),
];

/// The error with a tip that may be followed. The words are those of the command line behind the program's name.
pub fn with_tip(mut error: Error, words: &[OsString]) -> Error {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let typed = text(&error, ContextKind::InvalidArg);
            if let Some(tip) = tip(&typed, &words) {
                replace_tip(&mut error, Some(tip));
            } else if !may_be_proposed(&typed, &text(&error, ContextKind::SuggestedArg)) {
                replace_tip(&mut error, None);
            }
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let proposed = text(&error, ContextKind::SuggestedValue);
            if VALUES_THAT_DELETE_MORE.contains(&proposed.as_str()) {
                error.remove(ContextKind::SuggestedValue);
            }
            if let Some(tip) = origin(&error, &words) {
                replace_tip(&mut error, Some(tip));
            }
        }
        // clap takes any word for a subcommand, and says of it that it contradicts the flags before it.
        ErrorKind::ArgumentConflict => {
            let typed = text(&error, ContextKind::InvalidSubcommand);
            if !typed.is_empty() && Cli::command().find_subcommand(&typed).is_none() {
                let tip = tip(&typed, &words);
                error = Error::new(ErrorKind::UnknownArgument).with_cmd(&Cli::command());
                error.insert(ContextKind::InvalidArg, ContextValue::String(typed));
                replace_tip(&mut error, tip);
            }
        }
        _ => {}
    }
    error
}

/// What the context of an error says, as far as it is one text.
fn text(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    }
}

/// Put this in the place of what clap proposes. Its line of usage shows that as well.
fn replace_tip(error: &mut Error, tip: Option<String>) {
    error.remove(ContextKind::SuggestedArg);
    error.remove(ContextKind::Suggested);
    error.remove(ContextKind::Usage);
    if let Some(tip) = tip {
        let tip = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tip);
    }
}

/// Whether clap's proposal for a mistyped flag may stand.
fn may_be_proposed(typed: &str, proposed: &str) -> bool {
    let (typed, proposed) = (long(typed), long(proposed));
    let is_opposite = NEGATIONS
        .into_iter()
        .any(|not| typed.starts_with(not) && !proposed.starts_with(not));
    !is_opposite && !DELETE_MORE.contains(&proposed)
}

/// The name in `--NAME=VALUE`.
fn long(flag: &str) -> &str {
    let name = flag.strip_prefix("--").unwrap_or_default();
    name.split(['=', '[', ' ']).next().unwrap_or_default()
}

/// What to write instead of a word that is not understood.
fn tip(typed: &str, words: &[&str]) -> Option<String> {
    let name = long(typed);
    let habit = HABITS.into_iter().find(|(habit, _)| *habit == name);
    let age = AGES.into_iter().find(|(habit, _)| *habit == name);
    let has_policy = words.iter().any(|word| long(word) == "policy");
    let in_policy = |tip| {
        let known = IN_POLICY.into_iter().find(|(other, _)| *other == tip);
        known.map_or(tip, |(_, tip)| tip)
    };
    match (habit, age) {
        (Some((_, tip)), _) if has_policy => Some(in_policy(tip).to_owned()),
        (Some((_, tip)), _) => Some(tip.to_owned()),
        (None, Some((_, unit))) => Some(of_age(typed, unit, words, has_policy)),
        (None, None) => of_value(typed, words),
    }
}

/// The age that was meant is said again: another one might delete more.
fn of_age(typed: &str, unit: &str, words: &[&str], has_policy: bool) -> String {
    let value = words.iter().enumerate().find_map(|(at, word)| {
        match word.strip_prefix(typed)?.strip_prefix('=') {
            Some(value) => Some(value),
            None => words.get(at + 1).copied(),
        }
    });
    let value = value.unwrap_or_default();
    let ages = [value.to_owned(), format!("{value}{unit}")];
    let age = ages.iter().find(|age| age.parse::<HumanDuration>().is_ok());
    let said = age.map_or("DURATION", String::as_str);
    let setting = if has_policy {
        format!("'keepWithin: {said}' in the policy")
    } else {
        format!("'--keep-within {said}'")
    };
    let such_as = match age {
        Some(_) => "",
        None => ", such as 90s, 12h or 7d",
    };
    format!("to keep Jobs by their age, use {setting}{such_as}")
}

/// A word that is the value of a flag which takes one only behind a `=`: `-v 6`, `-v6`, `--dry-run client`.
fn of_value(typed: &str, words: &[&str]) -> Option<String> {
    let command = Cli::command();
    let detached = words
        .windows(2)
        .filter(|pair| pair[1] == typed)
        .map(|pair| (pair[0], typed));
    let attached = words.iter().filter_map(|word| {
        let value = typed.strip_prefix('-')?;
        Some((word.strip_suffix(value)?, value))
    });
    let (flag, value) = detached.chain(attached).find(|(flag, value)| {
        let deletes_more = match flags_in(&command, flag).pop() {
            Some(last) => last
                .get_long()
                .is_some_and(|long| DELETE_MORE.contains(&long)),
            None => true,
        };
        let is_safe = (!deletes_more && !VALUES_THAT_DELETE_MORE.contains(value))
            || go_bool(value) == Ok(false);
        let joined = format!("{flag}={value}");
        is_safe && Cli::command().try_get_matches_from(["", &joined]).is_ok()
    })?;
    Some(format!("to give '{flag}' a value, use '{flag}={value}'"))
}

/// The flags that a word without a value holds.
fn flags_in<'a>(command: &'a Command, word: &str) -> Vec<&'a Arg> {
    let is_named = |arg: &Arg, name: &str| {
        let aliases = arg.get_all_aliases().unwrap_or_default();
        arg.get_long() == Some(name) || aliases.contains(&name)
    };
    let mut arguments = command.get_arguments();
    if let Some(name) = word.strip_prefix("--") {
        return arguments
            .find(|arg| is_named(arg, name))
            .into_iter()
            .collect();
    }
    let shorts = word.strip_prefix('-').unwrap_or_default().chars();
    let of_short = |short| {
        command
            .get_arguments()
            .find(|arg| arg.get_short() == Some(short))
    };
    shorts.filter_map(of_short).collect()
}

/// Which variable a wrong value comes from, if it does not come from the command line.
fn origin(error: &Error, words: &[&str]) -> Option<String> {
    let shown = text(error, ContextKind::InvalidArg);
    let mut command = Cli::command();
    command.build();
    let arg = command
        .get_arguments()
        .find(|arg| arg.to_string() == shown)?;
    let (variable, name) = (arg.get_env()?.to_str()?, arg.get_long()?);
    let value = text(error, ContextKind::InvalidValue);
    let is_given = words.iter().any(|word| {
        let word = word.split('=').next().unwrap_or_default();
        flags_in(&command, word)
            .iter()
            .any(|given| given.get_id() == arg.get_id())
    });
    (!is_given && env::var(variable) == Ok(value)).then(|| {
        format!(
            "the value is that of the environment variable {variable}; unset it, or use '--{name}'"
        )
    })
}
