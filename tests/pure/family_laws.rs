//! What holds for the family of every name, and for the families of every group.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use kubectl_jobclean::{
    job::{
        Job,
        family::{SIBLINGS_WITHIN, families, of_name},
        generated_after,
        ids::Uid,
    },
    plan::{Plan, Snapshot, group::MixedGroups, retention::Policy},
};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};

use crate::{
    family_schemes::{Random, several_stems},
    support::jobs::{LABEL, any_policy, any_snapshot, edit, job, minute, snapshot, with},
};

/// Segments that no rule calls generated, however close they come.
const WORDS: [&str; 12] = [
    "mssql", "https", "http2", "db", "migrate", "user", "step1", "dead1", "tests", "v", "1a2b",
    "ist1",
];

const HEX: &[char] = &['a', 'b', 'c', 'd', 'e', 'f'];

/// An ending of each sort that the contract names.
fn generated() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,12}",
        ("[0-9a-f]{0,12}", "[0-9]", "[0-9a-f]{0,12}")
            .prop_map(|(head, digit, tail)| format!("{head}{digit}{tail}"))
            .prop_filter("six or more", |hex| hex.len() >= 6),
        "[bcdfghjklmnpqrstvwxz2456789]{5}".prop_filter("a digit, and not a known word", |drawn| {
            let word = drawn.trim_end_matches(|c: char| c.is_ascii_digit());
            let known = ["grpc", "html", "http", "psql", "rs", "ps", "hs"];
            word.len() < 5 && !known.contains(&word) && drawn.contains(|c: char| c.is_ascii_digit())
        }),
        "[vr][0-9]{1,4}",
        "[vr]?[0-9]{1,3}(\\.[0-9]{1,3}){1,3}",
        "20[0-9]{2}[01][0-9][0-3][0-9](t[0-9]{4}([0-9]{2})?z?)?",
        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        "v?[0-9]{1,2}\\.[0-9]\\.[0-9]-(alpha|beta|rc)\\.[0-9]",
        "v?[0-9]{1,2}\\.[0-9]\\.[0-9]-[0-9]{1,3}-g[0-9a-f]{7}",
        "sha256-[a-f][0-9a-f]{11}",
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
        (stem(), hook()).prop_map(|(stem, hook)| format!("{stem}-{hook}")),
        vec(generated(), 1..4).prop_map(|endings| endings.join("-")),
    ]
}

/// What Argo CD puts behind the prefix of a hook, as far as the time.
fn hook() -> impl Strategy<Value = String> {
    let revision = prop_oneof!["[0-9a-f]{7}", "[0-9]\\.[0-9]\\.[0-9]"];
    (revision, phase(), "--?1[67][0-9]{8}")
        .prop_map(|(revision, phase, time)| format!("{revision}-{phase}{time}"))
}

fn phase() -> impl Strategy<Value = &'static str> {
    const PHASES: [&str; 6] = [
        "presync",
        "sync",
        "postsync",
        "syncfail",
        "predelete",
        "postdelete",
    ];
    select(&PHASES[..])
}

fn join(stem: &str, endings: &[String]) -> String {
    endings
        .iter()
        .fold(stem.to_owned(), |name, ending| format!("{name}-{ending}"))
}

fn cases() -> Config {
    Config {
        cases: 1024,
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_family_is_the_beginning_of_the_name(name in name()) {
        let family = of_name(&name);
        prop_assert!(!family.is_empty());
        // That of a hook says its phase as well.
        let beginning = family.split(' ').next().expect("a beginning");
        prop_assert!(name.starts_with(beginning));
        let rest = &name[beginning.len()..];
        prop_assert!(rest.is_empty() || rest.starts_with(['-', '.']), "{family:?} and {rest:?}");
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
    fn a_hook_has_the_family_of_its_prefix_and_phase(
        stem in stem(),
        (revision, phase, time) in (
            prop_oneof!["[0-9a-f]{7}", "[0-9]\\.[0-9]\\.[0-9]"], phase(), "--?1[67][0-9]{8}",
        ),
    ) {
        let name = format!("{stem}-{revision}-{phase}{time}");
        prop_assert_eq!(of_name(&name), format!("{stem} {phase}"));
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

/// A group as charts and tools fill it, or one whose names differ in what is hard to tell.
fn group() -> impl Strategy<Value = Vec<Job>> {
    prop_oneof![
        any::<u64>().prop_map(|seed| several_stems(&mut Random::new(seed)).0),
        vec((any_hard_name(), 0_i64..400, any::<bool>()), 1..12).prop_map(|drawn| {
            let mut seen = BTreeSet::new();
            drawn
                .into_iter()
                .filter(|(name, ..)| seen.insert(name.clone()))
                .map(|(name, seconds, late)| {
                    let days = if late { 40 } else { 0 };
                    let at = minute(days * 24 * 60) + SignedDuration::from_secs(seconds);
                    job("a", &["x"], &name, at)
                })
                .collect()
        }),
    ]
}

/// Few stems and forms, so that names are each other's neighbours and siblings.
fn any_hard_name() -> impl Strategy<Value = String> {
    let ending = prop_oneof![
        3 => "[0-9]{1,2}",
        3 => "[a-f]{6}",
        3 => "[0-9a-f]{6}",
        2 => "[a-z]{2}[0-9][a-z]{2}[0-9]",
        2 => "[a-z][0-9][a-z][0-9][a-z][0-9]",
        1 => "[bcdfgh]{2,5}[2456]{0,3}",
        1 => "v[0-9]",
        1 => "[0-9]\\.[0-9]",
        1 => hook(),
    ];
    let separator = prop_oneof![9 => Just("-"), 1 => Just(".")];
    (
        select(vec!["load", "load-web"]),
        vec((separator, ending), 0..4),
    )
        .prop_map(|(stem, endings)| {
            let endings: Vec<String> = endings
                .into_iter()
                .map(|(separator, ending)| format!("{separator}{ending}"))
                .collect();
            stem.to_owned() + &endings.concat()
        })
}

/// The families, in the order of the Jobs.
fn family_names(jobs: &[Job]) -> Vec<String> {
    let found = families(jobs, None).into_iter();
    found.map(|family| family.name.into_owned()).collect()
}

/// Which Jobs are together, whatever their families are called: for each, the place of the first that is with it.
fn parts(jobs: &[Job]) -> Vec<usize> {
    let mut first = BTreeMap::new();
    let found = family_names(jobs).into_iter().enumerate();
    found
        .map(|(place, family)| *first.entry(family).or_insert(place))
        .collect()
}

/// Whether neighbours may settle what this name ends with: a part of it could be hex, or have been drawn.
fn is_in_doubt(name: &str) -> bool {
    name.split(['-', '.']).any(|part| {
        let has_letters = part.contains(|c: char| c.is_ascii_lowercase());
        let has_digits = part.contains(|c: char| c.is_ascii_digit());
        let could_be_hex = part.len() >= 6 && part.trim_start_matches(HEX).is_empty();
        could_be_hex || part.len() >= 5 && has_letters && has_digits
    })
}

/// What the plan of a snapshot would purge, if mixed groups are treated like this.
fn purges(snapshot: &Snapshot, policy: &Policy, mixed: MixedGroups) -> BTreeSet<Uid> {
    let policy = Policy {
        mixed_groups: Some(mixed),
        ..policy.clone()
    };
    let plan = Plan::new(snapshot.clone(), &policy);
    plan.purges().map(|job| job.uid()).collect()
}

/// The more it splits, the less a plan purges.
fn a_split_never_purges_more(snapshot: &Snapshot, policy: &Policy) -> Result<(), TestCaseError> {
    let [hold, split, merge] = [MixedGroups::Hold, MixedGroups::Split, MixedGroups::Merge]
        .map(|mixed| purges(snapshot, policy, mixed));
    prop_assert!(hold.is_subset(&split), "{hold:?} of {split:?}");
    prop_assert!(split.is_subset(&merge), "{split:?} of {merge:?}");
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 512, ..cases() })]

    #[test]
    fn the_order_of_jobs_does_not_matter((jobs, shuffled) in group().prop_flat_map(|jobs| {
        (Just(jobs.clone()), Just(jobs).prop_shuffle())
    })) {
        let by_name = |jobs: &[Job]| -> BTreeMap<String, String> {
            jobs.iter().map(|job| job.name().to_string()).zip(family_names(jobs)).collect()
        };
        prop_assert_eq!(by_name(&jobs), by_name(&shuffled));
    }

    /// Nothing but proof that a doubtful ending was generated brings Jobs together; a sibling may part them.
    #[test]
    fn a_job_more_merges_nothing(mut jobs in group(), at in any::<prop::sample::Index>()) {
        jobs.retain(|job| !is_in_doubt(job.name()));
        if jobs.is_empty() {
            return Ok(());
        }
        // The added one is the last.
        let at = at.index(jobs.len());
        let added = jobs.remove(at);
        let before = parts(&jobs);
        jobs.push(added);
        let after = parts(&jobs);
        for one in 0..before.len() {
            for other in 0..one {
                prop_assert!(
                    before[one] == before[other] || after[one] != after[other],
                    "{} and {}, since there is {}",
                    jobs[one].name(), jobs[other].name(), jobs[before.len()].name()
                );
            }
        }
    }

    /// The same for every name, where what comes new has no ending that could prove something.
    #[test]
    fn a_job_without_an_ending_merges_nothing(mut jobs in group(), at in any::<prop::sample::Index>()) {
        let before = parts(&jobs);
        let beside = jobs.get(at.index(jobs.len().max(1))).map_or(minute(0), |job| job.created().timestamp());
        jobs.push(job("a", &["x"], "load-tests", beside));
        prop_assert_eq!(&before[..], &parts(&jobs)[..before.len()]);
    }

    #[test]
    fn a_word_before_all_names_changes_nothing(mut jobs in group(), word in select(vec!["p-", "my-app-", "x1-"])) {
        // What is nothing but generated is left as it is; with a word before it there is something to leave.
        jobs.retain(|job| {
            let first = job.name().split(['-', '.']).next().expect("a part");
            !first.contains(|c: char| c.is_ascii_digit()) && !first.trim_start_matches(HEX).is_empty()
        });
        let before = parts(&jobs);
        for job in &mut jobs {
            let base = job.generate_name().map(|base| format!("{word}{base}"));
            edit(job, |common, own| {
                own.name = format!("{word}{}", own.name).into();
                common.generated_after = base.and_then(|base| generated_after(&own.name, &base));
            });
        }
        prop_assert_eq!(before, parts(&jobs));
    }

    #[test]
    fn a_split_group_never_purges_more(snapshot in any_snapshot(), policy in any_policy()) {
        a_split_never_purges_more(&snapshot, &policy)?;
    }

    #[test]
    fn a_split_group_never_purges_more_of_what_tools_name(
        jobs in group(), policy in any_policy(), taken_at in 0_i64..1_000_000,
    ) {
        a_split_never_purges_more(&snapshot(&[LABEL], minute(taken_at), jobs), &policy)?;
    }

    /// A number counts Jobs beside each other if they were created together, else those after each other.
    #[test]
    fn siblings_are_not_versions(
        stem in stem(),
        numbers in prop::collection::btree_set(0_u32..10_000, 2..6),
        // After the one before it.
        gaps in vec(0_i64..=60, 6),
        after in "(-1a2b3c|-x7k2p|-20260131|-v1\\.2\\.3|-[a-f][0-9]{3}[0-9a-f]{4})?",
        seconds_apart in 61_i64..40_000_000,
    ) {
        let numbered = |apart: &dyn Fn(usize) -> i64| -> Vec<String> {
            let mut at = minute(0);
            let jobs: Vec<Job> = numbers.iter().enumerate().map(|(place, number)| {
                at += SignedDuration::from_secs(apart(place));
                job("a", &["x"], &format!("{stem}-{number}{after}"), at)
            }).collect();
            family_names(&jobs)
        };
        let together = numbered(&|place| gaps[place]);
        let different: BTreeSet<&String> = together.iter().collect();
        prop_assert_eq!(different.len(), numbers.len(), "{:?}", together);
        let apart = numbered(&|_| seconds_apart);
        prop_assert!(apart.iter().all(|family| **family == *stem), "{:?}", apart);
    }
}

/// Within the time and with as many digits as are meant, and not beyond.
#[test]
fn siblings_have_a_limit() {
    let second = |seconds| minute(0) + SignedDuration::from_secs(seconds);
    let within = SIBLINGS_WITHIN.as_secs();
    assert_eq!(within, 60);
    for (one, other, seconds, families) in [
        ("load-0", "load-1", 0, ["load-0", "load-1"]),
        ("load-0", "load-1", within, ["load-0", "load-1"]),
        ("load-0", "load-1", within + 1, ["load", "load"]),
        ("load-9998", "load-9999", 0, ["load-9998", "load-9999"]),
        ("load-10000", "load-10001", 0, ["load", "load"]),
        // One of them counts builds.
        ("load-9999", "load-10000", 0, ["load", "load"]),
    ] {
        let jobs = [
            job("a", &["x"], one, second(0)),
            job("a", &["x"], other, second(seconds)),
        ];
        assert_eq!(family_names(&jobs), families, "{one} and {other}");
    }
}

/// What is released in numbered parts is known by those that were released together.
#[test]
fn the_number_of_siblings_belongs_to_their_family() {
    let month = 30 * 24 * 60;
    let names = [
        ("load-0-1a2b3c", 0),
        ("load-1-1a2b3c", 0),
        ("load-0-2b3c4d", month),
        ("load-1-3c4d5e", 2 * month),
    ];
    let jobs = names.map(|(name, minutes)| job("a", &["x"], name, minute(minutes)));
    let want = ["load-0", "load-1", "load-0", "load-1"];
    assert_eq!(family_names(&jobs), want);
    // What follows the number need not be known.
    let names = [
        ("load-0-abcde", 0),
        ("load-1-vwxyz", 0),
        ("load-0-1a2b3c", month),
        ("load-1-3c4d5e", 2 * month),
    ];
    let jobs = names.map(|(name, minutes)| job("a", &["x"], name, minute(minutes)));
    assert_eq!(family_names(&jobs)[2..], ["load-0", "load-1"]);
}

/// Words that come close to what is generated, each beside Jobs of the family that it would fall into.
#[test]
fn words_are_not_taken_for_what_is_generated() {
    for (words, neighbours) in [
        (["sign-rs256", "sign-ps512"], ["", ""]),
        (
            ["sign-ed25519", "sign-p256"],
            ["sign-1a2b3c4", "sign-2b3c4d5"],
        ),
        (["hash-md5-1741007200", "hash-sha1-1741003600"], ["", ""]),
        (["hash-md5-20260131", "hash-sha256-20260131"], ["", ""]),
        (
            ["app-db-sync-1741007200", "app-bee-sync-1741003600"],
            ["", ""],
        ),
        (
            ["eu-west-1-sync-1741007200", "eu-west-2-sync-1741003600"],
            ["", ""],
        ),
        (["load-facade", "load-decade"], ["load-1a2b3c", "load-fade"]),
        (
            ["encode-720p", "encode-1080p"],
            ["encode-x7k2p", "encode-9z2kq"],
        ),
        (
            ["probe-http2", "probe-https"],
            ["probe-x7k2p", "probe-9z2kq"],
        ),
        (["set-utf8mb4", "set-utf8mb3"], ["set-a1b2c3d", "set-x"]),
    ] {
        let jobs: Vec<Job> = (0..)
            .zip(
                words
                    .into_iter()
                    .chain(neighbours)
                    .filter(|name| !name.is_empty()),
            )
            .map(|(month, name)| job("a", &["x"], name, minute(month * 30 * 24 * 60)))
            .collect();
        let found = family_names(&jobs);
        for (one, family) in found.iter().enumerate().take(2) {
            let others = found.iter().enumerate().filter(|(other, _)| *other != one);
            assert!(
                others.clone().all(|(_, other)| other != family),
                "{found:?}"
            );
        }
    }
}

/// Neighbours show what an ending is only where theirs stands in its place.
#[test]
fn neighbours_have_as_many_endings() {
    let names = [
        "load-1a2b3c",
        "load-2b3c4d",
        "load-facade-3c4d5e",
        "load-facade",
        "load-abcdef",
        "load-1a2b3c4",
        "load-abcdefa",
        "load-web-abcdef",
    ];
    let jobs: Vec<Job> = (0..)
        .zip(names)
        .map(|(month, name)| job("a", &["x"], name, minute(month * 30 * 24 * 60)))
        .collect();
    let want = [
        "load",
        "load",
        "load-facade",
        // It is a word, but two Jobs say otherwise.
        "load",
        "load",
        "load",
        // Of seven there is only one.
        "load-abcdefa",
        "load-web-abcdef",
    ];
    assert_eq!(family_names(&jobs), want);
}

/// Only the last separator goes: more of them are part of the family.
#[test]
fn one_separator_is_taken_off_a_generate_name() {
    let job = |name: &str, base: &str| {
        with(job("a", &["x"], name, minute(0)), |common, _| {
            common.generated_after = generated_after(name, base);
        })
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
