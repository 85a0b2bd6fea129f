//! Groups that hold Jobs of different families.

use controlplane::{Owner, State};

use crate::support::{Space, plane, until};

#[test]
fn a_mixed_group_is_held_split_or_merged() {
    let space = Space::with(&[
        ("db-migrate-1a2b3c", 1),
        ("create-user-1a2b3c", 2),
        ("db-migrate-0f9e8d", 3),
        ("create-user-77aa00", 4),
    ]);
    let held = space.plan(&[]);
    assert_eq!(
        held,
        [
            "db-migrate-1a2b3c SKIP mixed-group,newest",
            "create-user-1a2b3c SKIP mixed-group",
            "db-migrate-0f9e8d SKIP mixed-group",
            "create-user-77aa00 SKIP mixed-group",
        ]
    );
    assert_eq!(space.plan(&["--mixed-groups=hold"]), held);
    let mut split = space.plan(&["--mixed-groups=split"]);
    split.sort_unstable();
    assert_eq!(
        split,
        [
            "create-user-1a2b3c SKIP newest",
            "create-user-77aa00 PURGE superseded",
            "db-migrate-0f9e8d PURGE superseded",
            "db-migrate-1a2b3c SKIP newest",
        ]
    );
    assert_eq!(
        space.plan(&["--mixed-groups=merge"]),
        [
            "db-migrate-1a2b3c SKIP newest",
            "create-user-1a2b3c PURGE superseded",
            "db-migrate-0f9e8d PURGE superseded",
            "create-user-77aa00 PURGE superseded",
        ]
    );
    let run = space.run(&["--yes"]).exits(0);
    assert!(run.err.contains("warning"), "{}", run.story());
    assert_eq!(space.names().len(), 4);
    space
        .run(&["--yes", "--mixed-groups=split", "--cascade=background"])
        .exits(0);
    space.holds(&["create-user-1a2b3c", "db-migrate-1a2b3c"]);
}

#[test]
fn generated_endings_do_not_make_a_family() {
    let space = Space::with(&[
        ("prefix-3152469713", 1),
        ("prefix-a41f09c2", 2),
        ("prefix-xk2vz", 3),
        ("prefix-v2", 4),
        ("prefix-r12", 5),
        ("prefix-1.2.3", 6),
        ("prefix-v2-29000001-bcdfg", 7),
    ]);
    let plan = space.plan(&[]);
    assert_eq!(plan[0], "prefix-3152469713 SKIP newest");
    assert!(
        plan[1..]
            .iter()
            .all(|line| line.ends_with("PURGE superseded")),
        "{plan:?}"
    );
    assert_eq!(plan.len(), 7);
}

/// Hex without a digit, five letters with a vowel, and words are names; one such Job holds the group.
#[test]
fn words_make_a_family() {
    for word in ["sync-deadbeef", "sync-setup", "sync-version2", "sync"] {
        let space = Space::with(&[(word, 1), ("other-1a2b3c", 2), ("other-2b3c4d", 3)]);
        let plan = space.plan(&[]);
        assert!(
            plan.iter().all(|line| line.contains("mixed-group")),
            "{plan:?}"
        );
    }
    let space = Space::with(&[("sync-deadbeef", 1), ("sync-1a2b3c", 2)]);
    let plan = space.plan(&[]);
    assert!(
        plan.iter().all(|line| line.contains("mixed-group")),
        "{plan:?}"
    );
}

#[test]
fn the_originals_rule_can_be_had_exactly() {
    let space = Space::new();
    let uid = plane().cron_job(&space.name, "nightly").unwrap();
    space.seed(&[
        space.job("g", "one-1a2b3c", 1),
        space.job("g", "two-1a2b3c", 2).state(State::Suspended),
        space
            .job("g", "nightly-29000001", 3)
            .owner(Owner::cron_job("nightly", &uid)),
        space.job("h", "one-2b3c4d", 9),
    ]);
    space
        .run(&[
            "--yes",
            "--keep=1",
            "--include-active",
            "--include-owned",
            "--mixed-groups=merge",
            "--cascade=foreground",
        ])
        .exits(0);
    until("the older ones are gone", || space.names().len() == 2);
    space.holds(&["one-1a2b3c", "one-2b3c4d"]);
}
