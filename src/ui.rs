//! The only place that touches the terminal: what is said on stderr, progress, the question.

mod bar;
mod choose;

use std::{
    cell::RefCell,
    collections::HashSet,
    env,
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use dialoguer::{
    console::{Key, Term},
    theme::{SimpleTheme, Theme},
};
use indicatif::ProgressBar;
use tokio::sync::watch;

use self::bar::{Bar, People};
use crate::{
    cluster::flags::{Console, Stdin},
    error::Error,
    output::{Colour, Headers, Style},
    purge::Stop,
    text::harmless,
};

pub use self::choose::Picked;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Warnings and progress as well.
    Normal,
    /// What it waits for as well.
    Verbose,
    /// Every step as well.
    Debug,
}

/// An answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// No, Enter, Escape, or the end of input.
    No,
    /// Ctrl-C.
    Interrupted,
}

/// What people see besides the plan and the report.
pub struct Ui {
    verbosity: Verbosity,
    /// What a terminal on stderr can do.
    stderr: Ability,
    bar: Bar,
    said: RefCell<HashSet<String>>,
}

/// What can be shown on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ability {
    /// Plain lines: it is a file or pipe.
    Lines,
    /// A terminal without colour or movement.
    Dumb,
    /// A terminal that moves its cursor, but is to stay without colour.
    Plain,
    /// All of it.
    Colour,
}

impl Ability {
    fn of(is_terminal: bool) -> Ability {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        match is_terminal {
            false => Ability::Lines,
            true if env::var_os("TERM")
                .map_or(cfg!(unix), |term| term == "dumb" || term.is_empty()) =>
            {
                Ability::Dumb
            }
            true if set("NO_COLOR") => Ability::Plain,
            true => Ability::Colour,
        }
    }
}

impl Ui {
    /// For this process's stderr.
    pub fn new(verbosity: Verbosity) -> Ui {
        Ui {
            verbosity,
            stderr: Ability::of(io::stderr().is_terminal()),
            bar: Bar::default(),
            said: RefCell::default(),
        }
    }

    /// How to write to this process's stdout.
    pub fn stdout_style(headers: Headers) -> Style {
        let ability = Ability::of(io::stdout().is_terminal());
        let term = Term::stdout();
        Style {
            width: (ability != Ability::Lines)
                .then(|| term.size_checked().map(|(_, columns)| columns))
                .flatten(),
            colour: match ability {
                Ability::Colour => Colour::On,
                _ => Colour::Off,
            },
            headers,
        }
    }

    /// How to write a plan to stderr, where stdout is for a program.
    pub fn stderr_style(&self, headers: Headers) -> Style {
        Style {
            width: Term::stderr().size_checked().map(|(_, columns)| columns),
            colour: match self.stderr {
                Ability::Colour => Colour::On,
                _ => Colour::Off,
            },
            headers,
        }
    }

    /// Say what went wrong and what to do about it.
    pub fn error(&self, error: &Error) {
        self.line(&format!(
            "{} {}",
            self.paint("1;31", "error:"),
            one_line(&error.message)
        ));
        if let Some(hint) = &error.hint {
            self.line(&format!("{} {}", self.paint("1", "hint:"), one_line(hint)));
        }
    }

    /// Say something worth knowing, once.
    pub fn warning(&self, text: &str) {
        if self.verbosity >= Verbosity::Normal && self.said.borrow_mut().insert(text.to_owned()) {
            self.line(&format!(
                "{} {}",
                self.paint("1;33", "warning:"),
                one_line(text)
            ));
        }
    }

    /// Say that one of many things failed; never left out.
    pub fn failure(&self, text: &str) {
        self.line(&format!(
            "{} {}",
            self.paint("1;31", "error:"),
            one_line(text)
        ));
    }

    /// Say something to whoever asked for this much.
    pub fn note(&self, at: Verbosity, text: &str) {
        if self.verbosity >= at {
            self.line(&one_line(text));
        }
    }

    /// Write lines that are already safe, such as a rendered plan.
    pub fn text(&self, text: &str) {
        self.line(text.trim_end_matches('\n'));
    }

    fn line(&self, text: &str) {
        self.bar.line(text);
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.stderr {
            Ability::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }

    /// Show that something of unknown length is at work.
    pub fn start_spinner(&self, template: &str) {
        self.start(ProgressBar::no_length(), template);
    }

    /// Show how much of something is done.
    pub fn start_bar(&self, length: usize, template: &str) {
        self.start(ProgressBar::new(length as u64), template);
    }

    fn start(&self, bar: ProgressBar, template: &str) {
        let moves = matches!(self.stderr, Ability::Plain | Ability::Colour);
        if moves && self.verbosity >= Verbosity::Normal {
            self.bar.start(bar, template);
        }
    }

    /// Say how far it has come.
    pub fn progress(&self, position: usize) {
        self.bar.with(|bar| bar.set_position(position as u64));
    }

    /// Say how far it has come, and what is left.
    pub fn progress_of(&self, position: usize, left: &str) {
        self.bar.with(|bar| {
            bar.set_position(position as u64);
            bar.set_message(left.to_owned());
        });
    }

    /// One more is done.
    pub fn step(&self) {
        self.bar.with(|bar| bar.inc(1));
    }

    /// Take the spinner or bar away.
    pub fn finish(&self) {
        self.bar.finish();
    }

    /// Where credential plugins find people, until the run is asked to stop. What they say is shown at every verbosity:
    /// without it nobody could log in.
    pub fn console(&self, stop: watch::Receiver<Option<Stop>>) -> Arc<dyn Console> {
        Arc::new(People {
            stdin: match io::stdin().is_terminal() {
                true => Stdin::Terminal,
                false => Stdin::Other,
            },
            bar: self.bar.clone(),
            stop,
        })
    }

    /// Whether somebody can answer a question.
    pub fn can_ask() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Ask, with No as the default. Waits in a thread of its own, so that signals are heard meanwhile.
    ///
    /// dialoguer's own loop would take neither the end of input nor Ctrl-C for an answer and hide the cursor; so its
    /// question is shown, and the key is read here.
    pub async fn confirm(&self, question: &str) -> Answer {
        forget_typed();
        let mut prompt = String::new();
        // Writing to a String cannot fail.
        let _ = SimpleTheme.format_confirm_prompt(&mut prompt, question, Some(false));
        let mut term = Term::stderr();
        let shown = write!(term, "{prompt}").and_then(|()| term.flush());
        let (send, receive) = tokio::sync::oneshot::channel();
        let reader = term.clone();
        std::thread::spawn(move || send.send(read_answer(&reader)));
        let answer = match shown {
            Ok(()) => receive.await.unwrap_or(Answer::No),
            Err(_) => Answer::No,
        };
        let word = if answer == Answer::Yes { "yes" } else { "no" };
        // The answer stays on the screen, so that a scrollback tells what was agreed to.
        let _ = writeln!(term, "{word}");
        answer
    }
}

/// What was typed before a question was there to be read is no answer to it.
fn forget_typed() {
    #[cfg(unix)]
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
}

fn read_answer(term: &Term) -> Answer {
    loop {
        match term.read_key_raw() {
            Ok(Key::Char('y' | 'Y')) => return Answer::Yes,
            Ok(Key::Enter | Key::Escape) => return Answer::No,
            Ok(Key::CtrlC) => return Answer::Interrupted,
            // Anything that is typed and is not a yes; Ctrl-D is such a character here.
            Ok(Key::Char(_)) => return Answer::No,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Answer::Interrupted,
            // The end of input, or a terminal that has gone away.
            Err(_) => return Answer::No,
        }
    }
}

/// Text that may hold anything, on one line and harmless.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    harmless(&lines.join(" ")).into_owned()
}

/// The modes of the terminal, to be put back if the process has to leave while a question stands.
#[derive(Clone)]
pub struct TerminalModes {
    #[cfg(unix)]
    saved: Option<rustix::termios::Termios>,
}

impl TerminalModes {
    /// Remember them.
    pub fn save() -> TerminalModes {
        TerminalModes {
            #[cfg(unix)]
            saved: rustix::termios::tcgetattr(io::stdin()).ok(),
        }
    }

    /// Put them back, and show the cursor.
    pub fn restore(&self) {
        #[cfg(unix)]
        if let Some(saved) = &self.saved {
            let _ = rustix::termios::tcsetattr(
                io::stdin(),
                rustix::termios::OptionalActions::Now,
                saved,
            );
        }
        if matches!(
            Ability::of(io::stderr().is_terminal()),
            Ability::Plain | Ability::Colour
        ) {
            let _ = Term::stderr().show_cursor();
        }
    }
}
