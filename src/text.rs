//! Text from elsewhere made harmless for a terminal.

use std::borrow::Cow;

/// Whether a character could change what a terminal shows beyond its own place.
pub fn is_unsafe(c: char) -> bool {
    // C0, DEL and C1 steer terminals.
    c.is_control()
        || matches!(c,
            // Marks, embeddings, overrides and isolates of direction reorder what stands around them.
            '\u{61c}' | '\u{202a}'..='\u{202e}'
            // What is not seen, or only joins or parts letters; marks of direction are among it.
            | '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
            // Interlinear annotations, and tags of languages.
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text with every unsafe character written out, `\u{1b}` for one.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// A name or value within a sentence: harmless, and in quotes.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", harmless(text))
}

/// `1 Job`, `2 Jobs`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_left_alone() {
        for text in ["", "create-user-1a2b3c", "größer ✓ 日本"] {
            assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(harmless("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(harmless("a\r\nb\tc\u{7f}"), "a\\u{d}\\u{a}b\\u{9}c\\u{7f}");
        assert_eq!(harmless("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(harmless("gpj.exe\u{202e}"), "gpj.exe\\u{202e}");
    }

    #[test]
    fn what_is_quoted_is_otherwise_left_as_it_is() {
        assert_eq!(quoted(r"dom\user's"), r#""dom\user's""#);
        assert_eq!(quoted("größer\n"), "\"größer\\u{a}\"");
    }
}
