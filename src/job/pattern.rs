//! Names as a shell matches them: `*`, `?` and `[…]`.

use std::{fmt, str::FromStr};

use glob::Pattern;

/// Names of namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespacePattern(Pattern);

/// Names of Argo CD applications, as they group Jobs: `NAME`, or `NAMESPACE_NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationPattern(Pattern);

impl NamespacePattern {
    /// Whether this namespace is one of them.
    pub fn matches(&self, namespace: &str) -> bool {
        self.0.matches(namespace)
    }
}

impl ApplicationPattern {
    /// Whether this application is one of them.
    pub fn matches(&self, application: &str) -> bool {
        self.0.matches(application)
    }
}

impl fmt::Display for NamespacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Display for ApplicationPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl FromStr for NamespacePattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<NamespacePattern, Self::Err> {
        let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let why =
            "a namespace has lower-case letters, digits and '-'; *, ? and [...] stand for several";
        pattern(text, is_of_name, why).map(NamespacePattern)
    }
}

impl FromStr for ApplicationPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<ApplicationPattern, Self::Err> {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let why = "an application has letters, digits, '-', '_' and '.'; *, ? and [...] stand for several";
        pattern(text, is_of_name, why).map(ApplicationPattern)
    }
}

fn pattern(
    text: &str,
    is_of_name: impl Fn(char) -> bool,
    why: &'static str,
) -> Result<Pattern, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    // Outside brackets it would stand for itself, and match nothing.
    let negates = text.replace("[!", "[").contains('!');
    if negates {
        return Err(
            "! stands only within brackets, as in [!a]; there is no pattern for all others",
        );
    }
    if !text.chars().all(|c| is_of_name(c) || "*?[]!".contains(c)) {
        return Err(why);
    }
    Pattern::new(text).map_err(|_| "write * once in a row, and close each [ with a ]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_as_in_a_shell() {
        let matches = |pattern: &str, name: &str| {
            let pattern: NamespacePattern = pattern.parse().expect(pattern);
            pattern.matches(name)
        };
        assert!(matches("prod-*", "prod-a") && matches("prod-*", "prod-"));
        assert!(!matches("prod-*", "prod") && !matches("prod-*", "a-prod-b"));
        assert!(matches("ci-?", "ci-1") && !matches("ci-[!1]", "ci-1"));
        let shop: ApplicationPattern = "team_shop.*".parse().expect("a pattern");
        assert!(shop.matches("team_shop.EU") && !shop.matches("team_shop"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_in_words() {
        for (text, why) in [
            ("", "it is empty"),
            ("a b", "lower-case letters"),
            ("Prod", "lower-case letters"),
            ("a.b", "lower-case letters"),
            ("a[b", "close each ["),
            ("a***", "write * once"),
            ("!ci-*", "within brackets"),
            ("ci-!", "within brackets"),
            ("**", ""),
        ] {
            match text.parse::<NamespacePattern>() {
                Ok(_) => assert_eq!(why, "", "{text:?}"),
                Err(told) => assert!(told.contains(why) && !why.is_empty(), "{text:?}: {told}"),
            }
        }
        assert!("a/b".parse::<ApplicationPattern>().is_err());
    }
}
