//! What may stand at the cursor of a command line, for kubectl and for shells.
//!
//! kubectl runs `kubectl_complete-jobclean` with the words of the command line and takes what it prints: a candidate a
//! line, after a tab what it means, and at the end a colon and a number that says what else the shell may do. The
//! scripts for shells ask in the same way, by a word that stands where a subcommand would.

mod line;
mod live;

use std::{
    ffi::OsString,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use clap::CommandFactory;

use self::{
    line::{Candidate, Expected, Line},
    live::{Live, Whereabouts},
};
use super::{Cli, Shell};
use crate::text::is_unsafe;

/// What kubectl looks for on the PATH.
const KUBECTL_NAME: &str = "kubectl_complete-jobclean";
/// The word by which the scripts ask.
const ASK: &str = "__complete";
/// Somebody waits with a finger on the key.
const DEADLINE: Duration = Duration::from_secs(2);

/// What else the shell may do: cobra's ShellCompDirective, of which kubectl takes the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    /// Complete the path of a file.
    Files = 0,
    /// Nothing.
    Nothing = 4,
    /// Complete the path of a folder.
    Folders = 16,
}

/// The script for a shell.
pub fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!("scripts/bash.sh"),
        Shell::Zsh => include_str!("scripts/zsh.zsh"),
        Shell::Fish => include_str!("scripts/fish.fish"),
        Shell::PowerShell => include_str!("scripts/powershell.ps1"),
    }
}

/// The words to complete, if the arguments of the process, its name first, ask for that. Nothing else is then done.
pub fn asked(args: impl Iterator<Item = OsString>) -> Option<Vec<String>> {
    let mut args = args.peekable();
    let name = args.next()?;
    let is_kubectls = Path::new(&name)
        .file_stem()
        .is_some_and(|stem| stem == KUBECTL_NAME);
    if !is_kubectls {
        args.next_if(|first| first == ASK)?;
    }
    Some(
        args.map(|word| word.to_string_lossy().into_owned())
            .collect(),
    )
}

/// Print what may stand where the last of the words is.
///
/// # Errors
/// If it cannot be written. Whatever else goes wrong, there is nothing to offer then.
pub fn answer(mut words: Vec<String>, out: &mut dyn Write) -> io::Result<()> {
    // Not every PowerShell hands an empty word on, so its script writes one as two quotes.
    let current = words
        .pop()
        .filter(|word| word != "\"\"")
        .unwrap_or_default();
    let line = line::read(Cli::command(), &words, &current);
    let (mut candidates, directive) = match line.expected {
        Expected::Words(ref words) => (words.clone(), Directive::Nothing),
        Expected::Value(ref flag) => (
            Live::of_flag(flag)
                .and_then(|live| ask(live, &line))
                .unwrap_or_default(),
            Directive::Nothing,
        ),
        Expected::File => (Vec::new(), Directive::Files),
        Expected::Folder => (Vec::new(), Directive::Folders),
    };
    candidates.retain(|candidate| {
        candidate.word.starts_with(&line.typed) && !candidate.word.contains(is_unsafe)
    });
    for Candidate { word, about } in &candidates {
        match about.lines().next() {
            Some(about) => writeln!(out, "{}{word}\t{about}", line.lead)?,
            None => writeln!(out, "{}{word}", line.lead)?,
        }
    }
    writeln!(out, ":{}", directive as u8)
}

fn ask(live: Live, line: &Line) -> Option<Vec<Candidate>> {
    let at = Whereabouts::of(&line.given)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let values =
        runtime.block_on(async { tokio::time::timeout(DEADLINE, live::values(live, at)).await });
    // A name may still be looked up.
    runtime.shutdown_background();
    values.ok()?
}
