//! The family of a Job: what its name says without what a release adds to it.

use std::num::NonZeroU8;

/// The characters that Kubernetes draws from when it completes a `generateName`: no vowels, nothing easily misread.
const GENERATE_NAME_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// How many of them it draws.
const GENERATED: usize = 5;

/// How much of a name is this `generateName`, if the rest is what the server completes one with. A name that was given
/// besides may go on in any way.
///
/// The server cuts a `generateName` off after 58 characters. What is left does not tell Jobs apart whose names differ in
/// what was cut off, so such a name is one like any other.
pub fn generated_after(name: &str, generate_name: &str) -> Option<NonZeroU8> {
    let rest = name.strip_prefix(generate_name)?;
    if !is_drawn(rest.as_bytes()) {
        return None;
    }
    NonZeroU8::new(u8::try_from(generate_name.len()).ok()?)
}

/// A Job's family: its name without the endings that change with every release.
///
/// Trailing segments, separated by `-`, are stripped while they look generated: all digits; lower-case hex of six or more
/// with at least one digit; five characters of Kubernetes' generateName alphabet with at least one digit, since there are
/// words of five consonants; a version such as `v2`, `r12` or `1.2.3`. If that would strip everything, the name itself is
/// the family.
pub fn family(name: &str) -> &str {
    let mut rest = name;
    loop {
        match rest.rsplit_once('-') {
            Some(("", tail)) if is_generated(tail) => return name,
            Some((head, tail)) if is_generated(tail) => rest = head,
            None if is_generated(rest) => return name,
            _ => return rest,
        }
    }
}

fn is_generated(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let is_suffix = is_drawn(bytes) && bytes.iter().any(u8::is_ascii_digit);
    is_version(segment) || is_hex_hash(bytes) || is_suffix
}

/// All digits, or digits separated by dots, either with a leading `v` or `r`.
fn is_version(segment: &str) -> bool {
    let number = segment.strip_prefix(['v', 'r']).unwrap_or(segment);
    number
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn is_hex_hash(bytes: &[u8]) -> bool {
    bytes.len() >= 6
        && bytes
            .iter()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
        && bytes.iter().any(u8::is_ascii_digit)
}

/// Whether Kubernetes may have drawn this to complete a `generateName`.
fn is_drawn(bytes: &[u8]) -> bool {
    bytes.len() == GENERATED && bytes.iter().all(|b| GENERATE_NAME_ALPHABET.contains(b))
}

#[cfg(test)]
mod tests {
    use super::{family, generated_after};

    #[test]
    fn a_name_tells_whether_the_server_completed_it() {
        let length = |name: &str, base: &str| {
            let length = generated_after(name, base)?;
            Some(usize::from(length.get()))
        };
        assert_eq!(length("backup-mssql", "backup-"), Some(7));
        assert_eq!(length("backupmssql", "backup"), Some(6));
        assert_eq!(length("backup-mssql", ""), None);
        assert_eq!(
            length("backup-mysql", "backup-"),
            None,
            "no letter that is drawn"
        );
        assert_eq!(length("backup-mssqlx", "backup-"), None);
        assert_eq!(length("backup-mssql", "restore-"), None);
        assert_eq!(length("mssql", ""), None);
        let long = "a".repeat(70);
        let cut = format!("{}x7k2p", &long[..58]);
        assert_eq!(length(&cut, &long), None, "what was cut off may differ");
    }

    #[test]
    fn generated_endings_are_stripped() {
        for (name, expected) in [
            ("prefix-3152469713", "prefix"),
            ("prefix-a41f09c2", "prefix"),
            ("db-migrate-1a2b3c", "db-migrate"),
            ("create-user-1a2b3c", "create-user"),
            ("sync-x7k2p", "sync"),
            ("app-v2", "app"),
            ("app-r12", "app"),
            ("app-1.2.3", "app"),
            ("app-v1.2.3", "app"),
            ("nightly-2024-01-31", "nightly"),
            ("app-v2-29012345-x7k2p", "app"),
        ] {
            assert_eq!(family(name), expected, "{name}");
        }
    }

    #[test]
    fn words_stay() {
        for name in [
            "db-migrate",
            "app-facade", // hex letters alone are a word
            "app-dead1",  // hex, but five
            "app-tests",  // five characters, with a vowel
            "app-mssql",  // five consonants, and a word
            "app-v",
            "app-1.",
            "app-1..2",
            "a-",
            "plain",
        ] {
            assert_eq!(family(name), name, "{name}");
        }
    }

    #[test]
    fn a_name_that_is_all_generated_is_its_own_family() {
        for name in ["12345", "2024-01-31", "a41f09c2", "v1-3152469713"] {
            assert_eq!(family(name), name);
        }
    }
}
