//! Text that would steer a terminal, and what must not come of it.

use serde_json::Value;

use super::{Run, document};

/// Colours, a title, a link, moves, an erased line, a false line, and what turns text around.
pub const HOSTILE: &str = "a\u{1b}[31mb\u{1b}]0;title\u{7}c\u{1b}]8;;http://x\u{1b}\\d\u{9b}2Je\u{9d}f\u{8}g\th\r\nerror: fake\u{7f}\u{85}\u{0}i\u{202e}j\u{2066}k\u{200f}l\u{61c}m";

/// All of them.
pub const FORMATS: [&str; 6] = ["table", "wide", "summary", "name", "json", "yaml"];

fn is_raw(char: char) -> bool {
    char.is_control() && char != '\n'
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Fails if anything raw is in what a run printed.
#[track_caller]
pub fn is_never_raw(run: &Run) {
    for text in [&run.out, &run.err] {
        let raw = text.chars().find(|&char| is_raw(char));
        assert_eq!(raw, None, "{:?}", run.story());
    }
}

/// Fails if anything raw, or a line that is not the tool's own, is in what a run printed.
#[track_caller]
pub fn is_harmless(run: &Run) {
    is_never_raw(run);
    for text in [&run.out, &run.err] {
        let fake = text.lines().any(|line| line.starts_with("error: fake"));
        assert!(!fake, "{}", run.story());
    }
}

/// A document, whatever it is written in.
#[track_caller]
pub fn document(run: &Run, format: &str) -> Value {
    match format {
        "yaml" => document::from_yaml(&run.out),
        _ => run.json(),
    }
}
