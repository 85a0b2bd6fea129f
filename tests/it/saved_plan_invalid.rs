//! The tool carries out no part of a saved plan that is invalid, or of a file that is not a saved plan.

use std::fs;

use serde_json::{Value, json};

use crate::support::saved_plan::{Saved, job, space};
use crate::support::{Run, Space, audit};

/// Carries the text out as a plan, which must be refused with one clear error before anything happens.
#[track_caller]
fn is_refused(saved: &Saved, text: &str, what: &str) -> Run {
    fs::write(&saved.path, text).unwrap();
    println!("{what}");
    let run = saved.run(&["--yes"]).exits(1).complains(&["plan.json"]);
    assert_eq!(run.out, "", "{what}\n{}", run.story());
    let errors = run.err.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{what}\n{}", run.story());
    assert!(run.err.lines().count() <= 2, "{what}\n{}", run.story());
    assert!(!run.err.contains("panicked"), "{what}\n{}", run.story());
    run
}

fn finish(space: &Space) {
    assert!(audit::all(&space.name, "delete").is_empty());
    space.holds(&["other-1", "sync-1", "sync-2", "sync-3", "sync-4"]);
}

type Edit = (&'static str, fn(&mut Value));

fn jobs(plan: &mut Value) -> &mut Vec<Value> {
    plan["groups"][0]["jobs"].as_array_mut().unwrap()
}

/// Adds to the counts in the summary.
fn count(plan: &mut Value, jobs: i64, skip: i64, purge: i64) {
    for (field, more) in [("jobs", jobs), ("skip", skip), ("purge", purge)] {
        let now = plan["summary"][field].as_i64().unwrap();
        plan["summary"][field] = (now + more).into();
    }
}

/// Makes the ranks what the order says.
fn rank(plan: &mut Value) {
    for (place, job) in jobs(plan).iter_mut().enumerate() {
        job["rank"] = (place + 1).into();
    }
}

/// Verdicts and what they rest on.
const VERDICTS: &[Edit] = &[
    ("the keeper is flipped", |plan| {
        job(plan, 0)["verdict"] = "PURGE".into();
    }),
    ("the keeper is flipped, counted", |plan| {
        job(plan, 0)["verdict"] = "PURGE".into();
        count(plan, 0, -1, 1);
    }),
    ("the keeper is flipped for the reason, counted", |plan| {
        job(plan, 0)["verdict"] = "PURGE".into();
        job(plan, 0)["reasons"] = json!(["superseded"]);
        count(plan, 0, -1, 1);
    }),
    ("another is kept instead of the newest", |plan| {
        job(plan, 0)["verdict"] = "PURGE".into();
        job(plan, 0)["reasons"] = json!(["superseded"]);
        job(plan, 1)["verdict"] = "SKIP".into();
        job(plan, 1)["reasons"] = json!(["newest"]);
    }),
    ("one is spared without a reason", |plan| {
        job(plan, 2)["verdict"] = "SKIP".into();
        count(plan, 0, 1, -1);
    }),
    ("a reason to keep one that goes", |plan| {
        job(plan, 2)["reasons"] = json!(["newest"]);
    }),
    ("two verdicts' reasons", |plan| {
        job(plan, 2)["reasons"] = json!(["superseded", "protected"]);
    }),
    ("no reason", |plan| job(plan, 2)["reasons"] = json!([])),
    ("an unknown reason", |plan| {
        job(plan, 2)["reasons"] = json!(["disliked"]);
    }),
    ("an unknown verdict", |plan| {
        job(plan, 2)["verdict"] = "DELETE".into();
    }),
    ("the keeper is dropped", |plan| {
        jobs(plan).remove(0);
        rank(plan);
        count(plan, -1, -1, 0);
    }),
    ("the keeper is dropped and its rank left", |plan| {
        jobs(plan).remove(0);
        count(plan, -1, -1, 0);
    }),
    ("the keeper is protected, not the newest", |plan| {
        job(plan, 0)["reasons"] = json!(["protected"]);
    }),
    ("a rank", |plan| job(plan, 2)["rank"] = 2.into()),
    ("the time of a delete that never was", |plan| {
        job(plan, 2)["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    }),
    ("finalizers of a Job that is not being deleted", |plan| {
        job(plan, 2)["finalizers"] = json!(["foregroundDeletion"]);
    }),
];

/// Counts, order and names.
const SHAPES: &[Edit] = &[
    ("one more to purge", |plan| count(plan, 0, 0, 1)),
    ("one less to purge", |plan| count(plan, 0, 0, -1)),
    ("one more Job", |plan| count(plan, 1, 0, 0)),
    ("one more kept", |plan| count(plan, 0, 1, 0)),
    ("a Job twice", |plan| {
        let twice = job(plan, 3).clone();
        jobs(plan).push(twice);
        rank(plan);
        count(plan, 1, 0, 1);
    }),
    ("a name twice", |plan| {
        let mut twice = job(plan, 3).clone();
        twice["uid"] = "00000000-0000-4000-8000-000000000000".into();
        jobs(plan).push(twice);
        rank(plan);
        count(plan, 1, 0, 1);
    }),
    ("a uid twice", |plan| {
        let uid = job(plan, 3)["uid"].clone();
        plan["groups"][1]["jobs"][0]["uid"] = uid;
    }),
    ("Jobs in another order", |plan| jobs(plan).swap(2, 3)),
    ("Jobs in another order, ranked", |plan| {
        jobs(plan).swap(2, 3);
        rank(plan);
    }),
    ("groups in another order", |plan| {
        plan["groups"].as_array_mut().unwrap().reverse();
    }),
    ("a group twice", |plan| {
        let twice = plan["groups"][1].clone();
        plan["groups"].as_array_mut().unwrap().push(twice);
        plan["summary"]["groups"] = 3.into();
        count(plan, 1, 1, 0);
    }),
    ("one group less", |plan| {
        plan["summary"]["groups"] = 1.into()
    }),
    ("the newest made older", |plan| {
        job(plan, 0)["created"] = "2001-01-01T00:00:00Z".into();
    }),
    ("an invalid time", |plan| {
        job(plan, 2)["created"] = "yesterday".into()
    }),
    ("no name", |plan| job(plan, 2)["name"] = "".into()),
    ("a path for a name", |plan| {
        job(plan, 2)["name"] = "../sync-4".into()
    }),
    ("no uid", |plan| job(plan, 2)["uid"] = "".into()),
    ("a uid of null", |plan| job(plan, 2)["uid"] = Value::Null),
    ("no version", |plan| {
        job(plan, 2)["resourceVersion"] = "".into()
    }),
    ("a number for a version", |plan| {
        job(plan, 2)["resourceVersion"] = 7.into()
    }),
    ("a group of another namespace", |plan| {
        plan["groups"][0]["namespace"] = "another".into();
    }),
    ("another label", |plan| {
        plan["labels"] = json!(["test.example/other"])
    }),
    ("no label", |plan| plan["labels"] = json!([])),
    ("a group without the label", |plan| {
        plan["groups"][0]["labels"] = json!({})
    }),
    ("a group of another label", |plan| {
        plan["groups"][0]["labels"] = json!({"test.example/other": "g"});
    }),
];

/// Fields that are not the contract's, and what the plan rests on.
const FIELDS: &[Edit] = &[
    ("another version", |plan| {
        plan["apiVersion"] = "jobclean/v2".into()
    }),
    ("no version", |plan| plan["apiVersion"] = Value::Null),
    ("a report", |plan| plan["kind"] = "Report".into()),
    ("another kind", |plan| plan["kind"] = "plan".into()),
    ("a field more", |plan| plan["note"] = "ok".into()),
    ("a field of a cluster more", |plan| {
        plan["cluster"]["note"] = "ok".into()
    }),
    ("a field of a group more", |plan| {
        plan["groups"][0]["note"] = "ok".into()
    }),
    ("a field of a Job more", |plan| {
        job(plan, 2)["note"] = "ok".into()
    }),
    ("an outcome", |plan| {
        job(plan, 2)["outcome"] = "deleted".into()
    }),
    ("a count more", |plan| plan["summary"]["note"] = 1.into()),
    ("a field of the rest more", |plan| {
        plan["saved"]["note"] = "ok".into()
    }),
    ("a field of the identity more", |plan| {
        plan["saved"]["identity"]["note"] = "ok".into();
    }),
    ("a rule more", |plan| {
        plan["saved"]["policy"]["keepAll"] = true.into()
    }),
    ("a rule less", |plan| {
        let policy = plan["saved"]["policy"].as_object_mut().unwrap();
        policy.remove("includeActive").unwrap();
    }),
    ("keep none", |plan| {
        plan["saved"]["policy"]["keep"] = 0.into()
    }),
    ("keep less than none", |plan| {
        plan["saved"]["policy"]["keep"] = (-1).into()
    }),
    ("an unknown way", |plan| {
        plan["saved"]["policy"]["mixedGroups"] = "none".into()
    }),
    ("a policy that would have split the groups", |plan| {
        plan["saved"]["policy"]["mixedGroups"] = "split".into()
    }),
    ("a family where nothing was split", |plan| {
        plan["groups"][0]["family"] = "sync".into()
    }),
    ("an invalid selector", |plan| {
        plan["saved"]["selector"] = "a=(".into()
    }),
    ("an invalid namespace", |plan| {
        plan["saved"]["namespace"] = "a/b".into()
    }),
    ("another namespace", |plan| {
        plan["saved"]["namespace"] = "default".into()
    }),
    ("nothing saved", |plan| {
        plan.as_object_mut().unwrap().remove("saved").unwrap();
    }),
    ("without what was saved", |plan| plan["saved"] = json!({})),
    ("no identity", |plan| {
        let saved = plan["saved"].as_object_mut().unwrap();
        saved.remove("identity").unwrap();
    }),
    ("no groups", |plan| {
        plan.as_object_mut().unwrap().remove("groups").unwrap();
    }),
    ("no summary", |plan| {
        plan.as_object_mut().unwrap().remove("summary").unwrap();
    }),
];

#[test]
fn an_edited_plan_is_refused() {
    let space = space();
    let saved = Saved::of(&space, &[]);
    let whole = saved.document();
    // Written by another hand, it is the same plan.
    for same in [whole.to_string(), format!("{whole:#}\n")] {
        fs::write(&saved.path, same).unwrap();
        saved.run(&["--dry-run=client"]).exits(0);
    }
    let mut believed = Vec::new();
    for (what, edit) in [VERDICTS, SHAPES, FIELDS].concat() {
        let mut plan = whole.clone();
        edit(&mut plan);
        assert_ne!(plan, whole, "{what}");
        let text = plan.to_string();
        fs::write(&saved.path, &text).unwrap();
        // All of them in one failure, and none of them carried out.
        if saved.run(&["--dry-run=client"]).code == Some(0) {
            believed.push(what);
        } else {
            is_refused(&saved, &text, what);
        }
    }
    assert_eq!(believed, [""; 0], "these are believed");
    finish(&space);
}

/// What is left of a mixed group in the file would be judged as if it were all there is.
#[test]
fn a_plan_of_split_groups_is_refused_if_its_families_are_not_those_of_its_jobs() {
    let space = space();
    let saved = Saved::of(&space, &["--mixed-groups", "split"]);
    let whole = saved.document();
    saved.run(&["--dry-run=client"]).exits(0);
    let edits: [Edit; 4] = [
        ("held instead", |plan| {
            plan["saved"]["policy"]["mixedGroups"] = "hold".into()
        }),
        ("merged instead", |plan| {
            plan["saved"]["policy"]["mixedGroups"] = "merge".into()
        }),
        ("another family", |plan| {
            plan["groups"][0]["family"] = "other".into()
        }),
        ("no family", |plan| {
            let group = plan["groups"][0].as_object_mut().unwrap();
            group.remove("family").unwrap();
        }),
    ];
    for (what, edit) in edits {
        let mut plan = whole.clone();
        edit(&mut plan);
        is_refused(&saved, &plan.to_string(), what);
    }
    finish(&space);
}

#[test]
fn what_is_no_document_is_refused() {
    let space = space();
    let saved = Saved::of(&space, &[]);
    let whole = fs::read_to_string(&saved.path).unwrap();
    for (what, text) in [
        ("nothing", ""),
        ("a space", " \n"),
        ("null", "null"),
        ("a list", "[]"),
        ("an object", "{}"),
        ("a word", "plan"),
        ("a page", "<html></html>"),
        ("deep", &"[".repeat(100_000)),
        ("a zero", "\0"),
    ] {
        is_refused(&saved, text, what);
    }
    for part in 1..8 {
        let end = whole.trim_end().len() * part / 8;
        is_refused(&saved, &whole[..end], "truncated");
    }
    let short = whole.trim_end();
    is_refused(&saved, &short[..short.len() - 1], "all but its end");
    is_refused(&saved, &format!("{whole}{whole}"), "two");
    is_refused(&saved, &format!("{whole}x"), "something behind it");
    // The last of two values is what most readers take.
    let twice = whole.replacen(
        "\"verdict\": \"SKIP\"",
        "\"verdict\": \"SKIP\", \"verdict\": \"PURGE\"",
        1,
    );
    assert_ne!(twice, whole);
    is_refused(&saved, &twice, "a field twice");
    let labels = whole.replacen("\"kind\"", "\"kind\": \"Plan\", \"kind\"", 1);
    is_refused(&saved, &labels, "a field twice, the same");

    fs::write(&saved.path, [0xff, 0xfe, 0x00]).unwrap();
    saved.run(&["--yes"]).fails_clearly(&["plan.json"]);
    fs::remove_file(&saved.path).unwrap();
    saved.run(&["--yes"]).fails_clearly(&["plan.json"]);
    fs::create_dir(&saved.path).unwrap();
    saved.run(&["--yes"]).fails_clearly(&["plan.json"]);
    finish(&space);
}

/// A report is made from a plan, but it is not a saved plan.
#[test]
fn documents_of_other_runs_are_refused() {
    let space = space();
    let saved = Saved::of(&space, &[]);
    for args in [&["--dry-run=client"][..], &["--dry-run"]] {
        let document = space.run(&[args, &["-o", "json"]].concat()).exits(0);
        is_refused(&saved, &document.out, "without what it takes");
    }
}
