//! How a credential plugin reaches the user.

/// Where a credential plugin finds people.
pub trait Console: Send + Sync {
    /// Where it may ask.
    fn input(&self) -> Stdin;
    /// Show a line that it says, as it comes.
    fn say(&self, line: &str);
    /// Show what the user should know about what runs it.
    fn warn(&self, text: &str);
    /// Leave the terminal to it until [`Console::take_back`]: nothing is to be drawn over what it asks.
    fn leave(&self);
    /// It has ended.
    fn take_back(&self);
    /// Whether the run is to stop, so that no question may be asked.
    fn is_stopping(&self) -> bool;
}

/// What stands behind standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    Terminal,
    /// A file, a pipe, or nothing.
    Other,
}

/// No terminal: a credential plugin cannot ask, and what it says is not shown.
pub struct Silent {
    /// Whether the run is to stop.
    pub is_stopping: bool,
}

impl Console for Silent {
    fn input(&self) -> Stdin {
        Stdin::Other
    }

    fn say(&self, _: &str) {}

    fn warn(&self, _: &str) {}

    fn leave(&self) {}

    fn take_back(&self) {}

    fn is_stopping(&self) -> bool {
        self.is_stopping
    }
}
