//! A saved plan is carried out: that, and nothing else. What changes meanwhile stands in `purge_moments`.

use std::fs;

use controlplane::State;
use serde_json::{Value, json};

use crate::support::account::message;
use crate::support::control_plane::{hours_ago, job_in};
use crate::support::kubeconfig::arg;
use crate::support::saved_plan::Saved;
use crate::support::{
    ApiClient, LABEL, Space, Terminal, audit, everywhere, jobs_of, outcomes, plane,
    printed_document, verdicts,
};

const ALL: [&str; 5] = ["other-1", "other-2", "sync-1", "sync-2", "sync-3"];

#[test]
fn it_asks_unless_it_is_told_not_to() {
    let space = Space::two_groups();
    let saved = Saved::of(&space, &[]);
    saved.run(&[]).exits(2).complains(&["--yes"]);
    let question = format!(
        "Purge 3 Jobs in 2 groups of namespace {} from {} ({})?",
        space.name,
        plane().context(),
        plane().server_url()
    );
    let answer = |line: &str| {
        let mut terminal = Terminal::start(&saved.tool(&[]), 160);
        terminal.wait_for(&question);
        let text = terminal.text();
        for name in ALL {
            assert!(text.contains(name), "{name} is not shown\n{text}");
        }
        terminal.enter(line);
        terminal.finish()
    };
    answer("n").exits(4);
    answer("\u{3}").exits(130);
    space.holds(&ALL);
    assert!(audit::all(&space.name, "delete").is_empty());
    answer("y").exits(0);
    space.holds(&["other-2", "sync-3"]);
}

/// A second run of the same file finds its work done.
#[test]
fn twice_is_as_good_as_once() {
    let space = Space::two_groups();
    let saved = Saved::of(&space, &[]);
    saved.run(&["--yes"]).exits(0);
    let report = saved.run(&["--yes", "-o", "json"]).exits(0).json();
    assert!(outcomes(&report).iter().all(|line| line.ends_with(" gone")));
    space.holds(&["other-2", "sync-3"]);
}

/// The policy comes from the file, all of it.
#[test]
fn the_policy_is_the_plans() {
    let space = Space::two_groups();
    space.seed(&[
        space.job("g", "sync-0", 40).state(State::Failed),
        space.job("g", "sync-a", 50).state(State::Suspended),
        space.job("k", "one-1", 10).state(State::Suspended),
        space.job("k", "one-2", 5).state(State::Suspended),
        space.job("k", "two-1", 3),
    ]);
    let policy = [
        "--keep=2",
        "--keep-succeeded=3",
        "--keep-failed=1",
        "--keep-within=6h",
        "--include-active",
        "--include-owned",
        "--mixed-groups=merge",
    ];
    let planned: Vec<String> = space
        .plan(&policy)
        .into_iter()
        .filter_map(|line| Some(line.split_once(" PURGE ")?.0.to_owned() + " deleted"))
        .collect();
    assert_eq!(planned, ["sync-a deleted", "one-1 deleted"]);
    let saved = Saved::of(&space, &policy);
    let report = saved.run(&["--yes", "-o", "json"]).exits(0).json();
    assert_eq!(outcomes(&report), planned);
}

#[test]
fn a_plan_of_every_namespace_is_carried_out_in_all() {
    let spaces = [Space::new(), Space::new()];
    let key = format!("test.example/{}", spaces[0].name);
    for space in &spaces {
        let job = |name: &str, age| job_in(&space.name, &key, "g", name, age);
        space.seed(&[job("sync-1", 2), job("sync-2", 1)]);
    }
    let saved = Saved::by(everywhere(&key, &[]));
    let report = saved.run(&["--yes", "-o", "json"]).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-1 deleted", "sync-1 deleted"]);
    for space in &spaces {
        space.holds(&["sync-2"]);
    }
}

#[test]
fn a_dry_run_of_it_changes_nothing() {
    let space = Space::two_groups();
    let saved = Saved::of(&space, &[]);
    let admin = ApiClient::admin(plane());
    // Finished, so that the Job controller leaves it as it is.
    space.seed(&[space.job("g", "sync-4", 1)]);
    assert!(admin.delete_job(&space.name, "other-2"));
    let before = space.versions();
    let plan = saved.run(&["--dry-run=client", "-o", "json"]).exits(0);
    // The new one is not part of it, and the one that has gone is not any more.
    assert_eq!(jobs_of(&plan.json()).len(), 4, "{}", plan.story());
    assert!(audit::wait_for(&space.name, "delete", 1).len() == 1);
    let report = saved.run(&["--dry-run", "-o", "json"]).exits(0).json();
    let mut told = outcomes(&report);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "other-1 changed",
            "sync-1 would-delete",
            "sync-2 would-delete"
        ]
    );
    assert_eq!(space.versions(), before);
}

#[test]
fn the_limit_holds_it() {
    let space = Space::two_groups();
    let saved = Saved::of(&space, &[]);
    for limit in ["2", "0", "59%"] {
        let run = saved.run(&["--yes", "--max-purge", limit, "-o", "json"]);
        let plan = run.exits(5).json();
        assert_eq!(plan["kind"], "Plan");
    }
    space.holds(&ALL);
    for limit in ["3", "60%"] {
        saved.run(&["--dry-run", "--max-purge", limit]).exits(0);
    }
    saved.run(&["--yes", "--max-purge=3"]).exits(0);
    space.holds(&["other-2", "sync-3"]);
}

#[test]
fn it_goes_with_a_backup() {
    let space = Space::two_groups();
    let saved = Saved::of(&space, &[]);
    let folder = saved.files.path("backup");
    saved.run(&["--yes", "--backup", arg(&folder)]).exits(0);
    space.holds(&["other-2", "sync-3"]);
    let written = crate::support::written_files::entries(&folder)
        .iter()
        .filter(|path| path.is_file() && fs::read_to_string(path).unwrap().contains("SETTING_0"))
        .count();
    assert_eq!(written, 3);
}

/// Who may list and delete Jobs may do this, too.
#[test]
fn it_takes_no_more_rights_than_a_purge() {
    let space = Space::two_groups();
    let cleaner = space.kubeconfig_for("cleaner", &["list", "delete"]);
    let saved = Saved::by(space.tool_as(&cleaner, &[]));
    crate::support::run(saved.tool_as(&cleaner, &["--yes"])).exits(0);
    space.holds(&["other-2", "sync-3"]);
}

/// A person reads the plan, finds a Job that is to stay, and takes it out of the file.
#[test]
fn a_job_that_was_taken_out_of_the_file_stays() {
    let take_out = |name: &'static str| {
        move |plan: &mut Value| {
            for group in plan["groups"].as_array_mut().unwrap() {
                group["jobs"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|job| job["name"] != name);
            }
        }
    };
    for (name, left, told) in [
        (
            "sync-1",
            &["other-2", "sync-1", "sync-3"][..],
            ["other-1 deleted", "sync-2 deleted"],
        ),
        (
            "sync-2",
            &["other-2", "sync-2", "sync-3"],
            ["other-1 deleted", "sync-1 deleted"],
        ),
    ] {
        let space = Space::two_groups();
        let saved = Saved::of(&space, &[]);
        saved.edit(take_out(name));
        let report = saved.run(&["--yes", "-o", "json"]).exits(0).json();
        let mut outcomes = outcomes(&report);
        outcomes.sort();
        assert_eq!(outcomes, told, "{name}");
        space.holds(left);
    }
    // A whole group, and all Jobs of one.
    for empty in [true, false] {
        let space = Space::two_groups();
        let saved = Saved::of(&space, &[]);
        saved.edit(|plan| {
            let groups = plan["groups"].as_array_mut().unwrap();
            if empty {
                groups[0]["jobs"] = json!([]);
            } else {
                groups.remove(0);
            }
        });
        saved.run(&["--yes"]).exits(0);
        // The first of them is `g`, of `sync-1` to `sync-3`.
        space.holds(&["other-2", "sync-1", "sync-2", "sync-3"]);
    }
    // What is to stay cannot be taken out without what is to go.
    let space = Space::two_groups();
    let saved = Saved::of(&space, &[]);
    saved.edit(take_out("sync-3"));
    saved
        .run(&["--yes"])
        .exits(1)
        .complains(&["does not keep its newest"]);
    space.holds(&ALL);
}

/// What was saved days ago is shown as it is now, before anything is asked about it.
#[test]
fn the_question_is_about_the_plan_as_it_is_now() {
    let space = Space::two_groups();
    let args = [
        "--keep-failed=2",
        "--keep-within=1h",
        "--mixed-groups=merge",
    ];
    let saved = Saved::of(&space, &args);
    saved.edit(|plan| {
        let taken: jiff::Timestamp = plan["takenAt"].as_str().unwrap().parse().unwrap();
        let earlier = taken - jiff::SignedDuration::from_hours(73);
        plan["takenAt"] = earlier.to_string().into();
    });
    let admin = ApiClient::admin(plane());
    let protect = json!({"metadata": {"annotations": {"jobclean/keep": "true"}}});
    admin.patch_job(&space.name, "sync-1", &protect);
    assert!(admin.delete_job(&space.name, "other-1"));
    for args in [&["--dry-run=client"][..], &[]] {
        let mut terminal = Terminal::start(&saved.tool(args), 200);
        if args.is_empty() {
            terminal.wait_for("Purge 1 Job in 1 group of namespace ");
            space.holds(&["other-2", "sync-1", "sync-2", "sync-3"]);
            terminal.enter("n");
        }
        let left = terminal.finish();
        for words in [
            "the plan is 3d1h old",
            "the newest 1 of every group, the newest 2 Failed, what was created within 60m",
            "ignores families; the Jobs go at once, and their Pods later (--cascade=background)",
            "of the 3 Jobs that it purges, 2 stay or are gone by now:",
            "sync-1: it would be kept now: protected",
            "other-1: it is gone, or relabelled",
            "1 PURGE",
        ] {
            assert!(left.text.contains(words), "{words}\n{}", left.text);
        }
        // Their ages are those of now, and not of when the plan was saved.
        let row = left
            .text
            .lines()
            .find(|line| line.contains("SKIP") && line.contains("sync-1"));
        assert!(row.unwrap().contains("protected"), "{}", left.text);
        assert!(!left.text.contains("<invalid>"), "{}", left.text);
    }
    // The report is about all that was saved.
    let report = saved.run(&["--yes", "-o", "json"]).exits(0).json();
    let mut told = outcomes(&report);
    told.sort();
    assert_eq!(told, ["other-1 gone", "sync-1 changed", "sync-2 deleted"]);
}

/// What fell out was not asked about: it stays, even if the rules let it go again while the question stands.
#[test]
fn what_had_fallen_out_before_the_question_does_not_go_after_it() {
    let annotate = |keep: Value| json!({"metadata": {"annotations": {"jobclean/keep": keep}}});
    let label = |group: Value| json!({"metadata": {"labels": {LABEL: group}}});
    for (out, back, why) in [
        (annotate("true".into()), annotate(Value::Null), "protected"),
        (label("elsewhere".into()), label("g".into()), "label"),
    ] {
        let space = Space::two_groups();
        let saved = Saved::of(&space, &[]);
        let admin = ApiClient::admin(plane());
        admin.patch_job(&space.name, "sync-1", &out);
        let mut terminal = Terminal::start(&saved.tool(&["-o", "json"]), 200);
        terminal.wait_for("Purge 2 Jobs in 2 groups of namespace ");
        admin.patch_job(&space.name, "sync-1", &back);
        terminal.enter("y");
        let report = printed_document(&terminal.finish().exits(0));
        let mut told = outcomes(&report);
        told.sort_unstable();
        assert_eq!(
            told,
            ["other-1 deleted", "sync-1 changed", "sync-2 deleted"]
        );
        let message = message(&report, "sync-1");
        assert!(message.contains(why), "{why:?} is not in {message:?}");
        space.holds(&["other-2", "sync-1", "sync-3"]);
    }
}

/// A plan that purges nothing is as old as it is, and its Jobs are shown as they are.
#[test]
fn a_plan_without_purges_is_shown_as_it_is_now() {
    let space = Space::with(&[("sync-1", 2)]);
    let saved = Saved::of(&space, &["--keep=2"]);
    saved.edit(|plan| {
        let taken: jiff::Timestamp = plan["takenAt"].as_str().unwrap().parse().unwrap();
        let earlier = taken - jiff::SignedDuration::from_hours(73);
        plan["takenAt"] = earlier.to_string().into();
    });
    let stuck = space.job("g", "sync-1", 2).finalizer("test.example/hold");
    let uid = ApiClient::admin(plane()).jobs(&space.name)["sync-1"].clone();
    space.seed(&[stuck.uid(uid).deleted(hours_ago(50))]);
    for args in [&["--dry-run=client"][..], &["--yes"]] {
        saved.run(args).exits(0).complains(&[
            "the plan is 3d1h old",
            "1 Job has been terminating for up to 2d2h, held by the finalizer test.example/hold",
        ]);
    }
    let shown = saved.run(&["--dry-run=client", "-o", "json"]).exits(0);
    let shown = shown.json();
    assert_eq!(verdicts(&shown), ["sync-1 SKIP terminating"], "{shown:#}");
    assert!(shown["warnings"].to_string().contains("terminating for"));
    // The list that it rests on now is another than that of the file.
    let version = |plan: &Value| -> u64 {
        let version = plan["resourceVersion"].as_str().unwrap();
        version.parse().unwrap()
    };
    assert!(version(&shown) > version(&saved.document()));
}

/// Groups are chosen from what is left of a plan, and the limit is held against that.
#[test]
fn what_has_fallen_out_is_neither_chosen_nor_counted() {
    let space = Space::two_groups();
    let saved = Saved::of(&space, &[]);
    let admin = ApiClient::admin(plane());
    assert!(admin.delete_job(&space.name, "other-1"));
    let held = saved
        .run(&["--yes", "--max-purge=1", "-o", "json"])
        .exits(5);
    held.complains(&["the plan would purge 2 of 4 Jobs"]);
    let mut terminal = Terminal::start(&saved.tool(&["-i", "--max-purge=2"]), 160);
    terminal.wait_for("1 of 1 group shown");
    terminal.send(" ");
    terminal.wait_for("1 group, 2 Jobs");
    terminal.send("\r");
    terminal.wait_for("Purge 2 Jobs in 1 group of namespace ");
    terminal.enter("y");
    let left = terminal.finish().exits(0);
    assert!(
        left.text.contains("2 Jobs purged in ") && left.text.contains(": 2 deleted"),
        "{}",
        left.text
    );
    space.holds(&["other-2", "sync-3"]);
}
