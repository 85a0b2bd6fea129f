//! What the tool says is so: it claims no delete that was none, leaves out none of its own, and no failure.

use rustix::process::Signal;
use serde_json::json;

use crate::support::account::{account, count};
use crate::support::backups::{PURGE, manifests};
use crate::support::document::text;
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Kind, Proxy, Reply};
use crate::support::running::Running;
use crate::support::saved_plan::Saved;
use crate::support::{ApiClient, Run, Space, Terminal, jobs_of, outcomes, plane, run, until};

/// Between the two tries another client deletes the Job: a dry run cannot have done it.
#[test]
fn a_dry_run_whose_answer_is_lost_has_deleted_nothing() {
    let space = Space::three();
    let namespace = space.name.clone();
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        match (request.kind, request.again) {
            (Kind::Delete, 1) => {
                up.pass(request);
                Reply::reset()
            }
            (Kind::Delete, _) => {
                up.delete_job(&namespace, &request.name());
                let real = up.pass(request);
                assert_eq!(real.status, 404);
                real
            }
            _ => up.pass(request),
        }
    });
    let args = ["--dry-run=server", "--cascade=background", "-o", "json"];
    let report = run(proxy.tool(&space.name, &args)).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-2 gone", "sync-1 gone"]);
    assert_eq!(proxy.count(Kind::Delete), 4);
    space.holds(&["sync-3"]);
}

/// The delete was the tool's own, whatever took the name afterwards, and that stays.
#[test]
fn a_delete_whose_answer_is_lost_is_its_own_though_the_name_is_taken_again() {
    let space = Space::three();
    let namespace = space.name.clone();
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        let real = up.pass(request);
        if request.kind == Kind::Delete && request.again == 1 {
            assert_eq!(real.status, 200);
            up.create_job(&namespace, &request.name(), "g");
            return Reply::reset();
        }
        real
    });
    let report = run(proxy.tool(&space.name, &PURGE)).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);
    account(&report, &proxy.upstream().jobs(&space.name));
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

/// Another client replaces, protects and deletes Jobs while the question stands.
#[test]
fn a_person_is_told_what_was_left_alone_and_what_was_gone() {
    let (space, admin) = (Space::two_groups(), ApiClient::admin(plane()));
    let mut terminal = Terminal::start(&space.tool(&["--cascade=background"]), 160);
    terminal.wait_for("Purge 3 Jobs in 2 groups");
    assert!(admin.delete_job(&space.name, "sync-1"));
    space.seed(&[space.job("g", "sync-1", 30)]);
    let protect = json!({"metadata": {"annotations": {"jobclean/keep": "true"}}});
    admin.patch_job(&space.name, "sync-2", &protect);
    assert!(admin.delete_job(&space.name, "other-1"));
    terminal.enter("y");
    let left = terminal.finish().exits(0);
    for words in [
        "sync-1 is left alone, since it has changed: another Job has its name now",
        "sync-2 is left alone, since it has changed: it would be kept now: protected",
        "0 of 3 Jobs purged in ",
        ": 1 gone, 2 changed",
    ] {
        assert!(left.text.contains(words), "{words}\n{}", left.text);
    }
}

/// Not a list, though all is well with it: it says nothing about whether the Job is there.
fn no_list() -> Reply {
    Reply::refusal(200, "Strange", "all is well")
}

#[test]
fn an_answer_that_is_no_list_is_asked_for_again() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| {
        match (request.kind, request.again) {
            (Kind::Reread, 1) => no_list(),
            _ => up.pass(request),
        }
    });
    let args = [&PURGE[..], &["--backup", arg(&folder)]].concat();
    let report = run(proxy.tool(&space.name, &args)).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 deleted"]);
    assert_eq!(proxy.count(Kind::Reread), 4);
    assert_eq!(manifests(&folder).len(), 2);
    space.holds(&["sync-3"]);
}

#[test]
fn a_job_is_not_gone_because_an_answer_is_no_list() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("backup");
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| {
        match request.kind {
            Kind::Reread => no_list(),
            _ => up.pass(request),
        }
    });
    let args = [&PURGE[..], &["--backup", arg(&folder), "-v"]].concat();
    let running = Running::start(proxy.tool(&space.name, &args));
    until("it asks again", || proxy.count(Kind::Reread) > 2);
    running.signal(Signal::INT);
    let report = running.finish().exits(130).json();
    assert_eq!(count(&report, "gone") + count(&report, "deleted"), 0);
    account(&report, &proxy.upstream().jobs(&space.name));
    assert_eq!(proxy.count(Kind::Delete), 0);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

/// Those that were to be tried again have failed, and each failure has its line.
#[test]
fn a_signal_during_an_outage_leaves_no_failure_unsaid() {
    const IN_FLIGHT: usize = 4;
    let space = Space::new();
    let jobs: Vec<_> = (0..13)
        .map(|number| space.job("g", &format!("sync-{number:02}"), number))
        .collect();
    space.seed(&jobs);
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| {
        match request.kind {
            Kind::Delete => Reply::reset(),
            _ => up.pass(request),
        }
    });
    let concurrency = format!("--concurrency={IN_FLIGHT}");
    let args = [&PURGE[..], &[&concurrency, "-v"]].concat();
    let running = Running::start(proxy.tool(&space.name, &args));
    until("as many as may wait for another try", || {
        running.said().matches("waiting ").count() >= IN_FLIGHT
    });
    running.signal(Signal::INT);
    let ended = running.finish().exits(130);
    let report = ended.json();
    account(&report, &proxy.upstream().jobs(&space.name));
    assert_eq!(count(&report, "failed"), IN_FLIGHT as u64, "{report:#}");
    assert_eq!(count(&report, "not-attempted"), 12 - IN_FLIGHT as u64);
    for job in jobs_of(&report) {
        let line = format!("Job {}/{}: failed: ", space.name, text(job, "name"));
        let is_failed = job["outcome"] == "failed";
        let said = ended.err.matches(&line).count();
        assert_eq!(said, usize::from(is_failed), "{line}\n{}", ended.err);
    }
    let line = format!("error: cannot delete {IN_FLIGHT} Jobs: ");
    assert_eq!(ended.err.matches(&line).count(), 1, "{}", ended.err);
}

fn warnings(run: &Run) -> Vec<&str> {
    let lines = run.err.lines();
    lines.filter(|line| line.starts_with("warning: ")).collect()
}

/// Who carries the plan out need not be who has seen it made.
#[test]
fn a_saved_plan_warns_of_merged_families_again() {
    let space = Space::with(&[
        ("db-migrate-1", 3),
        ("create-user-1", 2),
        ("db-migrate-2", 1),
    ]);
    let merge = "--mixed-groups=merge";
    let planned = space.run(&[merge, "--dry-run=client"]).exits(0);
    let expected = warnings(&planned);
    let is_told = |word| expected.iter().any(|line| line.contains(word));
    assert!(
        is_told("db-migrate") && is_told("create-user"),
        "{}",
        planned.story()
    );
    let saved = Saved::of(&space, &[merge]);
    for args in [&["--dry-run=client"][..], &["--yes"]] {
        let run = saved.run(args).exits(0);
        assert_eq!(warnings(&run), expected, "{}", run.story());
    }
    space.holds(&["db-migrate-2"]);
}
