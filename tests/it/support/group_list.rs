//! The list that `-i` shows, and groups for it.

use std::process::Command;

use super::terminal::Left;
use super::{Space, Terminal};

/// The arrow key.
pub const DOWN: &str = "\u{1b}[B";

/// Groups `alpha` (3 Jobs), `beta` (2), `gamma` (2), and `single`, which has nothing to purge.
pub fn groups() -> Space {
    let space = Space::new();
    space.seed(&[
        space.job("alpha", "a-1", 3),
        space.job("alpha", "a-2", 2),
        space.job("alpha", "a-3", 1),
        space.job("beta", "b-1", 2),
        space.job("beta", "b-2", 1),
        space.job("gamma", "c-1", 2),
        space.job("gamma", "c-2", 1),
        space.job("single", "s-1", 1),
    ]);
    space
}

/// The Jobs of all groups.
pub const ALL: [&str; 8] = ["a-1", "a-2", "a-3", "b-1", "b-2", "c-1", "c-2", "s-1"];

/// The list of the groups, when it is there.
#[track_caller]
pub fn list(space: &Space, args: &[&str]) -> Terminal {
    list_of(&space.tool(&[&["-i", "--cascade=background"], args].concat()))
}

/// The same by a command.
#[track_caller]
pub fn list_of(command: &Command) -> Terminal {
    let mut terminal = Terminal::start(command, 120);
    terminal.wait_for("filter:");
    terminal
}

/// Answers the question with this line.
#[track_caller]
pub fn answer(mut terminal: Terminal, question: &str, line: &str) -> Left {
    terminal.wait_for(question);
    terminal.enter(line);
    terminal.finish()
}
