//! Label keys, and the characters that Kubernetes allows in names.

use std::{error::Error, fmt, str::FromStr};

/// Most bytes of a label value, and of the name in a label key.
pub(super) const NAME_MAX: usize = 63;

/// Most bytes of a DNS subdomain, and so of the prefix in a label key.
const PREFIX_MAX: usize = 253;

/// The key of a label: a name of at most 63 characters, after the DNS name of its owner and a `/`, if it has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelKey(Box<str>);

impl LabelKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LabelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LabelKey {
    type Err = LabelKeyError;

    fn from_str(text: &str) -> Result<LabelKey, LabelKeyError> {
        if text.is_empty() {
            return Err(LabelKeyError::Empty);
        }
        if text.contains(',') {
            return Err(LabelKeyError::Comma);
        }
        let name = match text.split_once('/') {
            None => text,
            Some((prefix, _)) if prefix.len() > PREFIX_MAX => {
                return Err(LabelKeyError::PrefixTooLong);
            }
            Some((prefix, _)) if !is_dns_subdomain(prefix) => return Err(LabelKeyError::Prefix),
            Some((_, name)) => name,
        };
        if name.len() > NAME_MAX {
            return Err(LabelKeyError::NameTooLong);
        }
        if !is_name(name) {
            return Err(LabelKeyError::Name);
        }
        Ok(LabelKey(text.into()))
    }
}

/// What is wrong with a label key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelKeyError {
    /// There is nothing.
    Empty,
    /// It may have been meant as several keys.
    Comma,
    /// What stands before the `/` is not a DNS name.
    Prefix,
    /// What stands before the `/` is too long.
    PrefixTooLong,
    /// The name is empty or holds characters that no label has.
    Name,
    NameTooLong,
}

impl fmt::Display for LabelKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LabelKeyError::Empty => "a label key is never empty",
            LabelKeyError::Comma => "a label key holds no comma; repeat the flag for each key",
            LabelKeyError::Prefix => {
                "what stands before the '/' of a label key is a DNS name: lower-case letters, digits, '-' and '.'"
            }
            LabelKeyError::PrefixTooLong => {
                "what stands before the '/' of a label key has at most 253 characters"
            }
            LabelKeyError::Name => {
                "the name in a label key holds only letters, digits, '-', '_' and '.', with a letter or digit at both ends"
            }
            LabelKeyError::NameTooLong => "the name in a label key has at most 63 characters",
        })
    }
}

impl Error for LabelKeyError {}

/// Whether these are the characters of a label value or of the name in a label key.
pub(super) fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let outer = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(outer) && text.ends_with(outer) && text.chars().all(inner)
}

/// Whether this is a DNS label: the name of a namespace, for one (RFC 1123).
pub fn is_dns_label(text: &str) -> bool {
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= NAME_MAX
        && text.starts_with(outer)
        && text.ends_with(outer)
        && text.chars().all(|c| outer(c) || c == '-')
}

/// Whether this is a DNS subdomain: the name of most objects (RFC 1123). Kubernetes limits the whole of it only.
pub fn is_dns_subdomain(text: &str) -> bool {
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= PREFIX_MAX
        && text.split('.').all(|label| {
            label.starts_with(outer)
                && label.ends_with(outer)
                && label.chars().all(|c| outer(c) || c == '-')
        })
}

/// Labels that the server derives from the uid and the name. It refuses those of another Job.
pub const DERIVED_LABELS: [(&str, &str); 4] = [
    ("controller-uid", "uid"),
    ("batch.kubernetes.io/controller-uid", "uid"),
    ("job-name", "name"),
    ("batch.kubernetes.io/job-name", "name"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_kubernetes() {
        let most = "a".repeat(63);
        let prefix = "p".repeat(253);
        assert!(format!("{prefix}/{most}").parse::<LabelKey>().is_ok());
        let error = |text: String| text.parse::<LabelKey>().expect_err(&text);
        assert_eq!(error(format!("p{prefix}/a")), LabelKeyError::PrefixTooLong);
        assert_eq!(error(format!("p/{most}a")), LabelKeyError::NameTooLong);
    }

    #[test]
    fn a_label_key_says_what_is_wrong_with_it() {
        let key: LabelKey = "mas.ibm.com/job-cleanup-group".parse().expect("a good key");
        assert_eq!(key.as_str(), key.to_string());
        for (text, why) in [
            ("", LabelKeyError::Empty),
            ("a,b", LabelKeyError::Comma),
            ("/a", LabelKeyError::Prefix),
            ("a..b/c", LabelKeyError::Prefix),
            ("a-/c", LabelKeyError::Prefix),
            ("A/c", LabelKeyError::Prefix),
            ("a/", LabelKeyError::Name),
            ("a/b/c", LabelKeyError::Name),
            ("a b", LabelKeyError::Name),
            ("_a", LabelKeyError::Name),
            ("a-", LabelKeyError::Name),
            ("a=b", LabelKeyError::Name),
        ] {
            assert_eq!(text.parse::<LabelKey>(), Err(why), "{text:?}");
        }
    }
}
