//! Small forms of what every Job has. A plan may hold a million rows, and all but a few of them look alike.

use std::{cmp::Ordering, fmt, num::NonZeroU8};

use jiff::Timestamp;

/// The server's identity of an object. Nearly all are UUIDs, which are held as the number that they are.
///
/// Ordered and compared by their text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Uid(UidForm);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum UidForm {
    /// In the usual form, so that the text can be made from it again.
    Uuid([u8; 16]),
    Text(Box<str>),
}

/// Where the hyphens of a UUID stand, and each two digits that are a byte.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const BYTES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const UUID_LENGTH: usize = 36;

impl From<&str> for Uid {
    fn from(text: &str) -> Uid {
        Uid(parse_uuid(text).map_or_else(|| UidForm::Text(text.into()), UidForm::Uuid))
    }
}

impl From<String> for Uid {
    fn from(text: String) -> Uid {
        Uid::from(text.as_str())
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            UidForm::Text(text) => f.write_str(text),
            UidForm::Uuid(bytes) => {
                f.write_str(std::str::from_utf8(&write_uuid(bytes)).unwrap_or_default())
            }
        }
    }
}

impl Uid {
    /// Whether there is none, as in a file of manifests.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, UidForm::Text(text) if text.is_empty())
    }
}

impl Ord for Uid {
    fn cmp(&self, other: &Uid) -> Ordering {
        match (&self.0, &other.0) {
            // Hexadecimal digits stand in the order of their values.
            (UidForm::Uuid(a), UidForm::Uuid(b)) => a.cmp(b),
            (UidForm::Text(a), UidForm::Text(b)) => a.cmp(b),
            (UidForm::Uuid(a), UidForm::Text(b)) => write_uuid(a)[..].cmp(b.as_bytes()),
            (UidForm::Text(a), UidForm::Uuid(b)) => a.as_bytes().cmp(&write_uuid(b)[..]),
        }
    }
}

impl PartialOrd for Uid {
    fn partial_cmp(&self, other: &Uid) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Only the form that is written again to the letter: lower case, hyphens in their places.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; UUID_LENGTH] = text.as_bytes().try_into().ok()?;
    if HYPHENS.iter().any(|place| text[*place] != b'-') {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, place) in bytes.iter_mut().zip(BYTES) {
        *byte = hex_digit(text[place])? << 4 | hex_digit(text[place + 1])?;
    }
    Some(bytes)
}

fn hex_digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}

fn write_uuid(bytes: &[u8; 16]) -> [u8; UUID_LENGTH] {
    let digit = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
    let mut text = [b'-'; UUID_LENGTH];
    for (byte, place) in bytes.iter().zip(BYTES) {
        text[place] = digit(byte >> 4);
        text[place + 1] = digit(byte & 15);
    }
    text
}

/// The version of an object: opaque, but a number on every server that there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(VersionForm);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum VersionForm {
    Number(u64),
    /// Behind a thin pointer, so that the rare form does not make the common one larger.
    #[allow(clippy::box_collection)]
    Text(Box<String>),
}

impl From<&str> for Version {
    fn from(text: &str) -> Version {
        // Only what is written again to the letter.
        let is_plain = text == "0" || !text.starts_with(['0', '+']);
        match text.parse::<u64>() {
            Ok(number) if is_plain => Version(VersionForm::Number(number)),
            _ => Version(VersionForm::Text(Box::new(text.to_owned()))),
        }
    }
}

impl From<String> for Version {
    fn from(text: String) -> Version {
        Version::from(text.as_str())
    }
}

impl Version {
    /// Whether there is none, as in a file of manifests.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, VersionForm::Text(text) if text.is_empty())
    }

    /// How old it is beside another version of the same object, the greater the newer; `None` if that cannot be told.
    ///
    /// API servers count up in decimal numbers without a bound on their length (Kubernetes' API concepts, "Resource
    /// versions").
    #[cfg(feature = "cli")]
    pub(crate) fn age(&self, other: &Version) -> Option<Ordering> {
        match (&self.0, &other.0) {
            (VersionForm::Number(a), VersionForm::Number(b)) => Some(a.cmp(b)),
            _ => {
                let [a, b] = [self, other].map(Version::to_string);
                let are_numbers = [&a, &b].iter().all(|text| is_decimal(text));
                are_numbers.then(|| a.len().cmp(&b.len()).then(a.cmp(&b)))
            }
        }
    }
}

/// Whether a text is a number as it is written, without zeros before it.
#[cfg(feature = "cli")]
fn is_decimal(text: &str) -> bool {
    let has_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    has_digits && (text == "0" || !text.starts_with('0'))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            VersionForm::Number(number) => number.fmt(f),
            VersionForm::Text(text) => f.write_str(text),
        }
    }
}

/// The uid and the resourceVersion of an object, in the room that a uid alone takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity(IdentityForm);

#[derive(Debug, Clone, PartialEq, Eq)]
enum IdentityForm {
    /// A UUID, and the bytes of a version that fits into them, the largest digit first.
    Usual {
        uid: [u8; 16],
        resource_version: [u8; 7],
    },
    Other(Box<(Uid, Version)>),
}

impl Identity {
    pub(super) fn new(uid: Uid, resource_version: Version) -> Identity {
        if let (UidForm::Uuid(uid), VersionForm::Number(number)) = (&uid.0, &resource_version.0)
            && let [0, resource_version @ ..] = number.to_be_bytes()
        {
            let uid = *uid;
            return Identity(IdentityForm::Usual {
                uid,
                resource_version,
            });
        }
        Identity(IdentityForm::Other(Box::new((uid, resource_version))))
    }

    pub(super) fn uid(&self) -> Uid {
        match &self.0 {
            IdentityForm::Usual { uid, .. } => Uid(UidForm::Uuid(*uid)),
            IdentityForm::Other(other) => other.0.clone(),
        }
    }

    pub(super) fn resource_version(&self) -> Version {
        match &self.0 {
            IdentityForm::Usual {
                resource_version: [a, b, c, d, e, f, g],
                ..
            } => {
                let number = u64::from_be_bytes([0, *a, *b, *c, *d, *e, *f, *g]);
                Version(VersionForm::Number(number))
            }
            IdentityForm::Other(other) => other.1.clone(),
        }
    }
}

/// A time in whole seconds, which is all that Kubernetes stamps Jobs with. An absent one takes no more room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp {
    /// The digits of the seconds after [`Stamp::ZERO`], the largest first, so that they are in the order of the times.
    high: NonZeroU8,
    low: [u8; 4],
}

impl Stamp {
    /// Zero, in seconds before 1970. It lies so far before the beginning of every calendar that no first digit is zero, and
    /// the ends of all calendars have five digits of a byte each.
    const ZERO: i64 = 1 << 39;

    /// The time this many seconds after 1970-01-01T00:00:00Z; `None` if no calendar holds it.
    pub fn from_second(seconds: i64) -> Option<Stamp> {
        Timestamp::from_second(seconds).ok().map(Stamp::from)
    }

    /// The time as calendars count.
    pub fn timestamp(self) -> Timestamp {
        let [a, b, c, d] = self.low;
        let since_zero = i64::from_be_bytes([0, 0, 0, self.high.get(), a, b, c, d]);
        // It was one when it was made.
        Timestamp::from_second(since_zero - Stamp::ZERO).unwrap_or_default()
    }
}

impl fmt::Display for Stamp {
    /// As RFC 3339 writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

impl From<Timestamp> for Stamp {
    /// What is less than a second is left out.
    fn from(time: Timestamp) -> Stamp {
        let [_, _, _, high, low @ ..] = (time.as_second() + Stamp::ZERO).to_be_bytes();
        Stamp {
            high: NonZeroU8::new(high).unwrap_or(NonZeroU8::MIN),
            low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_to_the_letter() {
        for text in [
            "",
            "0f7b5c1e-0000-4000-8000-0123456789ab",
            "0F7B5C1E-0000-4000-8000-0123456789AB",
            "0f7b5c1e00000-4000-8000-0123456789ab",
            "0f7b5c1e-0000-4000-8000-0123456789a-",
            "0f7b5c1e-0000-4000-8000-0123456789ag",
            "uid-1",
        ] {
            assert_eq!(Uid::from(text).to_string(), text);
        }
        for text in [
            "",
            "0",
            "1",
            "00",
            "01",
            "+0",
            "-0",
            "+1",
            "18446744073709551615",
            "18446744073709551616",
            "x",
        ] {
            assert_eq!(Version::from(text).to_string(), text);
        }
    }

    #[test]
    fn an_identity_is_what_it_was_made_of() {
        for uid in ["0f7b5c1e-0000-4000-8000-0123456789ab", "uid-1", ""] {
            for version in ["0", "72057594037927935", "72057594037927936", "01", ""] {
                let identity = Identity::new(uid.into(), version.into());
                assert_eq!(identity.uid(), uid.into());
                assert_eq!(identity.resource_version(), version.into());
            }
        }
    }

    #[test]
    fn uids_are_ordered_by_their_texts() {
        let mut texts = [
            "0f7b5c1e-0000-4000-8000-0123456789ab",
            "0f7b5c1e-0000-4000-8000-0123456789ac",
            "0f7b5c1e",
            "0f7b5c1e-0000-4000-8000-0123456789ab0",
            "f0000000-0000-4000-8000-000000000000",
            "uid",
            "",
        ];
        let mut uids: Vec<Uid> = texts.iter().map(|text| Uid::from(*text)).collect();
        texts.sort_unstable();
        uids.sort_unstable();
        assert_eq!(uids.iter().map(Uid::to_string).collect::<Vec<_>>(), texts);
    }

    #[test]
    fn stamps_are_times() {
        let mut last = None;
        for seconds in [-377705023201, -1, 0, 1, 1_700_000_000, 253402207200] {
            let stamp = Stamp::from_second(seconds).unwrap();
            assert_eq!(stamp.timestamp().as_second(), seconds);
            assert!(last < Some(stamp));
            last = Some(stamp);
        }
        assert_eq!(Stamp::from_second(i64::MIN), None);
        assert_eq!(Stamp::from_second(i64::MAX), None);
    }

    #[test]
    fn the_common_forms_are_small() {
        assert_eq!(size_of::<Uid>(), 24);
        assert_eq!(size_of::<Version>(), 16);
        assert_eq!(size_of::<Identity>(), 24);
        assert_eq!(size_of::<Option<Stamp>>(), 5);
    }
}
