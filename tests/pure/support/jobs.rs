//! Jobs, snapshots and policies to test with: built by hand, or drawn so that the interesting cases come often.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kubectl_jobclean::{
    gitops::Mode,
    job::{
        Common, Controller, Deletion, Job, Own, Protection, State, generated_after,
        grouping::Grouping, label::LabelKey, mark::Marks,
    },
    plan::{
        Plan, Snapshot, Source,
        group::MixedGroups,
        report::{Change, Outcome},
        retention::{KeepReason, KeepReasons, Policy},
        rules::{Retention, Treatment},
    },
};
use proptest::{collection::vec, prelude::*, sample::select};

/// The first cleanup label of every snapshot here.
pub const LABEL: &str = "example.com/group";
/// The second, where there are two.
pub const SECOND_LABEL: &str = "example.com/step";

/// This many minutes after the time from which the tests count.
pub fn minute(minutes: i64) -> Timestamp {
    let start = Timestamp::from_second(1_700_000_000).expect("a time within the calendar");
    start + SignedDuration::from_mins(minutes)
}

/// A cleanup label.
pub fn label(key: &str) -> LabelKey {
    key.parse().expect("a good label key")
}

/// A Job that completed, without an owner or a mark to keep it, and whose uid is made from its name.
pub fn job(namespace: &str, values: &[&str], name: &str, created: Timestamp) -> Job {
    Job::new(
        Arc::new(Common::new(
            namespace.into(),
            values.iter().map(|value| Arc::from(*value)).collect(),
            State::Complete,
        )),
        Own {
            name: name.into(),
            uid: format!("uid-{name}").into(),
            resource_version: "7".into(),
            created: created.into(),
            started: Some(created.into()),
            finished: Some((created + SignedDuration::from_secs(42)).into()),
            size: None,
        },
    )
}

/// A Job with some of it changed.
pub fn with(job: Job, change: impl FnOnce(&mut Common, &mut Own)) -> Job {
    let (mut common, mut own) = job.parts();
    change(&mut common, &mut own);
    Job::new(Arc::new(common), own)
}

/// Change some of a Job.
pub fn edit(job: &mut Job, change: impl FnOnce(&mut Common, &mut Own)) {
    *job = with(job.clone(), change);
}

/// That a Job is in a release of Helm.
pub fn released() -> Option<Arc<Marks>> {
    Some(Arc::new(Marks {
        release: Some("shop".into()),
        ..Marks::default()
    }))
}

/// That a Job has been on its way out since the beginning of 2026.
pub fn terminating() -> Option<Deletion> {
    let since: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    Some(Deletion {
        since: since.into(),
        finalizers: vec!["foregroundDeletion".into()],
    })
}

/// The owner of a CronJob's Jobs.
pub fn cron_job(name: &str) -> Option<Controller> {
    Some(Controller {
        kind: "CronJob".into(),
        name: name.into(),
    })
}

/// These Jobs, read from a cluster.
pub fn snapshot(labels: &[&str], taken_at: Timestamp, jobs: Vec<Job>) -> Snapshot {
    Snapshot {
        source: Source::Cluster {
            context: "prod".to_owned(),
            server: "https://10.0.0.1:6443".to_owned(),
        },
        grouping: Grouping::labels(labels.iter().map(|key| label(key)).collect()),
        ungrouped: 0,
        resource_version: "4711".to_owned(),
        taken_at,
        jobs,
    }
}

/// The policy that is the original cleaner's rule, together with `keep` 1.
pub fn everything_included() -> Policy {
    Policy {
        defaults: Retention::LEAST,
        mixed_groups: Some(MixedGroups::Merge),
        gitops: Mode::Ignore,
        ..Policy::default()
    }
}

const FAMILIES: [&str; 3] = ["app", "db-migrate", "2024-01-31"];
const ENDINGS: [&str; 7] = ["", "-1a2b3c", "-x7k2p", "-v2", "-12345", "-tests", "-mssql"];

/// Says that the server completed the name after its last `-`, if it may have.
fn completed(job: &mut Job) {
    edit(job, |common, own| {
        let base = own.name.rfind('-').map(|at| &own.name[..=at]);
        common.generated_after = base.and_then(|base| generated_after(&own.name, base));
    });
}

fn any_job() -> impl Strategy<Value = Job> {
    let place = (
        select(vec!["a", "b"]),
        select(vec!["", "x", "y"]),
        select(vec!["", "z"]),
        select(&FAMILIES[..]),
        select(&ENDINGS[..]),
    );
    let state = prop_oneof![
        4 => Just(State::Complete),
        3 => Just(State::Failed),
        1 => Just(State::Suspended),
        1 => Just(State::FailureTarget),
        1 => Just(State::SuccessCriteriaMet),
        1 => Just(State::Running),
    ];
    let deletion = prop_oneof![4 => Just(None), 1 => Just(terminating())];
    let protection = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Protection::KeepMark)),
        1 => Just(Some(Protection::ArgoSyncOptions)),
    ];
    let controller = prop_oneof![6 => Just(None), 1 => Just(cron_job("nightly"))];
    let marks = prop_oneof![6 => Just(None), 1 => Just(released())];
    // Few minutes, so that ties are common; the last two are in the future of every snapshot.
    let parts = (place, 0_i64..9, state, deletion, protection, controller);
    (parts, marks, any::<bool>()).prop_map(
        |(
            ((namespace, one, two, family, ending), at, state, deletion, protection, controller),
            marks,
            is_completed,
        )| {
            let mut job = with(
                job(
                    namespace,
                    &[one, two],
                    &format!("{family}{ending}"),
                    minute(at),
                ),
                |common, _| {
                    common.state = state;
                    common.deletion = deletion;
                    common.protection = protection;
                    common.controller = controller;
                    common.marks = marks;
                },
            );
            if is_completed {
                completed(&mut job);
            }
            job
        },
    )
}

/// When every drawn snapshot was taken.
pub fn taken_at() -> Timestamp {
    minute(6)
}

/// A snapshot of up to two dozen Jobs in few groups, by one label or two, of one family a group or of several.
///
/// No two have the same uid. Names may repeat, so that the uid has to settle ties.
pub fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let one_family = any::<bool>();
    let labels = select(vec![vec![LABEL], vec![LABEL, SECOND_LABEL]]);
    (vec(any_job(), 0..24), one_family, labels)
        .prop_flat_map(|(jobs, one_family, labels)| {
            let numbers: Vec<usize> = (0..jobs.len()).collect();
            (
                Just(jobs),
                Just(one_family),
                Just(labels),
                Just(numbers).prop_shuffle(),
            )
        })
        .prop_map(|(mut jobs, one_family, labels, numbers)| {
            for (job, number) in jobs.iter_mut().zip(numbers) {
                edit(job, |common, own| {
                    own.uid = format!("{number:02}").into();
                    common.group_values = common.group_values[..labels.len()].into();
                    if one_family {
                        let family = FAMILIES
                            .iter()
                            .find(|family| own.name.starts_with(**family));
                        let name = own.name.replacen(family.expect("a family"), "app", 1);
                        own.name = name.into();
                    }
                });
                if one_family && job.generate_name().is_some() {
                    completed(job);
                }
            }
            snapshot(&labels, taken_at(), jobs)
        })
}

/// A snapshot whose Jobs are neither terminating nor protected, by one label: all that the original cleaner knew.
pub fn any_original_snapshot() -> impl Strategy<Value = Snapshot> {
    any_snapshot().prop_map(|mut snapshot| {
        snapshot.grouping = Grouping::labels(vec![label(LABEL)]);
        for job in &mut snapshot.jobs {
            edit(job, |common, _| {
                common.deletion = None;
                common.protection = None;
                common.group_values = common.group_values[..1].into();
            });
        }
        snapshot
    })
}

/// Any policy, its numbers small enough to matter in small groups.
pub fn any_policy() -> impl Strategy<Value = Policy> {
    let treatment = || select(vec![Treatment::Keep, Treatment::Judge]);
    let within = prop_oneof![
        4 => Just(None),
        4 => (0_u64..5).prop_map(|minutes| Some(Duration::from_secs(60 * minutes))),
        1 => Just(Some(Duration::MAX)),
    ];
    let mixed = select(vec![
        MixedGroups::Hold,
        MixedGroups::Split,
        MixedGroups::Merge,
    ]);
    let numbers = (1_usize..4, 0_usize..3, 0_usize..3);
    let times = (within.clone(), within.clone(), within);
    let gitops = select(vec![Mode::Auto, Mode::Require, Mode::Ignore]);
    let classes = (treatment(), treatment());
    (numbers, times, classes, mixed, gitops).prop_map(
        |((keep, keep_succeeded, keep_failed), times, (active, owned), mixed, gitops)| Policy {
            defaults: Retention {
                keep: NonZeroUsize::new(keep).expect("not zero"),
                keep_succeeded,
                keep_failed,
                keep_within: times.0,
                keep_superseded_within: times.1,
                keep_finished_within: times.2,
                active,
                owned,
            },
            mixed_groups: Some(mixed),
            family: None,
            gitops,
            rules: None,
            asks_namespaces: false,
        },
    )
}

/// Any plan at all.
pub fn any_plan() -> impl Strategy<Value = Plan> {
    (any_snapshot(), any_policy()).prop_map(|(snapshot, policy)| Plan::new(snapshot, &policy))
}

fn any_change() -> impl Strategy<Value = Change> {
    let now_kept = KeepReasons::new([KeepReason::Newest, KeepReason::Active]);
    select(vec![
        Change::Replaced,
        Change::Relabelled,
        Change::NowKept(now_kept.expect("two reasons")),
        Change::KeeperGone,
        Change::Restless,
    ])
}

/// Any outcome, with what a server might say.
pub fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Deleted),
        Just(Outcome::Terminating),
        Just(Outcome::WouldDelete),
        Just(Outcome::Gone),
        any_change().prop_map(Outcome::Changed),
        hostile_text().prop_map(Outcome::Failed),
        Just(Outcome::NotAttempted),
        Just(Outcome::Recreated(None)),
        hostile_text().prop_map(|maker| Outcome::Recreated(Some(maker))),
    ]
}

/// Characters that a terminal, JSON, YAML or a table might stumble over.
const HOSTILE: [char; 30] = [
    '\0', '\u{7}', '\u{8}', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}', '\u{61c}',
    '\u{200b}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2028}', '\u{2029}', '\u{2066}',
    '\u{2069}', '\u{feff}', '"', '\'', '\\', ':', '#', '-', ' ', '💥', '日',
];

/// Text that looks like the escapes of JSON and YAML, or like what might stand for one on its way out.
const LOOKS_ESCAPED: [&str; 6] = [
    "\\uFFFF",
    "\\u202e",
    "\\\\",
    "\u{ffff}",
    "\u{ffff}202e",
    "---\n",
];

/// Text with unusual characters, sometimes empty.
pub fn hostile_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => select(&HOSTILE[..]).prop_map(String::from),
        6 => proptest::char::range('a', 'z').prop_map(String::from),
        2 => any::<char>().prop_map(String::from),
        1 => select(&LOOKS_ESCAPED[..]).prop_map(str::to_owned),
        // Long enough to be folded.
        1 => "[a-z ]{80,100}",
    ];
    vec(part, 0..12).prop_map(|parts| parts.concat())
}
