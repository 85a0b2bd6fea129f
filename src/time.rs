//! The clock, durations as users write them, and ages as kubectl writes them.

use std::{str::FromStr, time::Duration};

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// This moment in whole seconds, as the server stamps Jobs.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// This moment to the millisecond.
pub fn now_in_milliseconds() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// How long something took, in whole milliseconds: finer than that it is of no use.
pub fn in_milliseconds(took: Duration) -> Duration {
    Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

/// A length of time with its units, largest first, each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanDuration(pub Duration);

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it as 90s, 45m, 12h, 7d or 1d12h")]
pub struct ParseDurationError;

impl FromStr for HumanDuration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // jiff reads more forms, and some of them could mean something else.
        let is_plain = |c: char| c.is_ascii_digit() || matches!(c, 'd' | 'h' | 'm' | 's');
        if !text.chars().all(is_plain) || text.contains("ms") {
            return Err(ParseDurationError);
        }
        let span: Span = text.parse().map_err(|_| ParseDurationError)?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
        let duration = duration.and_then(Duration::try_from);
        duration.map(HumanDuration).map_err(|_| ParseDurationError)
    }
}

/// kubectl's `--request-timeout`: a length of time, a bare number of seconds, or 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTimeout(pub Option<Duration>);

impl Default for RequestTimeout {
    /// Long enough for a page from a busy server, short enough not to hang.
    fn default() -> Self {
        RequestTimeout(Some(Duration::from_secs(60)))
    }
}

impl FromStr for RequestTimeout {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let milliseconds = text
            .strip_suffix("ms")
            .and_then(|number| number.parse::<u32>().ok());
        let duration = match (text.parse::<u32>(), milliseconds) {
            (Ok(seconds), _) => Duration::from_secs(seconds.into()),
            (_, Some(milliseconds)) => Duration::from_millis(milliseconds.into()),
            _ => text.parse::<HumanDuration>()?.0,
        };
        Ok(RequestTimeout((!duration.is_zero()).then_some(duration)))
    }
}

/// At most two units, and only as fine as an eye needs it: `45s`, `3m12s`, `5h`, `2d3h`, `400d`, `2y`.
///
/// The steps are those of `k8s.io/apimachinery/pkg/util/duration.HumanDuration`.
pub fn human(duration: SignedDuration) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let seconds = duration.as_secs();
    let two = |large: i64, large_unit: char, small: i64, small_unit: char| match seconds % large
        / small
    {
        0 => format!("{}{large_unit}", seconds / large),
        rest => format!("{}{large_unit}{rest}{small_unit}", seconds / large),
    };
    match seconds {
        // A server's clock may be a little ahead.
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => two(MINUTE, 'm', 1, 's'),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(HOUR, 'h', MINUTE, 'm'),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(DAY, 'd', HOUR, 'h'),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(YEAR, 'y', DAY, 'd'),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("90s", 90),
            ("45m", 2_700),
            ("12h", 43_200),
            ("7d", 604_800),
            ("1d12h", 129_600),
            ("1d2h3m4s", 93_784),
            ("0s", 0),
        ] {
            assert_eq!(
                text.parse(),
                Ok(HumanDuration(Duration::from_secs(seconds))),
                "{text}"
            );
        }
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for text in [
            "", "7", "d", "1h1d", "1h1h", "-1h", "1.5h", "1 h", "1D", "1w", "1mo", "1hd", "h1",
            "٣d",
        ] {
            assert_eq!(
                text.parse::<HumanDuration>(),
                Err(ParseDurationError),
                "{text}"
            );
        }
        for text in ["1ms", "99999999999999999999d", "300000000000000d"] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
    }

    #[test]
    fn request_timeouts() {
        for (text, expected) in [
            ("0", None),
            ("0s", None),
            ("5", Some(5)),
            ("5s", Some(5)),
            ("2m", Some(120)),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(text.parse(), Ok(RequestTimeout(expected)), "{text}");
        }
    }

    #[test]
    fn as_kubectl() {
        for (seconds, expected) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (192, "3m12s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_100, "3h5m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (183_600, "2d3h"),
            (691_200, "8d"),
            (31_536_000, "365d"),
            (63_072_000, "2y"),
            (63_244_800, "2y2d"),
            (252_288_000, "8y"),
        ] {
            assert_eq!(
                human(SignedDuration::from_secs(seconds)),
                expected,
                "{seconds}"
            );
        }
    }
}
