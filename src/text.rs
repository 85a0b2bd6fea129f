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

/// Whether a text holds an unsafe character. Nearly all texts are plain ASCII, which is told fast.
pub fn has_unsafe(text: &str) -> bool {
    !is_plain(text.as_bytes()) && text.contains(is_unsafe)
}

/// Whether these are visible characters of ASCII alone.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The text with every unsafe character written out, `\u{1b}` for one.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !has_unsafe(text) {
        return Cow::Borrowed(text);
    }
    escaped(text, is_unsafe, |c| c.escape_unicode().to_string())
}

/// The text with such characters written out like this.
pub(crate) fn escaped(
    text: &str,
    is_such: impl Fn(char) -> bool,
    escape: impl Fn(char) -> String,
) -> Cow<'_, str> {
    let Some(first) = text.find(&is_such) else {
        return Cow::Borrowed(text);
    };
    let mut safe = String::with_capacity(text.len() + 8);
    safe += &text[..first];
    for c in text[first..].chars() {
        if is_such(c) {
            safe += &escape(c);
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// A character as JSON escapes it, in units of UTF-16.
pub(crate) fn json_escape(c: char) -> String {
    let mut units = [0; 2];
    let units = c.encode_utf16(&mut units).iter();
    units.map(|unit| format!("\\u{unit:04x}")).collect()
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

/// The text, or its beginning and its end around a `…` where it is wider than that.
#[cfg(feature = "cli")]
pub(crate) fn cut_in_middle(text: &str, width: usize) -> Cow<'_, str> {
    use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let left = width.saturating_sub(1);
    // Names of one group differ at their ends.
    let fits = |most: usize| {
        let mut used = 0;
        move |c: &char| {
            used += c.width().unwrap_or_default();
            used <= most
        }
    };
    let begin: String = text.chars().take_while(fits(left / 2)).collect();
    let end: Vec<char> = (text.chars().rev())
        .take_while(fits(left - begin.width()))
        .collect();
    Cow::Owned(
        begin
            .chars()
            .chain(['…'])
            .chain(end.into_iter().rev())
            .collect(),
    )
}

/// Text in UTF-8 or, as Windows may write it, in UTF-16.
///
/// # Errors
/// If it is neither.
#[cfg(feature = "cli")]
pub(crate) fn decode(bytes: &[u8]) -> std::io::Result<String> {
    let text = match wide(bytes) {
        Some((bytes, unit)) => {
            let (units, rest) = bytes.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|bytes| unit(*bytes)).collect();
            String::from_utf16(&units).ok().filter(|_| rest.is_empty())
        }
        None => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            String::from_utf8(bytes.to_vec()).ok()
        }
    };
    text.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not text"))
}

/// Whether a text that begins like this is in UTF-16.
#[cfg(feature = "cli")]
pub(crate) fn is_wide(begin: &[u8]) -> bool {
    wide(begin).is_some()
}

#[cfg(feature = "cli")]
type ReadUnit = fn([u8; 2]) -> u16;

/// What follows the byte order mark of a text in UTF-16, and how its units are read.
#[cfg(feature = "cli")]
fn wide(bytes: &[u8]) -> Option<(&[u8], ReadUnit)> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => Some((rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Some((rest, u16::from_be_bytes)),
        // Without a mark. JSON and YAML begin with an ASCII character.
        [_, 0, ..] => Some((bytes, u16::from_le_bytes)),
        [0, _, ..] => Some((bytes, u16::from_be_bytes)),
        _ => None,
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

    #[cfg(feature = "cli")]
    #[test]
    fn what_is_cut_keeps_both_ends() {
        assert_eq!(cut_in_middle("migrate-1a2b3c", 14), "migrate-1a2b3c");
        assert_eq!(cut_in_middle("migrate-1a2b3c", 9), "migr…2b3c");
        assert_eq!(cut_in_middle("migrate-1a2b3c", 8), "mig…2b3c");
        assert_eq!(cut_in_middle("日本語日本語", 6), "日…語");
        assert_eq!(cut_in_middle("ab", 1), "…");
    }

    #[test]
    fn what_is_quoted_is_otherwise_left_as_it_is() {
        assert_eq!(quoted(r"dom\user's"), r#""dom\user's""#);
        assert_eq!(quoted("größer\n"), "\"größer\\u{a}\"");
    }
}

/// YAML of others.
#[cfg(feature = "cli")]
pub(crate) mod yaml {
    /// The most values that aliases may stand for in one file.
    const MAX_ALIASED: usize = 1_000_000;
    /// The most levels that values may be nested.
    const MAX_DEPTH: usize = 64;

    /// What bounds the work for one file. What it holds itself is bounded by its length; aliases and nesting are what a
    /// small file can make much of.
    pub(crate) fn limits() -> serde_saphyr::Options {
        let none = usize::MAX;
        serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_events: none,
                max_nodes: none,
                max_documents: none,
                max_aliases: none,
                max_anchors: none,
                max_merge_keys: none,
                max_total_scalar_bytes: none,
                enforce_alias_anchor_ratio: false,
                max_depth: MAX_DEPTH,
            },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_ALIASED },
        }
    }

    /// What is wrong with YAML, in words that help: the parser speaks of its own settings.
    pub(crate) fn words(error: &serde_saphyr::Error) -> String {
        use serde_saphyr::{Error as Yaml, MessageFormatter as _, UserMessageFormatter};
        let place = error.location();
        let mut advice = "";
        let what = match error.without_snippet() {
            Yaml::DuplicateMappingKey { key: Some(key), .. } => {
                if place.is_some_and(|place| place.column() == 1) {
                    advice = "; between two documents write a line with --- alone";
                }
                format!("{key} stands there twice")
            }
            Yaml::RecursiveReferencesRequireWeakTypes { .. } => "an anchor holds itself".to_owned(),
            Yaml::UnknownAnchor { .. } => "the anchor of an alias is missing".to_owned(),
            other => match limit_met(other) {
                Some(limit) => {
                    advice = "; write it with fewer aliases, and less nested";
                    limit
                }
                None => UserMessageFormatter.format_message(other).into_owned(),
            },
        };
        let place =
            place.map(|place| format!(" at line {} column {}", place.line(), place.column()));
        what + &place.unwrap_or_default() + advice
    }

    /// Which of the limits a file has met, if it was one.
    pub(crate) fn limit_met(error: &serde_saphyr::Error) -> Option<String> {
        use serde_saphyr::{Error as Yaml, budget::BudgetBreach};
        match error.without_snippet() {
            Yaml::AliasError { error, .. } => limit_met(error),
            Yaml::AliasReplayLimitExceeded { .. } | Yaml::AliasReplayCounterOverflow { .. } => {
                Some(format!(
                    "its aliases stand for more than {MAX_ALIASED} values"
                ))
            }
            Yaml::AliasReplayStackDepthExceeded { .. } => {
                Some("its aliases stand for further aliases too many times over".to_owned())
            }
            Yaml::Budget {
                breach: BudgetBreach::Depth { .. },
                ..
            } => Some(format!("it is nested more than {MAX_DEPTH} levels deep")),
            Yaml::Budget { .. } => {
                Some("its anchors hold more than can be kept in memory".to_owned())
            }
            _ => None,
        }
    }
}

/// JSON Schemas, made from types.
#[cfg(feature = "schema")]
pub(crate) mod schema {
    use schemars::{Schema, json_schema};
    use serde_json::Value;

    /// What is not there is left out; nothing is ever `null`.
    pub(crate) fn never_null(schema: &mut Schema) {
        if schema.get("default").is_some_and(Value::is_null) {
            schema.remove("default");
        }
        if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(options) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
            options.retain(|option| option["type"] != "null");
            if let [Value::Object(only)] = options.as_slice() {
                let only = only.clone();
                schema.remove("anyOf");
                only.into_iter().for_each(|(key, value)| {
                    schema.insert(key, value);
                });
            }
        }
        schemars::transform::transform_subschemas(&mut never_null, schema);
    }

    /// Say what types cannot say by themselves.
    pub(crate) fn add(schema: &mut Schema, rules: Value) {
        if let Value::Object(rules) = rules {
            schema.ensure_object().extend(rules);
        }
    }

    /// One of these words.
    pub(crate) fn words(words: &[&str]) -> Schema {
        json_schema!({"type": "string", "enum": words})
    }
}
