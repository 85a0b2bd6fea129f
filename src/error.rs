//! Errors as a user meets them, and what the process exits with.

use std::fmt;

/// How the process ends. The numbers are part of the contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to do, or a dry run without failures.
    Success,
    /// An error before any delete.
    Failure,
    /// The command line makes no sense.
    Usage,
    /// Some deletes failed or were not tried.
    Incomplete,
    /// The question was answered with no.
    Declined,
    /// The plan would purge more than allowed.
    Held,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// All of them, in the order of their codes.
    pub const ALL: [Exit; 8] = [
        Exit::Success,
        Exit::Failure,
        Exit::Usage,
        Exit::Incomplete,
        Exit::Declined,
        Exit::Held,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::Declined => 4,
            Exit::Held => 5,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }
}

/// What went wrong, what to do about it, and how the process ends for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// How the process ends.
    pub exit: Exit,
    /// What happened and on what: a lowercase fragment without a full stop.
    pub message: String,
    /// What to do next, if there is something.
    pub hint: Option<String>,
}

impl Error {
    /// An error that ends the process so.
    pub fn new(exit: Exit, message: impl Into<String>) -> Error {
        Error {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// An error before any delete.
    pub fn failure(message: impl Into<String>) -> Error {
        Error::new(Exit::Failure, message)
    }

    /// With what to do next.
    pub fn hint(self, hint: impl Into<String>) -> Error {
        Error {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// An I/O error as a fragment.
pub fn io_words(error: &std::io::Error) -> String {
    without_os_code(&error.to_string())
}

/// A message as a fragment, without Rust's "(os error 2)".
pub fn without_os_code(message: &str) -> String {
    lowercase_first(message.split(" (os error").next().unwrap_or_default())
}

/// A sentence as a fragment.
fn lowercase_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

/// Who asks the run to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT.
    Interrupt,
    /// SIGTERM, or the terminal went away.
    Terminate,
}

impl From<Stop> for Exit {
    /// What the process exits with when it was asked to stop.
    fn from(stop: Stop) -> Exit {
        match stop {
            Stop::Interrupt => Exit::Interrupted,
            Stop::Terminate => Exit::Terminated,
        }
    }
}
