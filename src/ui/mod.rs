//! The only place that touches the terminal: what is said on stderr, progress, the question.

mod choose;
pub mod picker;
mod progress;
pub mod signals;

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::HashSet,
    env,
    io::{self, IsTerminal, Write},
    process::{Command, Stdio},
    sync::Arc,
};

use dialoguer::{
    console::Term,
    theme::{SimpleTheme, Theme},
};
use indicatif::ProgressBar;
use tokio::sync::watch;

pub use self::choose::Picked;

use self::progress::{Bar, People};
use crate::{
    connection::console::{Console, Stdin},
    error::{Error, Stop},
    output::{
        Colour, Headers, Rows, Style,
        log::{self, LogFormat},
    },
    text::harmless,
    time,
};

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

/// How much something matters that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Info,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
        }
    }
}

/// An answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What the question asks for: yes, or a number.
    Yes,
    /// Enter alone, the end of input, or anything else.
    No,
    /// Show the whole plan, and ask again.
    List,
}

/// What has to be typed to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// `y` or `yes`.
    Yes,
    Number(usize),
}

impl Consent {
    /// To purge this number of Jobs: the number is typed, if it is above this one.
    pub fn to(jobs: usize, typed_above: usize) -> Consent {
        if jobs > typed_above {
            Consent::Number(jobs)
        } else {
            Consent::Yes
        }
    }

    /// What may be typed, for the prompt.
    fn choices(self) -> String {
        match self {
            Consent::Yes => "y/N/l".to_owned(),
            Consent::Number(number) => format!("type {number} to agree/N/l"),
        }
    }

    /// What a line comes to. One without its end was not entered.
    fn answer(self, line: &str) -> Answer {
        let Some(line) = line.strip_suffix('\n') else {
            return Answer::No;
        };
        let typed = line.trim().to_ascii_lowercase();
        match (self, typed.as_str()) {
            (_, "l") => Answer::List,
            (Consent::Yes, "y" | "yes") => Answer::Yes,
            (Consent::Number(number), typed) if typed == number.to_string() => Answer::Yes,
            _ => Answer::No,
        }
    }
}

/// A stream that is not a terminal, so that a question on it would not be seen or could not be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATerminal(&'static str);

impl NotATerminal {
    /// Its name.
    pub fn stream(self) -> &'static str {
        self.0
    }
}

/// What people see besides the plan and the report.
pub struct Ui {
    verbosity: Verbosity,
    /// Whether what is said goes into a log that a program reads.
    is_for_programs: bool,
    /// The cluster that all of it is about, where there are several. What moves is shown for all of them together.
    cluster: Option<String>,
    /// What a terminal on stderr can do.
    stderr: Ability,
    bar: Bar,
    said: RefCell<HashSet<String>>,
    /// Whether a question was asked on the terminal.
    has_asked: Cell<bool>,
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
    pub fn new(verbosity: Verbosity, log: Option<LogFormat>) -> Ui {
        Ui {
            verbosity,
            is_for_programs: log == Some(LogFormat::Json),
            cluster: None,
            stderr: Ability::of(io::stderr().is_terminal()),
            bar: Bar::default(),
            said: RefCell::default(),
            has_asked: Cell::default(),
        }
    }

    /// For one of several clusters: what is said names it, and it steps on the bar that stands for all.
    pub fn of_cluster(&self, context: &str) -> Ui {
        Ui {
            verbosity: self.verbosity,
            is_for_programs: self.is_for_programs,
            cluster: Some(context.to_owned()),
            stderr: self.stderr,
            bar: self.bar.clone(),
            said: RefCell::default(),
            has_asked: Cell::default(),
        }
    }

    /// How to write to this process's stdout.
    pub fn stdout_style(headers: Headers, rows: Rows) -> Style {
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
            rows,
        }
    }

    /// How many lines this process's stdout shows at once, if it is a terminal.
    pub fn stdout_height() -> Option<usize> {
        if Ability::of(io::stdout().is_terminal()) == Ability::Lines {
            return None;
        }
        let (rows, _) = Term::stdout().size_checked()?;
        Some(usize::from(rows))
    }

    /// How to write a plan to stderr, where stdout is for a program.
    pub fn stderr_style(&self, headers: Headers, rows: Rows) -> Style {
        Style {
            width: Term::stderr().size_checked().map(|(_, columns)| columns),
            colour: match self.stderr {
                Ability::Colour => Colour::On,
                _ => Colour::Off,
            },
            headers,
            rows,
        }
    }

    /// Say what went wrong and what to do about it.
    pub fn error(&self, error: &Error) {
        self.say(Level::Error, &error.message, error.hint.as_deref());
    }

    /// Say something worth knowing, once.
    pub fn warning(&self, text: &str) {
        if self.verbosity >= Verbosity::Normal && self.said.borrow_mut().insert(text.to_owned()) {
            self.say(Level::Warning, text, None);
        }
    }

    /// Say that one of many things failed; never left out.
    pub fn failure(&self, text: &str) {
        self.say(Level::Error, text, None);
    }

    /// Whether this is said.
    pub fn tells(&self, at: Verbosity) -> bool {
        self.verbosity >= at
    }

    /// Whether nothing but errors is to be said.
    pub fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// Say something at this verbosity and above.
    pub fn note(&self, at: Verbosity, text: &str) {
        if self.verbosity >= at {
            self.say(Level::Info, text, None);
        }
    }

    /// Write lines that are already safe, such as a rendered plan.
    pub fn text(&self, text: &str) {
        self.line(text.trim_end_matches('\n'));
    }

    fn say(&self, level: Level, text: &str, hint: Option<&str>) {
        let text = match &self.cluster {
            None => one_line(text),
            Some(cluster) => one_line(&format!("{cluster}: {text}")),
        };
        let hint = hint.map(one_line);
        if self.is_for_programs {
            return self.line(&json(level, text.into(), hint.map(Into::into)));
        }
        match level {
            Level::Error => self.line(&format!("{} {text}", self.paint("1;31", "error:"))),
            Level::Warning => self.line(&format!("{} {text}", self.paint("1;33", "warning:"))),
            Level::Info => self.line(&text),
        }
        if let Some(hint) = hint {
            self.line(&format!("{} {hint}", self.paint("1", "hint:")));
        }
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
        let moves =
            self.cluster.is_none() && matches!(self.stderr, Ability::Plain | Ability::Colour);
        if moves && self.verbosity >= Verbosity::Normal {
            self.bar.start(bar, template);
        }
    }

    /// Say how far it has come.
    pub fn progress(&self, position: usize) {
        if self.cluster.is_none() {
            self.bar.with(|bar| bar.set_position(position as u64));
        }
    }

    /// Say how far it has come, and what is left.
    pub fn progress_of(&self, position: usize, left: &str) {
        if self.cluster.is_none() {
            self.bar.with(|bar| {
                bar.set_position(position as u64);
                bar.set_message(left.to_owned());
            });
        }
    }

    /// One more is done.
    pub fn step(&self) {
        self.bar.with(|bar| bar.inc(1));
    }

    /// Take the spinner or bar away.
    pub fn finish(&self) {
        if self.cluster.is_none() {
            self.bar.finish();
        }
    }

    /// How credential plugins reach the user, until the run is asked to stop. What they say is shown at every verbosity:
    /// the user needs it to log in.
    pub fn console(&self, stop: watch::Receiver<Option<Stop>>) -> Arc<dyn Console> {
        Arc::new(People {
            stdin: if io::stdin().is_terminal() {
                Stdin::Terminal
            } else {
                Stdin::Other
            },
            bar: self.bar.clone(),
            is_for_programs: self.is_for_programs,
            stop,
        })
    }

    /// Whether a question can be asked: the terminal is there for it alone. Where stdout goes into a pager, the pager reads
    /// the same terminal; where it goes into a file, the plan that is asked about is not seen.
    ///
    /// # Errors
    /// Which stream is not a terminal.
    pub fn can_ask() -> Result<(), NotATerminal> {
        let streams = [
            ("standard input", io::stdin().is_terminal()),
            ("standard output", io::stdout().is_terminal()),
            ("standard error", io::stderr().is_terminal()),
        ];
        match streams.into_iter().find(|(_, is_terminal)| !is_terminal) {
            None => Ok(()),
            Some((stream, _)) => Err(NotATerminal(stream)),
        }
    }

    /// Ask, with No as the default. The answer is a line, edited as the terminal does it: Ctrl-C and Ctrl-Z work as
    /// everywhere. dialoguer reads keys one by one, which leaves the rest of the line to the next program.
    pub async fn confirm(&self, question: &str, consent: Consent) -> Answer {
        self.has_asked.set(true);
        let mut prompt = String::new();
        // Writing to a String cannot fail.
        let _ = SimpleTheme.format_input_prompt(&mut prompt, question, Some(&consent.choices()));
        edit_lines();
        forget_typed();
        let mut term = Term::stderr();
        if write!(term, "{prompt}")
            .and_then(|()| term.flush())
            .is_err()
        {
            return Answer::No;
        }
        // Ctrl-C leaves the cursor behind the question.
        let mut line_break = LineBreak {
            term: term.clone(),
            is_due: true,
        };
        let (send, mut receive) = tokio::sync::oneshot::channel();
        // In a thread of its own, so that signals are heard meanwhile.
        std::thread::spawn(move || {
            let mut line = String::new();
            // A terminal that has gone away has not agreed to anything.
            let read = io::stdin().read_line(&mut line);
            send.send(read.map(|_| line).unwrap_or_default())
        });
        let mut continued = Continued::new();
        let line = loop {
            tokio::select! {
                line = &mut receive => break line.unwrap_or_default(),
                // After Ctrl-Z the question may have left the screen.
                () = continued.wait() => drop(write!(term, "{prompt}").and_then(|()| term.flush())),
            }
        };
        // Enter has ended the line already.
        line_break.is_due = !line.ends_with('\n');
        consent.answer(&line)
    }

    /// Show a text in the pager that the user has chosen, or on stderr without one.
    pub async fn page_or_text(&self, text: Vec<u8>) {
        if self.page(text.clone()).await.is_err() {
            self.text(&String::from_utf8_lossy(&text));
        }
    }

    /// Show a text in the pager that the user has chosen, and wait until it is closed.
    ///
    /// # Errors
    /// If no pager can be run.
    async fn page(&self, text: Vec<u8>) -> io::Result<()> {
        let chosen = env::var("PAGER").unwrap_or_default();
        let mut words = chosen.split_whitespace();
        let program = words
            .next()
            .unwrap_or(if cfg!(windows) { "more" } else { "less" });
        let mut pager = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .spawn()?;
        let stdin = pager.stdin.take();
        let shown = tokio::task::spawn_blocking(move || {
            // It may be closed before it has read everything.
            let _ = stdin.map(|mut stdin| stdin.write_all(&text));
            pager.wait()
        });
        let status = shown.await.map_err(io::Error::other)??;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("{program} failed")))
        }
    }

    /// The run is over. What was typed while it asked or worked is not for the program that reads the terminal next.
    pub fn leave(&self) {
        if self.has_asked.get() {
            forget_typed();
        }
    }
}

/// Ends the line when it is dropped, if that is still due.
struct LineBreak {
    term: Term,
    is_due: bool,
}

impl Drop for LineBreak {
    fn drop(&mut self) {
        if self.is_due {
            let _ = writeln!(self.term);
        }
    }
}

/// That the process goes on after it was suspended.
struct Continued {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Continued {
    fn new() -> Continued {
        Continued {
            #[cfg(unix)]
            signal: {
                use tokio::signal::unix::{SignalKind, signal};
                signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw())).ok()
            },
        }
    }

    async fn wait(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// Let the terminal edit lines and send signals for Ctrl-C and Ctrl-Z, whatever the program before has left.
fn edit_lines() {
    #[cfg(unix)]
    change_modes(|modes| {
        use rustix::termios::{InputModes, LocalModes};
        modes.local_modes |=
            LocalModes::ICANON | LocalModes::ECHO | LocalModes::ECHOE | LocalModes::ISIG;
        modes.input_modes |= InputModes::ICRNL;
        modes.input_modes -= InputModes::IGNCR;
    });
}

/// Change how the terminal takes what is typed from now on. What was typed before is forgotten.
#[cfg(unix)]
fn change_modes(change: impl FnOnce(&mut rustix::termios::Termios)) {
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
    if let Ok(mut modes) = tcgetattr(io::stdin()) {
        change(&mut modes);
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &modes);
    }
}

/// Every key goes to this process as it is typed, until this is dropped. console asks for that anew for each key; in
/// between, the terminal would take a Ctrl-U, an erase or a Ctrl-D for its own and show what is typed.
struct RawKeys {
    before: TerminalModes,
}

impl RawKeys {
    /// From now on. What was typed before is forgotten.
    fn begin() -> RawKeys {
        let before = TerminalModes::save();
        #[cfg(unix)]
        change_modes(|modes| {
            let output_modes = modes.output_modes;
            modes.make_raw();
            modes.output_modes = output_modes;
        });
        RawKeys { before }
    }
}

impl Drop for RawKeys {
    fn drop(&mut self) {
        self.before.put_back();
    }
}

/// What was typed before a question was there to be read is no answer to it.
fn forget_typed() {
    #[cfg(unix)]
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
}

/// Something that is said as a line of a log that a program reads.
fn json(level: Level, message: Cow<'_, str>, hint: Option<Cow<'_, str>>) -> String {
    let line = log::Line::Message {
        level: level.as_str(),
        message,
        hint,
    };
    let mut json = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = line.write(&mut json, LogFormat::Json, time::now());
    String::from_utf8_lossy(json.trim_ascii_end()).into_owned()
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
        self.put_back();
        if matches!(
            Ability::of(io::stderr().is_terminal()),
            Ability::Plain | Ability::Colour
        ) {
            let _ = Term::stderr().show_cursor();
        }
    }

    fn put_back(&self) {
        #[cfg(unix)]
        if let Some(saved) = &self.saved {
            let now = rustix::termios::OptionalActions::Now;
            let _ = rustix::termios::tcsetattr(io::stdin(), now, saved);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_agrees() {
        for line in ["y\n", "Y\n", "yes\n", "YES\n", " yes \n", "y\r\n"] {
            assert_eq!(Consent::Yes.answer(line), Answer::Yes, "{line:?}");
        }
        for line in [
            "",
            "\n",
            "y",
            "yes",
            "n\n",
            "ye\n",
            "yy\n",
            "yes please\n",
            "501\n",
        ] {
            assert_eq!(Consent::Yes.answer(line), Answer::No, "{line:?}");
        }
        let number = Consent::Number(501);
        assert_eq!(number.answer("501\n"), Answer::Yes);
        for line in [
            "", "\n", "501", "y\n", "yes\n", "50\n", "5010\n", "+501\n", "0501\n",
        ] {
            assert_eq!(number.answer(line), Answer::No, "{line:?}");
        }
        for consent in [Consent::Yes, number] {
            assert_eq!(consent.answer("l\n"), Answer::List);
            assert_eq!(consent.answer("L\n"), Answer::List);
            assert_eq!(consent.answer("l"), Answer::No);
        }
    }
}
