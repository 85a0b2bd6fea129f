//! The one place that looks at the clock of the wall.

use jiff::Timestamp;

/// This moment in whole seconds, as the server stamps Jobs.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
