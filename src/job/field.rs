//! Field selectors, read as the API server does it. It gets their text, and is asked for no more than it can answer.

use std::{borrow::Cow, error::Error, fmt, str::FromStr};

/// The fields of a Job that the API server selects by.
pub const FIELDS: [&str; 3] = ["metadata.name", "metadata.namespace", "status.successful"];

/// A field selector, `metadata.name!=a,status.successful=1` for one. The default selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSelector {
    text: String,
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    field: String,
    value: String,
    is_equal: bool,
}

impl FieldSelector {
    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a Job is selected; `get` looks up one of [`FIELDS`].
    ///
    /// What the server does not select by is not looked at: it refuses that.
    pub fn matches<'a>(&self, get: impl Fn(&str) -> Cow<'a, str>) -> bool {
        let known = |term: &&Term| FIELDS.contains(&&*term.field);
        self.terms
            .iter()
            .filter(known)
            .all(|term| (get(&term.field) == term.value) == term.is_equal)
    }

    /// The first field that the server does not select Jobs by.
    pub fn unknown_field(&self) -> Option<&str> {
        let mut fields = self.terms.iter().map(|term| &*term.field);
        fields.find(|field| !FIELDS.contains(field))
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for FieldSelector {
    type Err = FieldSelectorError;

    fn from_str(text: &str) -> Result<FieldSelector, FieldSelectorError> {
        let mut terms = Vec::new();
        for part in split(text, ',').into_iter().filter(|part| !part.is_empty()) {
            let unclear = || FieldSelectorError(part.to_owned());
            let at = split(part, '=')
                .first()
                .map(|head| head.len())
                .filter(|at| *at < part.len());
            let at = at.ok_or_else(unclear)?;
            let (field, is_equal) = match part[..at].strip_suffix('!') {
                Some(field) => (field, false),
                None => (&part[..at], true),
            };
            let value = &part[at + 1..];
            let value = if is_equal {
                value.strip_prefix('=').unwrap_or(value)
            } else {
                value
            };
            terms.push(Term {
                field: field.to_owned(),
                value: unescaped(value).ok_or_else(unclear)?,
                is_equal,
            });
        }
        Ok(FieldSelector {
            text: text.to_owned(),
            terms,
        })
    }
}

/// The parts between separators that no backslash stands before.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut is_escaped = false;
    text.split(|c: char| {
        let separates = c == separator && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        separates
    })
    .collect()
}

/// A value without the backslashes that its commas, equals signs and backslashes have before them; they must.
fn unescaped(value: &str) -> Option<String> {
    let mut chars = value.chars();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(chars.next().filter(|c| matches!(c, '\\' | ',' | '='))?),
            ',' | '=' => return None,
            c => text.push(c),
        }
    }
    Some(text)
}

/// A part of a field selector that the server does not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSelectorError(String);

impl fmt::Display for FieldSelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not FIELD=VALUE, FIELD==VALUE or FIELD!=VALUE",
            self.0
        )
    }
}

impl Error for FieldSelectorError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_as_kubernetes_does() {
        let get = |field: &str| {
            Cow::from(match field {
                "metadata.name" => "a,b",
                "metadata.namespace" => "prod",
                _ => "1",
            })
        };
        for (text, is_selected) in [
            ("", true),
            (",", true),
            (r"metadata.name=a\,b", true),
            (r"metadata.name==a\,b,status.successful=1", true),
            (r"metadata.name!=a\,b", false),
            ("metadata.namespace=prod,status.successful!=1", false),
            ("metadata.namespace=", false),
            ("spec.suspend=true", true),
        ] {
            let selector: FieldSelector = text.parse().expect(text);
            assert_eq!(selector.matches(get), is_selected, "{text}");
            assert_eq!(selector.to_string(), text);
        }
        for text in [
            "metadata.name",
            "metadata.name=a=b",
            r"metadata.name=\a",
            "a b",
        ] {
            assert!(text.parse::<FieldSelector>().is_err(), "{text}");
        }
        let other: FieldSelector = "metadata.name=a,spec.suspend=true"
            .parse()
            .expect("it is one");
        assert_eq!(other.unknown_field(), Some("spec.suspend"));
    }
}
