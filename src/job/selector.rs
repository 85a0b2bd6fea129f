//! Kubernetes label selectors and label keys, read and matched as the API server does it.
//!
//! The server gets a selector's text as the user wrote it. Reading it here as well finds a typo before anything is
//! asked of the server, and lets a file be filtered alike where no server is.

use std::{error::Error, fmt, str::FromStr};

use super::label::{LabelKey, NAME_MAX, is_name};

/// A label selector, `app=web,tier in (a,b),!canary` for one. The default selects everything.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Selector {
    text: String,
    requirements: Vec<Requirement>,
}

impl Selector {
    /// Whether it selects everything. Do not join the text of such a selector to another one with a comma.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object has labels that meet every requirement; `get` looks a label's value up by its key.
    pub fn matches<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.test.holds(get(requirement.key.as_str())))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Selector, SelectorError> {
        let mut tokens = Tokens { text, rest: text };
        let mut requirements = Vec::new();
        if !tokens.peek().is_empty() {
            requirements.push(requirement(&mut tokens)?);
        }
        while tokens.skip(",") {
            requirements.push(requirement(&mut tokens)?);
        }
        if !tokens.peek().is_empty() {
            return Err(tokens.expected("',' or the end"));
        }
        Ok(Selector {
            text: text.to_owned(),
            requirements,
        })
    }
}

/// What one label must be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: LabelKey,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    /// An absent label meets it too.
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let one_of = |values: &[String]| values.iter().any(|v| Some(v.as_str()) == value);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::In(values) => one_of(values),
            Test::NotIn(values) => !one_of(values),
            Test::Above(bound) => number().is_some_and(|number| number > *bound),
            Test::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

fn requirement(tokens: &mut Tokens) -> Result<Requirement, SelectorError> {
    if tokens.skip("!") {
        let key = key(tokens)?;
        let test = Test::Absent;
        return Ok(Requirement { key, test });
    }
    let key = key(tokens)?;
    let test = match tokens.peek() {
        "" | "," => Test::Exists,
        "=" | "==" => Test::In(vec![exact_value(tokens.past_next())?]),
        "!=" => Test::NotIn(vec![exact_value(tokens.past_next())?]),
        "in" => Test::In(value_set(tokens.past_next())?),
        "notin" => Test::NotIn(value_set(tokens.past_next())?),
        ">" => Test::Above(integer(tokens.past_next())?),
        "<" => Test::Below(integer(tokens.past_next())?),
        _ => {
            return Err(tokens.expected("',', '=', '==', '!=', '>', '<', 'in', 'notin' or the end"));
        }
    };
    Ok(Requirement { key, test })
}

fn key(tokens: &mut Tokens) -> Result<LabelKey, SelectorError> {
    if !tokens.at_word() {
        return Err(tokens.expected("a label key"));
    }
    let key = tokens.peek().parse().map_err(|why| tokens.wrong(why))?;
    tokens.take();
    Ok(key)
}

/// A value, or nothing: the empty value.
fn value(tokens: &mut Tokens) -> Result<String, SelectorError> {
    if !tokens.at_word() {
        return Ok(String::new());
    }
    let value = tokens.peek();
    if value.len() > NAME_MAX {
        return Err(tokens.wrong("a label value has at most 63 characters"));
    }
    if !is_name(value) {
        return Err(tokens.wrong(
            "a label value holds only letters, digits, '-', '_' and '.', with a letter or digit at both ends",
        ));
    }
    Ok(tokens.take().to_owned())
}

fn exact_value(tokens: &mut Tokens) -> Result<String, SelectorError> {
    let value = value(tokens)?;
    match tokens.peek() {
        "" | "," => Ok(value),
        _ if value.is_empty() => Err(tokens.expected("a label value, ',' or the end")),
        _ => Err(tokens.expected("',' or the end")),
    }
}

fn value_set(tokens: &mut Tokens) -> Result<Vec<String>, SelectorError> {
    if !tokens.skip("(") {
        return Err(tokens.expected("'('"));
    }
    let mut values = vec![value(tokens)?];
    while tokens.skip(",") {
        values.push(value(tokens)?);
    }
    if !tokens.skip(")") {
        return Err(tokens.expected("',' or ')'"));
    }
    Ok(values)
}

/// A bound must be a label value as well, so it has no sign.
fn integer(tokens: &mut Tokens) -> Result<i64, SelectorError> {
    if !tokens.at_word() {
        return Err(tokens.expected("a whole number"));
    }
    let bound = tokens.peek();
    match bound.parse() {
        Ok(number) if is_name(bound) && bound.len() <= NAME_MAX => {
            tokens.take();
            Ok(number)
        }
        _ => Err(tokens.wrong("'>' and '<' take a whole number from 0 to 9223372036854775807")),
    }
}

/// A selector's text, token by token: a word, a symbol, or at the end the empty string.
struct Tokens<'a> {
    text: &'a str,
    rest: &'a str,
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
const SYMBOLS: [char; 7] = ['=', '!', '(', ')', ',', '>', '<'];

impl<'a> Tokens<'a> {
    fn peek(&self) -> &'a str {
        let rest = self.rest.trim_start_matches(BLANKS);
        let length = if rest.starts_with("==") || rest.starts_with("!=") {
            2
        } else if rest.starts_with(SYMBOLS) {
            1
        } else {
            rest.find(|c| BLANKS.contains(&c) || SYMBOLS.contains(&c))
                .unwrap_or(rest.len())
        };
        &rest[..length]
    }

    fn at_word(&self) -> bool {
        let token = self.peek();
        !token.is_empty() && !token.starts_with(SYMBOLS)
    }

    fn take(&mut self) -> &'a str {
        let token = self.peek();
        self.rest = &self.rest.trim_start_matches(BLANKS)[token.len()..];
        token
    }

    fn past_next(&mut self) -> &mut Self {
        self.take();
        self
    }

    fn skip(&mut self, token: &str) -> bool {
        let found = self.peek() == token;
        if found {
            self.take();
        }
        found
    }

    /// The next token is not the one that has to stand here.
    fn expected(&self, expected: &str) -> SelectorError {
        match self.peek() {
            "" => SelectorError(format!("expected {expected}, found the end")),
            found => SelectorError(format!(
                "expected {expected} at character {}, found {found:?}",
                self.position()
            )),
        }
    }

    /// The next token is the right sort, but not a good one.
    fn wrong(&self, why: impl fmt::Display) -> SelectorError {
        let found = self.peek();
        SelectorError(format!("{found:?} at character {}: {why}", self.position()))
    }

    fn position(&self) -> usize {
        let rest = self.rest.trim_start_matches(BLANKS);
        self.text[..self.text.len() - rest.len()].chars().count() + 1
    }
}

/// What is wrong with a selector, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorError(String);

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for SelectorError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Objects with these labels, for the letters in [`MATCHES`].
    const OBJECTS: [(char, &[(&str, &str)]); 6] = [
        ('A', &[]),
        ('B', &[("k", "")]),
        ('C', &[("k", "a"), ("in", "notin"), ("example.com/k", "a")]),
        ('D', &[("k", "b"), ("in", "x")]),
        ('E', &[("k", "5")]),
        ('F', &[("k", "-7")]),
    ];

    /// Selectors, each with the objects that the Go implementation says it matches.
    const MATCHES: [(&str, &str); 45] = [
        ("", "ABCDEF"),
        (" \t\r\n", "ABCDEF"),
        ("k", "BCDEF"),
        (" k ", "BCDEF"),
        ("!k", "A"),
        (" ! k", "A"),
        ("k=a", "C"),
        ("k == a", "C"),
        ("k=", "B"),
        ("k=,in", ""),
        ("k==", "B"),
        ("k!=", "ACDEF"),
        ("k!=a", "ABDEF"),
        ("k\t!=\na", "ABDEF"),
        ("k in (a,b)", "CD"),
        ("k in(a)", "C"),
        ("k  in  ( a , b )", "CD"),
        ("k in ()", "B"),
        ("k in (,)", "B"),
        ("k in (a,)", "BC"),
        ("k in (,a)", "BC"),
        ("k in (a,,b)", "BCD"),
        ("k in (a,a)", "C"),
        ("k notin (a,b)", "ABEF"),
        ("k notin ()", "ACDEF"),
        ("k notin (a,)", "ADEF"),
        ("in", "CD"),
        ("!in", "ABEF"),
        ("in=notin", "C"),
        ("in in (notin)", "C"),
        ("in notin (in,notin)", "ABDEF"),
        ("notin", ""),
        ("k,in", "CD"),
        ("k , ! in", "BEF"),
        ("k=a,k=b", ""),
        ("k,k!=a,in notin (y)", "BDEF"),
        ("k>4", "E"),
        ("k > 4", "E"),
        ("k>5", ""),
        ("k<6", "EF"),
        ("k<0", "F"),
        ("k>007", ""),
        ("k<9223372036854775807", "EF"),
        ("k>0,k<6", "E"),
        ("example.com/k in (a)", "C"),
    ];

    /// What the Go implementation rejects, each with what is said here.
    const REJECTS: &str = r#"
,                     | expected a label key at character 1, found ","
k,                    | expected a label key, found the end
,k                    | expected a label key at character 1, found ","
k,,k                  | expected a label key at character 3, found ","
!                     | expected a label key, found the end
!!k                   | expected a label key at character 2, found "!"
=a                    | expected a label key at character 1, found "="
(a)                   | expected a label key at character 1, found "("
!k=a                  | expected ',' or the end at character 3, found "="
!k in (a)             | expected ',' or the end at character 4, found "in"
k in                  | expected '(', found the end
k in a                | expected '(' at character 6, found "a"
k in (                | expected ',' or ')', found the end
k in (a               | expected ',' or ')', found the end
k in (a b)            | expected ',' or ')' at character 9, found "b"
k in (a))             | expected ',' or the end at character 9, found ")"
k a                   | expected ',', '=', '==', '!=', '>', '<', 'in', 'notin' or the end at character 3, found "a"
k!                    | expected ',', '=', '==', '!=', '>', '<', 'in', 'notin' or the end at character 2, found "!"
k=a b                 | expected ',' or the end at character 5, found "b"
k===a                 | expected a label value, ',' or the end at character 4, found "="
k=(a)                 | expected a label value, ',' or the end at character 3, found "("
k>                    | expected a whole number, found the end
k>a                   | "a" at character 3: '>' and '<' take a whole number from 0 to 9223372036854775807
k>-5                  | "-5" at character 3: '>' and '<' take a whole number from 0 to 9223372036854775807
k<9223372036854775808 | "9223372036854775808" at character 3: '>' and '<' take a whole number from 0 to 9223372036854775807
k=-a                  | "-a" at character 3: a label value holds only letters, digits, '-', '_' and '.', with a letter or digit at both ends
k=é,k@x               | "é" at character 3: a label value holds only letters, digits, '-', '_' and '.', with a letter or digit at both ends
é=a                   | "é" at character 1: the name in a label key holds only letters, digits, '-', '_' and '.', with a letter or digit at both ends
a/b/c                 | "a/b/c" at character 1: the name in a label key holds only letters, digits, '-', '_' and '.', with a letter or digit at both ends
k,/b=x                | "/b" at character 3: what stands before the '/' of a label key is a DNS name: lower-case letters, digits, '-' and '.'
Example.com/k         | "Example.com/k" at character 1: what stands before the '/' of a label key is a DNS name: lower-case letters, digits, '-' and '.'
"#;

    #[test]
    fn matches_as_kubernetes_does() {
        for (text, expected) in MATCHES {
            let selector: Selector = text.parse().unwrap_or_else(|why| panic!("{text:?}: {why}"));
            let matched: String = OBJECTS
                .iter()
                .filter(|(_, labels)| {
                    let value = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
                    selector.matches(value)
                })
                .map(|(letter, _)| letter)
                .collect();
            assert_eq!(matched, expected, "{text:?}");
            assert_eq!(selector.to_string(), text);
            assert_eq!(selector.is_empty(), text.trim().is_empty(), "{text:?}");
        }
    }

    #[test]
    fn rejects_as_kubernetes_does_and_says_what_and_where() {
        for row in REJECTS.trim().lines() {
            let (text, why) = row.split_once(" | ").expect("two columns");
            let error = text.trim().parse::<Selector>().expect_err(text);
            assert_eq!(error.to_string(), why, "{text:?}");
        }
        // What could disturb a terminal is escaped.
        let error = "k=\u{202e}".parse::<Selector>().expect_err("not a value");
        assert!(
            error
                .to_string()
                .starts_with(r#""\u{202e}" at character 3"#)
        );
    }

    #[test]
    fn lengths_are_those_of_kubernetes() {
        let most = "a".repeat(63);
        for good in [format!("k={most}"), most.clone()] {
            assert!(good.parse::<Selector>().is_ok(), "{good}");
            assert!(format!("{good}a").parse::<Selector>().is_err(), "{good}a");
        }
    }
}
