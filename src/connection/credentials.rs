//! Credentials, and where they come from.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use jiff::Timestamp;

use super::identity::Identity;

/// What a request carries to say whose it is.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// In its header; sensitive, so that nothing shows it.
    pub authorization: Option<HeaderValue>,
    /// In the TLS handshake.
    pub identity: Option<Identity>,
    pub validity: Validity,
}

/// How long credentials are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// As long as the server takes them.
    Always,
    /// Until this moment has passed.
    Until(Timestamp),
    /// For this long after they were read.
    For(Duration),
}

impl Validity {
    /// Whether they have to be renewed.
    pub(super) fn is_over(self, now: Timestamp, age: Duration) -> bool {
        match self {
            Validity::Always => false,
            Validity::Until(expires) => now > expires,
            Validity::For(longest) => age >= longest,
        }
    }
}

/// The header's value for a token, `None` if no header may hold it.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The header's value for a name and a password.
pub(crate) fn basic(name: &str, password: &str) -> Option<HeaderValue> {
    let both = STANDARD.encode(format!("{name}:{password}"));
    let mut value = HeaderValue::try_from(format!("Basic {both}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_hold_colons_and_is_not_shown() {
        let value = basic("a", "b:c").unwrap();
        assert_eq!(value, "Basic YTpiOmM=");
        assert!(value.is_sensitive());
    }

    #[test]
    fn credentials_are_good_to_their_last_second() {
        let at = Timestamp::UNIX_EPOCH;
        let second = Duration::from_secs(1);
        for (validity, expected) in [
            (Validity::Always, false),
            (Validity::Until(at + second), false),
            (Validity::Until(at), false),
            (Validity::Until(at - second), true),
            (Validity::For(2 * second), false),
            (Validity::For(second), true),
        ] {
            assert_eq!(validity.is_over(at, second), expected, "{validity:?}");
        }
    }
}
