//! The endings of names that were generated: what each release, run or rollout writes there anew.
//!
//! An ending is taken off only if it is generated beyond doubt. Two things stay in doubt as long as one name is looked
//! at alone, since there are words of that form: letters that could be hex, and letters with digits among them.

use memchr::memrchr;

/// The characters that Kubernetes draws from when it completes a `generateName`: no vowels, nothing easily misread.
const GENERATE_NAME_ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";
/// How many of them it draws.
const DRAWN: usize = 5;
/// Kustomize writes its hashes in these, so that no word comes of it.
const KUSTOMIZE_ALPHABET: &str = "bcdfghkmt2456789";
const KUSTOMIZE_LENGTH: usize = 10;
/// Words of consonants that people put a number behind, so that they look drawn.
const CONSONANT_WORDS: [&str; 15] = [
    "dhcp", "grpc", "hs", "html", "http", "mqtt", "nntp", "ps", "psql", "rs", "sftp", "smtp",
    "snmp", "sntp", "xslt",
];
/// What a version may be before it is final.
const PRE_RELEASES: [&str; 4] = ["alpha", "beta", "rc", "snapshot"];
/// The same, but by itself it may say what a Job is for: `pre` and `post` do.
const NUMBERED_PRE_RELEASES: [&str; 8] = [
    "build", "canary", "dev", "m", "nightly", "post", "pre", "preview",
];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// What stands before the digest of an image, and before a commit in the tag of one.
const DIGESTS: [&str; 2] = ["sha", "sha256"];
/// The phases that Argo CD writes into the name of a hook.
const PHASES: [&str; 6] = [
    "presync",
    "sync",
    "postsync",
    "syncfail",
    "predelete",
    "postdelete",
];
/// How much of a revision stands in the name of a hook.
const REVISION: usize = 7;
/// A number of more digits counts something else than Jobs: seconds, builds.
const PLAIN_NUMBER: usize = 4;
/// A sort of keys, and a word.
const HEX_WORD: &str = "ed25519";
/// Shorter hex is a word too often.
const SHORTEST_HEX: usize = 6;
/// Shorter texts of letters and digits are words too often.
const SHORTEST_RANDOM: usize = 5;

/// What the last part of a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A plain number of at most four digits: it may count releases, or Jobs that stand for different work.
    Number,
    /// Hex with a digit in it, of this length.
    Hex(usize),
    /// Letters and digits, of this length, that no word is made of.
    Random(usize),
    /// Generated in another way.
    Generated,
    /// Hex letters alone, of this length. It may be a word.
    MaybeHex(usize),
    /// Letters and digits of this length. It may be a word.
    MaybeRandom(usize),
}

/// A part at the end of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// Where it begins in the name, its separator included.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    pub(super) kind: Kind,
}

/// Take off what may have been generated, and put it into `endings`, from the left to the right. How much of the name is
/// left. If all of a name may have been generated, nothing is taken off.
pub(super) fn take_off(name: &str, endings: &mut Vec<Ending>) -> usize {
    let first = endings.len();
    let mut rest = name;
    while let Some((start, kind)) = last(rest, &name[rest.len()..]) {
        if start == 0 {
            endings.truncate(first);
            return name.len();
        }
        endings.push(Ending {
            start,
            end: rest.len(),
            kind,
        });
        rest = &name[..start];
    }
    endings[first..].reverse();
    rest.len()
}

/// What a name ends with, and where that begins; `after` is what was taken off already.
fn last(rest: &str, after: &str) -> Option<(usize, Kind)> {
    let tail = Tail::new(rest);
    if let Some(start) = several_parts(&tail, after) {
        return Some((start, Kind::Generated));
    }
    if let Some(kind) = one_part(tail.part) {
        return Some((tail.start, kind));
    }
    // A number behind a dot, as in a version, but after a word.
    let (head, number) = tail.part.rsplit_once('.')?;
    let is_number = is_digits(number) && head.ends_with(|c: char| c.is_ascii_alphanumeric());
    is_number.then(|| (rest.len() - number.len() - 1, number_kind(number)))
}

/// The last part of a name, and where it begins with its separator.
fn last_part(text: &str) -> (usize, &str) {
    match memrchr(b'-', text.as_bytes()) {
        Some(at) => (at, &text[at + 1..]),
        None => (0, text),
    }
}

/// The last two parts of a name, which most rules are about.
struct Tail<'a> {
    /// The whole of it.
    rest: &'a str,
    /// The last part, and where it begins with its separator.
    part: &'a str,
    start: usize,
    /// The part before it, which is empty if there is only one, and where that begins.
    before: &'a str,
    before_start: usize,
}

impl<'a> Tail<'a> {
    fn new(rest: &'a str) -> Tail<'a> {
        let (start, part) = last_part(rest);
        let (before_start, before) = last_part(&rest[..start]);
        Tail {
            rest,
            part,
            start,
            before,
            before_start,
        }
    }
}

fn one_part(part: &str) -> Option<Kind> {
    let kind = if is_digits(part) {
        number_kind(part)
    } else if is_version(part) || is_time(part) || is_of_kustomize(part) {
        Kind::Generated
    } else if is_drawn(part) {
        Kind::Random(part.len())
    } else if part == HEX_WORD {
        return None;
    } else if is_hex(part) {
        if has_digit(part) {
            Kind::Hex(part.len())
        } else {
            Kind::MaybeHex(part.len())
        }
    } else {
        return random_kind(part);
    };
    Some(kind)
}

fn number_kind(number: &str) -> Kind {
    match number.len() {
        ..=PLAIN_NUMBER => Kind::Number,
        SHORTEST_HEX.. => Kind::Hex(number.len()),
        _ => Kind::Generated,
    }
}

/// Lower-case letters with digits among them: how often one follows the other tells words from what was drawn.
fn random_kind(part: &str) -> Option<Kind> {
    if part.len() < SHORTEST_RANDOM || !is_letters_and_digits(part) {
        return None;
    }
    let changes = part
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit());
    match changes.count() {
        4.. => Some(Kind::Random(part.len())),
        2..=3 if part.len() > SHORTEST_RANDOM => Some(Kind::MaybeRandom(part.len())),
        _ => None,
    }
}

/// Where an ending of several parts begins, or of one that only its neighbours in the name explain.
fn several_parts(tail: &Tail<'_>, after: &str) -> Option<usize> {
    uuid(tail.rest)
        .or_else(|| date_and_time(tail.rest))
        .or_else(|| month(tail, after))
        .or_else(|| git_describe(tail))
        .or_else(|| pre_release(tail))
        .or_else(|| digest(tail))
        .or_else(|| after_revision(tail))
}

fn uuid(rest: &str) -> Option<usize> {
    const LENGTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let mut at = rest.len();
    for length in LENGTHS.into_iter().rev() {
        let (start, part) = last_part(&rest[..at]);
        if part.len() != length || !is_hex_digits(part) {
            return None;
        }
        at = start;
    }
    Some(at)
}

/// `2026-01-31t10-15-00z`, with less or more of a time. What is all digits needs no rule of its own.
fn date_and_time(rest: &str) -> Option<usize> {
    let mut at = rest.len();
    for _ in 0..3 {
        let (start, part) = last_part(&rest[..at]);
        at = start;
        let part = if at + 1 + part.len() == rest.len() {
            part.strip_suffix('z').unwrap_or(part)
        } else {
            part
        };
        let Some((day, hour)) = part.split_once('t') else {
            if part.len() == 2 && is_digits(part) {
                continue;
            }
            return None;
        };
        let (month_at, month) = last_part(&rest[..at]);
        let (year_at, year) = last_part(&rest[..month_at]);
        let is_time = day.len() == 2 && is_digits(day) && is_clock(hour);
        return (is_time && month.len() == 2 && is_digits(month) && is_year(year))
            .then_some(year_at);
    }
    None
}

/// A month beside its year, and `2026-w05`.
fn month(tail: &Tail<'_>, after: &str) -> Option<usize> {
    let next = after
        .strip_prefix('-')
        .map(|after| after.split('-').next().unwrap_or_default());
    let week = (tail.part)
        .strip_prefix('w')
        .is_some_and(|week| week.len() == 2 && is_digits(week));
    if next.is_some_and(is_year) && is_month(tail.part) {
        Some(tail.start)
    } else if is_year(tail.before) && (week || is_month(tail.part)) {
        Some(tail.before_start)
    } else {
        None
    }
}

/// `gabcdef0` after the number of commits since a tag, and `-dirty` after it. The number is an ending by itself.
fn git_describe(tail: &Tail<'_>) -> Option<usize> {
    let clean = tail.rest.strip_suffix("-dirty").map(Tail::new);
    let tail = clean.as_ref().unwrap_or(tail);
    let is_commit = (tail.part)
        .strip_prefix('g')
        .is_some_and(|hash| hash.len() >= REVISION && is_hex_digits(hash));
    (is_commit && is_digits(tail.before)).then_some(tail.start)
}

/// What follows a version: `-alpha.1`, `-rc1`.
fn pre_release(tail: &Tail<'_>) -> Option<usize> {
    let (part, version) = (tail.part, tail.before);
    let begins_as_word = part.starts_with(|c: char| c.is_ascii_lowercase());
    let is_after_version = version.contains('.') && is_version(version);
    (begins_as_word && is_after_version && is_pre_release(part)).then_some(tail.start)
}

/// Identifiers as SemVer separates them, if all of them are usual ones.
fn is_pre_release(text: &str) -> bool {
    let is_known = |identifier: &str| {
        let word = identifier.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_numbered = has_digit(text);
        word.is_empty()
            || PRE_RELEASES.contains(&word)
            || is_numbered && (NUMBERED_PRE_RELEASES.contains(&word) || word.len() == 1)
    };
    text.split('.').all(is_known)
}

/// `sha256-` and what comes of it, which is hardly ever a number: that is a time, and the word says what the Job is for.
fn digest(tail: &Tail<'_>) -> Option<usize> {
    let (part, name) = (tail.part, tail.before);
    let is_time = name == "sha256" && is_digits(part);
    (DIGESTS.contains(&name) && is_hex(part) && !is_time).then_some(tail.before_start)
}

/// What follows the number of a release behind a dot, `secrets.1-l3b`. The number is an ending by itself.
fn after_revision(tail: &Tail<'_>) -> Option<usize> {
    let (word, number) = tail.before.rsplit_once('.')?;
    let is_drawn = has_digit(tail.part) && is_letters_and_digits(tail.part);
    (is_drawn && is_digits(number) && !word.is_empty() && !is_version(word)).then_some(tail.start)
}

/// The prefix and the phase of a name that Argo CD gave a hook, `PREFIX-REVISION-PHASE-SECONDS`. The prefix is the
/// `generateName`, if that is known.
pub(super) fn argo_hook<'a>(
    name: &'a str,
    generate_name: Option<&'a str>,
) -> Option<(&'a str, &'a str)> {
    let (rest, seconds) = name.rsplit_once('-')?;
    // Sprig's and Argo CD's clocks count ten digits until 2286.
    if !(9..=11).contains(&seconds.len()) || !is_digits(seconds) {
        return None;
    }
    let (rest, phase) = rest.strip_suffix('-').unwrap_or(rest).rsplit_once('-')?;
    if !PHASES.contains(&phase) {
        return None;
    }
    if let Some(revision) = generate_name.and_then(|generate_name| rest.strip_prefix(generate_name))
    {
        let base = &rest[..rest.len() - revision.len()];
        return (1..=REVISION)
            .contains(&revision.len())
            .then(|| (without_separator(base), phase));
    }
    // What was cut off a version after seven characters may leave its separator.
    let whole = rest.strip_suffix(['-', '.']).unwrap_or(rest);
    let (start, revision) = last_part(whole);
    let (before_at, before) = last_part(&whole[..start]);
    // Fewer characters of a commit, or a number, are a word of the prefix: `app-db-sync-1741007200`.
    let is_dotted = |text: &str| is_version(text) && text.contains('.');
    let is_commit = revision.len() == REVISION && is_hex_digits(revision);
    let prefix_at = if is_dotted(before) && rest.len() - before_at - 1 <= REVISION {
        before_at
    } else if is_commit || revision.len() <= REVISION && is_dotted(revision) {
        start
    } else {
        return None;
    };
    (prefix_at > 0).then(|| (&name[..prefix_at], phase))
}

/// A `generateName` without its last separator.
pub(super) fn without_separator(text: &str) -> &str {
    text.strip_suffix(['-', '.']).unwrap_or(text)
}

/// Whether this is a plain number.
pub(super) fn is_plain_number(text: &str) -> bool {
    is_digits(text) && text.len() <= PLAIN_NUMBER
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Lower-case letters and digits, and nothing else.
fn is_letters_and_digits(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}

fn is_hex_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_hex(part: &str) -> bool {
    part.len() >= SHORTEST_HEX && is_hex_digits(part)
}

/// Digits, or digits separated by dots, either with a leading `v` or `r`; a pre-release may follow without a separator.
fn is_version(part: &str) -> bool {
    let number = part.strip_prefix(['v', 'r']).unwrap_or(part);
    let number = match number.find(|c: char| c.is_ascii_lowercase()) {
        Some(at) if number[..at].contains('.') && is_pre_release(&number[at..]) => &number[..at],
        _ => number,
    };
    number.split('.').all(is_digits)
}

/// A date with a time or a month, in one part: `20260131t101500z`, `31jan2026`, `2026w05`.
fn is_time(part: &str) -> bool {
    let zulu = part.strip_suffix('z');
    let time = zulu.unwrap_or(part);
    let is_stamp = matches!(time.len(), 8 | 12 | 14) && is_digits(time) && zulu.is_some();
    let is_date_and_clock = time.split_once('t').is_some_and(|(date, clock)| {
        matches!(date.len(), 6 | 8) && is_digits(date) && is_clock(clock)
    });
    let is_week = part
        .split_once('w')
        .is_some_and(|(year, week)| is_year(year) && week.len() == 2 && is_digits(week));
    let with_month = || {
        let letters_at = part.find(|c: char| c.is_ascii_lowercase())?;
        let (day, rest) = part.split_at(letters_at);
        let (month, year) = rest.split_at(rest.find(|c: char| c.is_ascii_digit())?);
        Some(
            day.len() <= 2
                && is_digits(day)
                && is_month(month)
                && (is_year(year) || year.len() == 2 && is_digits(year)),
        )
    };
    is_stamp || is_date_and_clock || is_week || with_month().unwrap_or(false)
}

/// A time of day, or the hour of one.
fn is_clock(text: &str) -> bool {
    matches!(text.len(), 2 | 4 | 6) && is_digits(text)
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && is_digits(text) && (text.starts_with("19") || text.starts_with("20"))
}

fn is_month(text: &str) -> bool {
    MONTHS
        .iter()
        .any(|month| *month == text || text.len() == 3 && month.starts_with(text))
}

/// Whether it is one of the known words with a number behind it.
fn is_word_and_number(part: &str) -> bool {
    CONSONANT_WORDS.contains(&part.trim_end_matches(|c: char| c.is_ascii_digit()))
}

/// Whether Kubernetes drew this to complete a `generateName`. There are words of five consonants, so it has a digit.
fn is_drawn(part: &str) -> bool {
    let is_drawn = |lengths: std::ops::RangeInclusive<usize>, digits: usize| {
        lengths.contains(&part.len())
            && part.chars().all(|c| GENERATE_NAME_ALPHABET.contains(c))
            && part.bytes().filter(u8::is_ascii_digit).count() >= digits
    };
    // The hash of a Pod template is longer.
    is_drawn(DRAWN..=DRAWN, 1) && !is_word_and_number(part) || is_drawn(8..=10, 2)
}

fn is_of_kustomize(part: &str) -> bool {
    part.len() == KUSTOMIZE_LENGTH
        && has_digit(part)
        && part.chars().all(|c| KUSTOMIZE_ALPHABET.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left where nothing in doubt is taken off.
    fn stem(name: &str) -> &str {
        let mut endings = Vec::new();
        let stem = take_off(name, &mut endings);
        let doubt =
            |ending: &&Ending| matches!(ending.kind, Kind::MaybeHex(_) | Kind::MaybeRandom(_));
        let last = endings.iter().rev().find(doubt);
        &name[..last.map_or(stem, |ending| ending.end)]
    }

    #[test]
    fn what_is_generated_beyond_doubt_is_taken_off() {
        for (name, expected) in [
            ("prefix-3152469713", "prefix"),
            ("prefix-a41f09c2", "prefix"),
            ("db-migrate-1a2b3c", "db-migrate"),
            ("sync-x7k2p", "sync"),
            ("app-v2", "app"),
            ("app-r12", "app"),
            ("app-1.2.3", "app"),
            ("app-v1.2.3", "app"),
            ("app-1.2.3rc1", "app"),
            ("app-v2-29012345-x7k2p", "app"),
            ("nightly-2024-01-31", "nightly"),
            ("mig-20260131t101500", "mig"),
            ("mig-20260131t101500z", "mig"),
            ("mig-2026-01-31t10-15-00z", "mig"),
            ("mig-2026-01-31t10-15", "mig"),
            ("mig-2026-01-31t101500z", "mig"),
            ("mig-31-jan-2026", "mig"),
            ("mig-31jan2026", "mig"),
            ("mig-2026-january", "mig"),
            ("mig-2026-w05", "mig"),
            ("mig-2026w05", "mig"),
            ("run-3f2504e0-4f89-41d3-9a0c-0305e82c3301", "run"),
            ("seed-a1e3o", "seed"),
            ("seed-q7xk2m9a", "seed"),
            ("mig-1.2.3-alpha.1", "mig"),
            ("mig-1.2.3-beta-2", "mig"),
            ("mig-1.0.0-x.7.z.92", "mig"),
            ("mig-1.2.3-rc1-x7k2p", "mig"),
            ("mig-v2.0.0-4-gabcdef0", "mig"),
            ("mig-v2.0.0-4-gabcdefa-dirty", "mig"),
            ("mig-v1.2.3-0.20200101120000-abcdef123456", "mig"),
            ("mig-sha256-abcdefabcdef", "mig"),
            ("mig-sha-860c190", "mig"),
            ("secrets.1-l3b", "secrets"),
            ("secrets.12", "secrets"),
            ("config-5f9b2k8mtc", "config"),
            ("web-6b7f9d8c4x", "web"),
        ] {
            assert_eq!(stem(name), expected, "{name}");
        }
    }

    #[test]
    fn words_stay() {
        for name in [
            "db-migrate",
            "app-facade",
            "app-dead1",
            "app-tests",
            "backup-mssql",
            "probe-https",
            "probe-http2",
            "sign-rs256",
            "sign-ed25519",
            "run-step1",
            "copy-db2",
            "run-e2e",
            "set-utf8mb4",
            "backup-1h30m",
            "use-v1beta1",
            "may-april",
            "app-alpha",
            "app-1.2.3-cleanup",
            "app-1.2.3-pre",
            "app-1.2-web",
            "app-v",
            "app-1.",
            "app-1..2",
            "a-",
            "plain",
        ] {
            assert_eq!(stem(name), name);
        }
    }

    #[test]
    fn a_name_that_is_all_generated_is_its_own_stem() {
        for name in [
            "12345",
            "2024-01-31",
            "a41f09c2",
            "v1-3152469713",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        ] {
            assert_eq!(stem(name), name);
        }
    }

    #[test]
    fn hooks_that_argo_cd_named_have_a_prefix_and_a_phase() {
        for (name, generate_name, expected) in [
            (
                "db-migrate-0d9e8f7-presync-1741007200",
                None,
                Some(("db-migrate", "presync")),
            ),
            (
                "db-migrate-abcdefa-sync-1741007200",
                None,
                Some(("db-migrate", "sync")),
            ),
            (
                "db-migrate-0d9e8f7-postsync--1741007200",
                None,
                Some(("db-migrate", "postsync")),
            ),
            (
                "db-migrate-1.2.3-syncfail-1741007200",
                None,
                Some(("db-migrate", "syncfail")),
            ),
            (
                "db-migrate-10.2.0--presync-1741007200",
                None,
                Some(("db-migrate", "presync")),
            ),
            (
                "db-migrate-1.2.3-r-presync-1741007200",
                None,
                Some(("db-migrate", "presync")),
            ),
            (
                "db-migrate-main-presync-1741007200",
                Some("db-migrate-"),
                Some(("db-migrate", "presync")),
            ),
            ("db-migrate-main-presync-1741007200", None, None),
            ("app-db-sync-1741007200", None, None),
            ("eu-west-1-sync-1741007200", None, None),
            ("db-migrate-presync-1741007200", None, None),
            ("db-migrate-0d9e8f7-presync-17410", None, None),
            ("db-migrate-0d9e8f7-deploy-1741007200", None, None),
        ] {
            assert_eq!(argo_hook(name, generate_name), expected, "{name}");
        }
    }
}
