//! What to write instead of a flag that does not exist.
//!
//! clap proposes what is spelt alike. That a flag was mistyped is no sign that more is to be deleted, so what deletes more
//! is never proposed.

use clap::{
    Error,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// Flags with which more is deleted than without, or with less care.
const DELETE_MORE: [&str; 7] = [
    "--all-namespaces",
    "--include-active",
    "--include-owned",
    "--insecure-skip-tls-verify",
    "--mixed-groups",
    "--plan",
    "--yes",
];
/// Values of which the same is true: `--dry-run=none` and `--mixed-groups=merge`.
const VALUES_THAT_DELETE_MORE: [&str; 2] = ["merge", "none"];

const STATUS: &str = "to keep Jobs by their status, use '--keep-succeeded N' and '--keep-failed N'";
const AGE: &str = "to keep Jobs by their age, use '--keep-within 24h'";
const ACTIVE: &str = "Jobs that are not finished are kept anyway";
const OWNED: &str = "Jobs that have a controller are kept anyway";
const NAMESPACES: &str = "to look in one namespace, use '--namespace NS'; to leave Jobs out by their labels, use '--selector'";
const KEEP: &str = "to keep the N newest of every group, use '--keep N'";

/// Flags that people know from elsewhere, and what does the same here.
const HABITS: [(&str, &str); 34] = [
    ("--active", ACTIVE),
    ("--age", AGE),
    ("--cleanup-group", "to name the label, use '--label KEY'"),
    ("--csv", "for a row a Job with all its fields, use '-o tsv'"),
    ("--exclude-active", ACTIVE),
    ("--exclude-namespace", NAMESPACES),
    ("--exclude-namespaces", NAMESPACES),
    ("--exclude-owned", OWNED),
    ("--exclude-running", ACTIVE),
    ("--failed", STATUS),
    ("--format", "for another form of output, use '-o FORMAT'"),
    ("--history-limit", KEEP),
    ("--ignore-active", ACTIVE),
    ("--ignore-namespace", NAMESPACES),
    ("--json", "for the document as JSON, use '-o json'"),
    ("--keep-last", KEEP),
    ("--keep-newest", KEEP),
    ("--max-age", AGE),
    ("--max-age-hours", AGE),
    ("--max-age-days", AGE),
    ("--min-age", AGE),
    (
        "--parallel",
        "for the number of deletes in flight, use '--concurrency N'",
    ),
    ("--retain", KEEP),
    ("--running", ACTIVE),
    ("--since", AGE),
    ("--skip-active", ACTIVE),
    ("--skip-owned", OWNED),
    ("--skip-running", ACTIVE),
    ("--state", STATUS),
    ("--status", STATUS),
    ("--succeeded", STATUS),
    ("--ttl", AGE),
    (
        "--workers",
        "for the number of deletes in flight, use '--concurrency N'",
    ),
    ("--yaml", "for the document as YAML, use '-o yaml'"),
];

/// The error with a tip that may be followed.
pub fn with_tip(mut error: Error) -> Error {
    let text = |value: Option<&ContextValue>| match value {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let flag = |text: &str| {
        text.split([' ', '=', '['])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let typed = flag(&text(error.get(ContextKind::InvalidArg)));
            let proposed = flag(&text(error.get(ContextKind::SuggestedArg)));
            let habit = HABITS.into_iter().find(|(name, _)| *name == typed);
            if habit.is_some() || DELETE_MORE.contains(&proposed.as_str()) {
                error.remove(ContextKind::SuggestedArg);
                error.remove(ContextKind::Suggested);
            }
            if let Some((_, tip)) = habit {
                let tip = ContextValue::StyledStrs(vec![tip.into()]);
                error.insert(ContextKind::Suggested, tip);
            }
        }
        ErrorKind::InvalidValue => {
            let proposed = text(error.get(ContextKind::SuggestedValue));
            if VALUES_THAT_DELETE_MORE.contains(&proposed.as_str()) {
                error.remove(ContextKind::SuggestedValue);
            }
        }
        // A number behind -v, as kubectl takes it.
        ErrorKind::InvalidSubcommand | ErrorKind::ArgumentConflict => {
            let typed = text(error.get(ContextKind::InvalidSubcommand));
            if typed.parse::<u8>().is_ok() {
                error.remove(ContextKind::SuggestedSubcommand);
                let tip = format!("to say more on stderr, use '-v={typed}'");
                let tip = ContextValue::StyledStrs(vec![tip.into()]);
                error.insert(ContextKind::Suggested, tip);
            }
        }
        _ => {}
    }
    error
}
