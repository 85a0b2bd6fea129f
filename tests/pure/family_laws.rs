//! What holds for the family of every name.

use kubectl_jobclean::job::{
    Job,
    family::{families, of_name},
    generated_after,
};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};

use crate::support::jobs::{job, minute};

/// Segments that no rule calls generated, however close they come.
const WORDS: [&str; 11] = [
    "mssql", "https", "db", "migrate", "user", "facade", "dead1", "tests", "v", "1a2b", "ist1",
];

/// An ending of each sort that the contract names.
fn generated() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,12}",
        ("[0-9a-f]{0,12}", "[0-9]", "[0-9a-f]{0,12}")
            .prop_map(|(head, digit, tail)| format!("{head}{digit}{tail}"))
            .prop_filter("six or more", |hex| hex.len() >= 6),
        "[bcdfghjklmnpqrstvwxz2456789]{5}".prop_filter("a digit", |drawn| drawn
            .contains(|c: char| c.is_ascii_digit())),
        "[vr][0-9]{1,4}",
        "[vr]?[0-9]{1,3}(\\.[0-9]{1,3}){1,3}",
    ]
}

fn stem() -> impl Strategy<Value = String> {
    vec(select(&WORDS[..]), 1..4).prop_map(|words| words.join("-"))
}

/// Names as DNS allows them, many of them with endings.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?",
        (stem(), vec(generated(), 0..4)).prop_map(|(stem, endings)| join(&stem, &endings)),
        vec(generated(), 1..4).prop_map(|endings| endings.join("-")),
    ]
}

fn join(stem: &str, endings: &[String]) -> String {
    endings
        .iter()
        .fold(stem.to_owned(), |name, ending| format!("{name}-{ending}"))
}

proptest! {
    #![proptest_config(Config { cases: 1024, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_family_is_the_beginning_of_the_name(name in name()) {
        let family = of_name(&name);
        prop_assert!(!family.is_empty());
        prop_assert!(name.starts_with(&*family));
        let rest = &name[family.len()..];
        prop_assert!(rest.is_empty() || rest.starts_with('-'), "{family:?} and {rest:?}");
    }

    #[test]
    fn a_family_is_its_own_family(name in name()) {
        let family = of_name(&name);
        prop_assert_eq!(of_name(&family), &*family);
    }

    #[test]
    fn generated_endings_leave_the_family(stem in stem(), endings in vec(generated(), 0..4)) {
        let name = join(&stem, &endings);
        prop_assert_eq!(of_name(&name), stem);
    }

    #[test]
    fn a_name_of_nothing_but_generated_segments_is_its_own_family(endings in vec(generated(), 1..4)) {
        let name = endings.join("-");
        prop_assert_eq!(of_name(&name), name.as_str());
    }

    #[test]
    fn any_text_has_a_family(name in "-{0,2}[-.0-9a-zü]{0,5}") {
        prop_assert!(name.starts_with(&*of_name(&name)));
        prop_assert_eq!(of_name(&name).is_empty(), name.is_empty());
    }
}

/// Only the last separator goes: more of them are part of the family.
#[test]
fn one_separator_is_taken_off_a_generate_name() {
    let job = |name: &str, base: &str| Job {
        generated_after: generated_after(name, base),
        ..job("a", &["x"], name, minute(0))
    };
    for (name, base, family) in [
        ("sync-mssql", "sync-", "sync"),
        ("sync.mssql", "sync.", "sync"),
        ("syncmssql", "sync", "sync"),
        ("sync--mssql", "sync--", "sync-"),
        ("sync-1a2b3c-mssql", "sync-1a2b3c-", "sync-1a2b3c"),
        // That would leave nothing.
        ("-mssql", "-", "-mssql"),
    ] {
        let jobs = [job(name, base)];
        assert_eq!(families(&jobs, None)[0].name, family, "{name}");
    }
}
