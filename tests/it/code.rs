//! Reads Rust as far as the rules about the sources need it.

use std::collections::BTreeSet;

/// A source file without its unit tests.
pub fn without_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod ")
        .map_or(text, |(code, _)| code)
}

/// The code's words and signs, without comments and without what stands in quotes.
pub fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest).or_else(|| quoted(rest)) {
            length
        } else if word > 0 {
            tokens.push(rest[..word].to_owned());
            word
        } else {
            let length = if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push(rest[..length].to_owned());
            }
            length
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of the raw string that the text begins with.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.bytes().take_while(|b| *b == b'#').count();
    let start = text.len() - after.len() + hashes;
    let body = text[start..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(start + 1 + body.find(&end)? + end.len())
}

/// The length of the string or character that the text begins with; a lifetime is neither.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    if quote == '\'' && !text.starts_with("'\\") && text.chars().nth(2) != Some('\'') {
        return None;
    }
    let mut escaped = false;
    let end = text[1..].char_indices().find(|(_, c)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map(|(at, _)| at + 2)
}

/// Those of `words`, each of one token or several, that stand in the code. A method of that name, and a field, do not
/// count: `command.stdin(…)` is not this process's.
pub fn uses<'a>(code: &str, words: &[&'a str]) -> BTreeSet<&'a str> {
    let tokens = tokens(code);
    words
        .iter()
        .copied()
        .filter(|word| {
            let word: Vec<&str> = word.split(' ').collect();
            tokens.windows(word.len()).enumerate().any(|(at, window)| {
                let before = at.checked_sub(1).map(|at| tokens[at].as_str());
                window == word && (before != Some(".") || word[0] == "is_terminal")
            })
        })
        .collect()
}

/// The sibling modules that the code names: `crate::x`, and each `x` of `crate::{x, …}`.
pub fn siblings(code: &str) -> BTreeSet<String> {
    let tokens = tokens(code);
    let mut found = BTreeSet::new();
    for (at, window) in tokens.windows(3).enumerate() {
        if window[0] != "crate" || window[1] != "::" {
            continue;
        }
        if window[2] != "{" {
            found.insert(window[2].clone());
            continue;
        }
        let mut depth = 0;
        let mut starts = false;
        for token in &tokens[at + 2..] {
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                name if depth == 1 && starts => {
                    found.insert(name.to_owned());
                }
                _ => {}
            }
            starts = depth == 1 && matches!(token.as_str(), "{" | ",");
            if depth == 0 {
                break;
            }
        }
    }
    found
}
