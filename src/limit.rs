//! How much a plan may purge.

use std::{fmt, str::FromStr};

use crate::plan::Summary;

/// The most that a plan may purge; a plan that would purge more is held as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxPurge {
    /// So many Jobs.
    Jobs(usize),
    /// So many of a hundred Jobs listed.
    Percent(u8),
}

impl MaxPurge {
    /// Whether a plan keeps to it.
    pub fn allows(self, summary: &Summary) -> bool {
        match self {
            MaxPurge::Jobs(most) => summary.purge <= most,
            // Multiplied, so that nothing is rounded away; in u128, so that nothing overflows.
            MaxPurge::Percent(most) => {
                summary.purge as u128 * 100 <= summary.jobs as u128 * u128::from(most)
            }
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

/// Why a text is no limit.
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
        match text.ends_with('%') {
            false => number
                .parse()
                .map(MaxPurge::Jobs)
                .map_err(|_| ParseMaxPurgeError),
            true => match number.parse() {
                Ok(percent) if percent <= 100 => Ok(MaxPurge::Percent(percent)),
                _ => Err(ParseMaxPurgeError),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(purge: usize, jobs: usize) -> Summary {
        Summary {
            purge,
            jobs,
            ..Summary::default()
        }
    }

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
        assert!(MaxPurge::Jobs(10).allows(&summary(10, 20)));
        assert!(!MaxPurge::Jobs(10).allows(&summary(11, 20)));
        assert!(MaxPurge::Percent(50).allows(&summary(10, 20)));
        assert!(!MaxPurge::Percent(50).allows(&summary(11, 20)));
        assert!(!MaxPurge::Percent(33).allows(&summary(1, 3)));
        assert!(MaxPurge::Percent(0).allows(&summary(0, 0)));
    }
}
