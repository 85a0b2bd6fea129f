//! How much a plan may purge.

use std::{fmt, str::FromStr};

/// The most that a plan may purge; a plan that would purge more is held as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxPurge {
    /// A number of Jobs.
    Jobs(usize),
    /// A percentage of the Jobs listed.
    Percent(u8),
}

impl MaxPurge {
    /// Whether a plan may purge `purge` of `listed` Jobs.
    pub fn allows(self, purge: usize, listed: usize) -> bool {
        match self {
            MaxPurge::Jobs(most) => purge <= most,
            // Multiplied, so that nothing is rounded away; in u128, so that nothing overflows.
            MaxPurge::Percent(most) => purge as u128 * 100 <= listed as u128 * u128::from(most),
        }
    }
}

impl fmt::Display for MaxPurge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MaxPurge::Jobs(most) => write!(f, "{most}"),
            MaxPurge::Percent(most) => write!(f, "{most}%"),
        }
    }
}

/// An invalid `--max-purge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it as a number of Jobs, or as a percentage from 0% to 100%")]
pub struct ParseMaxPurgeError;

impl FromStr for MaxPurge {
    type Err = ParseMaxPurgeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').unwrap_or(text);
        // Rust's own parser would take a leading plus.
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParseMaxPurgeError);
        }
        if !text.ends_with('%') {
            number
                .parse()
                .map(MaxPurge::Jobs)
                .map_err(|_| ParseMaxPurgeError)
        } else {
            match number.parse() {
                Ok(percent) if percent <= 100 => Ok(MaxPurge::Percent(percent)),
                _ => Err(ParseMaxPurgeError),
            }
        }
    }
}

/// How a plan would purge more than it may, so that it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    pub limit: MaxPurge,
    /// How many Jobs it would purge.
    pub purge: usize,
    /// How many were listed for it.
    pub listed: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_percentages() {
        let parse = |text: &str| text.parse::<MaxPurge>();
        assert_eq!(parse("10"), Ok(MaxPurge::Jobs(10)));
        assert_eq!(parse("0"), Ok(MaxPurge::Jobs(0)));
        assert_eq!(parse("10%"), Ok(MaxPurge::Percent(10)));
        for text in [
            "",
            "%",
            "101%",
            "-1",
            "+1",
            "1.5%",
            "10 %",
            "ten",
            "300%",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), Err(ParseMaxPurgeError), "{text}");
        }
    }

    #[test]
    fn exactly_the_limit_is_allowed() {
        assert!(MaxPurge::Jobs(10).allows(10, 20));
        assert!(!MaxPurge::Jobs(10).allows(11, 20));
        assert!(MaxPurge::Percent(50).allows(10, 20));
        assert!(!MaxPurge::Percent(50).allows(11, 20));
        assert!(!MaxPurge::Percent(33).allows(1, 3));
        assert!(MaxPurge::Percent(0).allows(0, 0));
    }
}
