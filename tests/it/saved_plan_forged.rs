//! A saved plan that makes sense, but not the sense that it had: what it names is held against the cluster.

use crate::support::saved_plan::Saved;
use crate::support::saved_plan::{job, space};
use crate::support::{LABEL, outcomes};

#[test]
fn a_forged_plan_deletes_no_job_that_would_be_kept() {
    let space = space();
    space.seed(&[
        space
            .job("k", "sync-5", 50)
            .annotation("jobclean/keep", "true"),
        space.job("k", "sync-6", 40),
    ]);
    let before = space.versions();
    let find = |name: &str| {
        let mut listed = space.list().into_iter();
        listed.find(|job| job["metadata"]["name"] == name).unwrap()["metadata"].clone()
    };
    let selector = format!("{LABEL}=g");
    // The newest of another group, one that is protected, and the keeper itself.
    for name in ["other-1", "sync-5", "sync-4"] {
        let saved = Saved::of(&space, &["-l", &selector]);
        let real = find(name);
        saved.edit(|plan| {
            for field in ["name", "uid", "resourceVersion"] {
                job(plan, 3)[field] = real[field].clone();
            }
            plan["saved"]["selector"] = "".into();
        });
        let run = saved.run(&["--dry-run", "-o", "json"]);
        if run.code == Some(0) {
            let told = outcomes(&run.json());
            assert!(told.contains(&format!("{name} changed")), "{}", run.story());
            assert_eq!(told.len(), 3, "{}", run.story());
        } else {
            assert_eq!(run.code, Some(1), "{}", run.story());
        }
    }
    assert_eq!(space.versions(), before);
}

/// A uid alone would do for a delete, but users read names: the tool deletes only what the plan shows.
#[test]
fn a_job_under_another_name_stays() {
    let space = space();
    for name in ["harmless-1", "../sync-1", "sync-0"] {
        let saved = Saved::of(&space, &[]);
        saved.edit(|plan| {
            assert_eq!(job(plan, 3)["name"], "sync-1");
            job(plan, 3)["name"] = name.into();
        });
        let run = saved.run(&["--dry-run", "-o", "json"]);
        if run.code == Some(0) {
            let told = outcomes(&run.json());
            assert_eq!(told[2], format!("{name} changed"), "{}", run.story());
        } else {
            assert_eq!(run.code, Some(1), "{}", run.story());
        }
    }
    assert_eq!(space.names().len(), 5);
}
