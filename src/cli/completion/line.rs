//! What a command line says up to the cursor, and what may stand there. Nothing is asked of anybody.

use clap::{Arg, ArgAction, Command, ValueHint};

/// A word that may stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The word.
    pub word: String,
    /// What it means, if there is something to say.
    pub about: String,
}

impl Candidate {
    /// A word and what it means.
    pub fn new(word: impl Into<String>, about: impl Into<String>) -> Candidate {
        Candidate {
            word: word.into(),
            about: about.into(),
        }
    }
}

/// What belongs at the cursor.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    /// One of these words, if any.
    Words(Vec<Candidate>),
    /// The value of the flag of this id, and nobody but the cluster or the kubeconfig knows which there are.
    Value(String),
    /// The path of a file.
    File,
    /// The path of a folder.
    Folder,
}

/// A command line up to the cursor.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// What belongs at the cursor.
    pub expected: Expected,
    /// What has been typed of it.
    pub typed: String,
    /// What stands before it in the same word and stays: `-o` of `-ojs`. Shells take care of what ends with `=`.
    pub lead: String,
    /// The flags before the cursor, by id, with their values.
    pub given: Vec<(String, Option<String>)>,
}

/// A flag found in a word, and what stands in the word after it.
enum Found<'a, 'w> {
    /// Without a value.
    Bare(&'a Arg),
    /// With one: after so many bytes of the word.
    With(&'a Arg, &'w str),
    /// Its value is the next word.
    Pending(&'a Arg),
}

/// What has been said before the cursor.
struct Said<'a> {
    /// The command or subcommand that it is said to.
    command: &'a Command,
    /// Its flags, with their values.
    flags: Vec<(&'a Arg, Option<String>)>,
    /// The words that are neither flags nor their values.
    others: usize,
    /// The flag whose value comes next.
    pending: Option<&'a Arg>,
}

/// Read the words of a command line after the program's name, and the one at the cursor as far as it has been typed.
pub fn read(mut root: Command, words: &[String], current: &str) -> Line {
    root.build();
    let mut said = Said::nothing(&root);
    for word in words {
        said.add(word);
    }
    let (expected, typed) = match said.pending {
        Some(arg) => (of_value(arg), current),
        None => match flags(said.command, current).pop() {
            Some(Found::With(arg, typed)) => (of_value(arg), typed),
            _ if current.starts_with('-') => (Expected::Words(said.free_flags()), current),
            _ => (said.next_word(), current),
        },
    };
    let before = &current[..current.len() - typed.len()];
    Line {
        expected,
        typed: typed.to_owned(),
        lead: match before.ends_with('=') {
            true => String::new(),
            false => before.to_owned(),
        },
        given: said
            .flags
            .into_iter()
            .map(|(arg, value)| (arg.get_id().to_string(), value))
            .collect(),
    }
}

impl<'a> Said<'a> {
    fn nothing(command: &'a Command) -> Said<'a> {
        Said {
            command,
            flags: Vec::new(),
            others: 0,
            pending: None,
        }
    }

    fn add(&mut self, word: &str) {
        if let Some(arg) = self.pending.take() {
            self.flags.push((arg, Some(word.to_owned())));
        } else if word.len() > 1 && word.starts_with('-') {
            let found = flags(self.command, word);
            if found.is_empty() {
                self.others += 1;
            }
            for found in found {
                match found {
                    Found::Bare(arg) => self.flags.push((arg, None)),
                    Found::With(arg, value) => self.flags.push((arg, Some(value.to_owned()))),
                    Found::Pending(arg) => self.pending = Some(arg),
                }
            }
        } else if let Some(subcommand) = self.command.find_subcommand(word) {
            *self = Said::nothing(subcommand);
        } else {
            self.others += 1;
        }
    }

    /// What may stand where no flag has been begun.
    fn next_word(&self) -> Expected {
        if let Some(positional) = self.command.get_positionals().nth(self.others) {
            return of_value(positional);
        }
        let mut words = Vec::new();
        // A subcommand comes first or not at all.
        if self.flags.is_empty() && self.others == 0 {
            let subcommands = self.command.get_subcommands();
            words.extend(subcommands.filter(|sub| !sub.is_hide_set()).map(|sub| {
                let about = sub.get_about().map(ToString::to_string);
                Candidate::new(sub.get_name(), about.unwrap_or_default())
            }));
        }
        let flags = self.free_flags().into_iter();
        words.extend(flags.filter(|flag| flag.word.starts_with("--")));
        Expected::Words(words)
    }

    /// The flags that may still be given.
    fn free_flags(&self) -> Vec<Candidate> {
        let mut words = Vec::new();
        for arg in self.command.get_arguments() {
            let is_excluded = self
                .flags
                .iter()
                .any(|(other, _)| self.excludes(other, arg));
            if is_excluded || arg.is_hide_set() || arg.is_positional() {
                continue;
            }
            let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
            let longs = longs.into_iter().map(|long| format!("--{long}"));
            let short = arg.get_short().map(|short| format!("-{short}"));
            words.extend(longs.chain(short).map(|word| Candidate::new(word, &about)));
        }
        words
    }

    /// Whether a flag that is there excludes another one, or itself once more.
    fn excludes(&self, there: &Arg, other: &Arg) -> bool {
        let conflicts = |a: &Arg, b: &Arg| {
            let conflicts = self.command.get_arg_conflicts_with(a);
            conflicts.iter().any(|arg| arg.get_id() == b.get_id())
        };
        match there.get_id() == other.get_id() {
            true => !matches!(there.get_action(), ArgAction::Append | ArgAction::Count),
            false => conflicts(there, other) || conflicts(other, there),
        }
    }
}

/// The flags in a word. What is no flag of this command is passed over.
fn flags<'a, 'w>(command: &'a Command, word: &'w str) -> Vec<Found<'a, 'w>> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let arg = command.get_arguments().find(|arg| {
            arg.get_long() == Some(name)
                || arg.get_all_aliases().is_some_and(|all| all.contains(&name))
        });
        return arg.map(|arg| found(arg, value)).into_iter().collect();
    }
    let mut all = Vec::new();
    let mut rest = word.strip_prefix('-').unwrap_or_default();
    while let Some(short) = rest.chars().next() {
        rest = &rest[short.len_utf8()..];
        let Some(arg) = command
            .get_arguments()
            .find(|a| a.get_short() == Some(short))
        else {
            break;
        };
        let value = match rest.strip_prefix('=') {
            Some(value) => Some(value),
            None if takes_value(arg) && !arg.is_require_equals_set() && !rest.is_empty() => {
                Some(rest)
            }
            None => None,
        };
        // The value of `-n` is not the rest of a word that ends there.
        all.push(found(arg, value));
        if value.is_some() {
            break;
        }
    }
    all
}

fn found<'a, 'w>(arg: &'a Arg, value: Option<&'w str>) -> Found<'a, 'w> {
    match value {
        Some(value) if takes_value(arg) => Found::With(arg, value),
        None if takes_value(arg) && !arg.is_require_equals_set() => Found::Pending(arg),
        _ => Found::Bare(arg),
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// What the value of a flag may be.
fn of_value(arg: &Arg) -> Expected {
    let words: Vec<Candidate> = arg
        .get_possible_values()
        .into_iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| {
            let about = value.get_help().map(ToString::to_string);
            Candidate::new(value.get_name(), about.unwrap_or_default())
        })
        .collect();
    let is_go_bool = arg
        .get_value_names()
        .is_some_and(|names| names.iter().any(|name| name == "BOOL"));
    match arg.get_value_hint() {
        _ if !words.is_empty() => Expected::Words(words),
        _ if is_go_bool => Expected::Words(vec![
            Candidate::new("true", ""),
            Candidate::new("false", ""),
        ]),
        ValueHint::AnyPath | ValueHint::FilePath => Expected::File,
        ValueHint::DirPath => Expected::Folder,
        _ => Expected::Value(arg.get_id().to_string()),
    }
}
