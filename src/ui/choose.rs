//! Picking from a list on the terminal.
//!
//! It looks and feels like dialoguer's MultiSelect, whose theme draws it. dialoguer's own loop has no filter, does not
//! leave at the end of input, takes letters for commands, and hides the cursor on its way out by Ctrl-C; so the keys
//! are read here, as those of the question are.

use std::io::{self, Write};

use dialoguer::{
    console::{Key, Term},
    theme::{SimpleTheme, Theme},
};
use unicode_width::UnicodeWidthChar;

use super::{
    Ability, RawKeys, Ui,
    picker::{Choice, Step},
};
use crate::text::{count, is_unsafe};

/// What the user picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picked {
    /// These, by their places in the plan; there may be none.
    Groups(Vec<usize>),
    /// Nothing: Escape, or the end of input.
    Nothing,
    /// Ctrl-C.
    Interrupted,
}

/// What a key means.
enum Meaning {
    Step(Step),
    Done,
    Leave,
    Interrupt,
    Nothing,
}

const PROMPT: &str = "Choose the groups to purge";
const KEYS: &str = "Space: this one (while you type, a space). Tab: all shown. Type: filter. Enter: go on. Esc: leave.";
/// The lines around the list: the prompt, the keys, the filter, and one to breathe.
const AROUND: usize = 4;

impl Ui {
    /// Whether the user can pick from a list: the terminal can move its cursor.
    pub fn can_choose(&self) -> bool {
        Ui::can_ask().is_ok() && matches!(self.stderr, Ability::Plain | Ability::Colour)
    }

    /// Let the user pick. Waits in a thread of its own, so that signals are heard meanwhile.
    pub async fn choose(&self, choice: Choice) -> Picked {
        self.has_asked.set(true);
        let keys = RawKeys::begin();
        let (send, receive) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || send.send(pick(choice, keys)));
        receive.await.unwrap_or(Picked::Nothing)
    }
}

/// Show the list and read keys until it is decided. A terminal that has gone away decides for nothing.
fn pick(mut choice: Choice, _keys: RawKeys) -> Picked {
    let mut screen = Screen {
        term: Term::buffered_stderr(),
        above: 0,
    };
    let picked = loop {
        if screen.draw(&choice).is_err() {
            return Picked::Nothing;
        }
        match meaning(screen.term.read_key_raw(), screen.height()) {
            Meaning::Step(step) => choice.take(step),
            Meaning::Done => break Picked::Groups(choice.picked()),
            Meaning::Leave => break Picked::Nothing,
            Meaning::Interrupt => break Picked::Interrupted,
            Meaning::Nothing => {}
        }
    };
    let said = match &picked {
        Picked::Groups(groups) if !groups.is_empty() => picked_words(&choice),
        _ => "none".to_owned(),
    };
    // What was picked stays on the screen, so that a scrollback tells.
    let _ = screen.leave(&said);
    picked
}

fn meaning(key: io::Result<Key>, page: usize) -> Meaning {
    let step = match key {
        Ok(Key::ArrowUp | Key::BackTab) => Step::Up,
        Ok(Key::ArrowDown) => Step::Down,
        Ok(Key::ArrowLeft | Key::PageUp) => Step::Back(page),
        Ok(Key::ArrowRight | Key::PageDown) => Step::Forward(page),
        Ok(Key::Home) => Step::First,
        Ok(Key::End) => Step::Last,
        Ok(Key::Tab) => Step::ToggleShown,
        Ok(Key::Char(' ')) => Step::Space,
        Ok(Key::Backspace) => Step::Erase,
        // Ctrl-U, as a shell has it.
        Ok(Key::Char('\u{15}')) => Step::EraseAll,
        Ok(Key::Enter) => return Meaning::Done,
        // Ctrl-D is the end of input, and a character here.
        Ok(Key::Escape | Key::Char('\u{4}')) => return Meaning::Leave,
        Ok(Key::CtrlC) => return Meaning::Interrupt,
        Ok(Key::Char(c)) if !is_unsafe(c) => Step::Type(c),
        Ok(_) => return Meaning::Nothing,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Meaning::Interrupt,
        Err(_) => return Meaning::Leave,
    };
    Meaning::Step(step)
}

fn picked_words(choice: &Choice) -> String {
    let (groups, jobs) = choice.picked_counts();
    format!("{}, {}", count(groups, "group"), count(jobs, "Job"))
}

/// The list on the terminal, with the cursor behind the filter in its last line.
struct Screen {
    term: Term,
    /// How many lines stand above the cursor's.
    above: usize,
}

impl Screen {
    /// The lines that there are for the list.
    fn height(&self) -> usize {
        usize::from(self.term.size().0)
            .saturating_sub(AROUND)
            .max(1)
    }

    fn draw(&mut self, choice: &Choice) -> io::Result<()> {
        let mut lines = vec![prompt(&picked_words(choice)), KEYS.to_owned()];
        for line in choice.page(self.height()) {
            let mut text = String::new();
            // Writing to a String cannot fail.
            let _ = SimpleTheme.format_multi_select_prompt_item(
                &mut text,
                line.text,
                line.is_picked,
                line.is_current,
            );
            lines.push(text);
        }
        let (all, shown) = choice.counts();
        let last = format!("{shown} of {} shown, filter: ", count(all, "group"));
        let width = usize::from(self.term.size().1);
        self.clear()?;
        for line in &lines {
            writeln!(self.term, "{}", cut(line, width))?;
        }
        write!(
            self.term,
            "{}",
            cut(&format!("{last}{}", choice.filter()), width)
        )?;
        self.above = lines.len();
        self.term.flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        self.term.clear_line()?;
        self.term.clear_last_lines(std::mem::take(&mut self.above))
    }

    fn leave(&mut self, said: &str) -> io::Result<()> {
        self.clear()?;
        writeln!(self.term, "{}", prompt(said))?;
        self.term.flush()
    }
}

fn prompt(said: &str) -> String {
    let mut text = String::new();
    let _ = SimpleTheme.format_multi_select_prompt(&mut text, PROMPT);
    format!("{text} {said}")
}

/// As much of a line as fits beside the cursor: one that was broken could not be cleared again.
fn cut(line: &str, width: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used < width
    };
    line.chars().take_while(fits).collect()
}
