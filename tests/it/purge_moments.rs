//! Something changes between the plan and the delete: one table of every change at every moment.
//!
//! What has changed is left alone on purpose: that is no failed delete, so the exit code stays 0.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::thread;

use controlplane::State;
use serde_json::{Value, json};

use Fate::{BothStay, Goes, Gone, GroupStays, Stays, Unread};

use crate::support::account::message;
use crate::support::backups::{PURGE, manifests};
use crate::support::document::text;
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Kind, Proxy};
use crate::support::saved_plan::Saved;
use crate::support::{
    ApiClient, LABEL, Space, Terminal, jobs_of, outcomes, plane, printed_document, run,
};

/// When it changes: the columns of [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// While the question stands.
    Question,
    /// After a plan was saved and before it is carried out.
    SavedPlan,
    /// While the question about a saved plan stands.
    SavedQuestion,
    /// Before the backup of `sync-1`.
    Backup,
    /// Between the backup of `sync-1` and its delete.
    BackedUp,
    /// Before the delete of `sync-1`, by a user who may list and delete and nothing else.
    Delete,
    /// Between a delete of `sync-1` that met a conflict and the second reading.
    Conflict,
}

const MOMENTS: usize = Moment::Conflict as usize + 1;

/// What another client does, and to `sync-1` unless the name says otherwise. The keeper is `sync-3`, the newest of its group.
#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    /// In a way that no rule asks about.
    Touched,
    /// There are new Jobs, older and newer than those of the plan, in its groups and in others.
    NewJobs,
    Relabelled,
    Unlabelled,
    /// The selector no longer selects it.
    Unselected,
    ProtectedByAnnotation,
    ProtectedByLabel,
    ProtectedByArgo,
    /// It came into a release of Helm.
    Released,
    Running,
    Suspended,
    /// By a Job that is as old, so that only its uid tells.
    Replaced,
    /// By a Job that is new.
    MadeAnew,
    Deleted,
    /// And a finalizer still holds it.
    BeingDeleted,
    KeeperDeleted,
    KeeperBeingDeleted,
    /// By a new Job, which was not shown as the one that stays.
    KeeperSucceeded,
    KeeperInNewGroup,
    KeeperInOtherGroup,
    /// By a Job that is older than all that are left.
    KeeperReplaced,
}

/// What becomes of the Jobs to purge: `sync-1`, `sync-2` of the same group, and `other-1` of another.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// All go, `sync-1` in the version that it has by then.
    Goes,
    /// `sync-1` stays for this reason, and the others go.
    Stays(&'static str),
    /// `sync-1` was gone already, and the others go.
    Gone,
    /// `sync-1` stays since its keeper has gone, `sync-2` for this reason, and `other-1` goes.
    GroupStays(&'static str),
    /// So does `other-1`, since its group has two families now.
    BothStay,
    /// No cell: by then, nothing but `sync-1` itself is read any more.
    Unread,
}

const NEWEST: &str = "it would be kept now: newest";
const KEEPERLESS: &str = "the Job that was to stay in its group has gone";

const TABLE: [(Change, [Fate; MOMENTS]); 22] = [
    (Change::Nothing, [Goes; MOMENTS]),
    (Change::Touched, [Goes; MOMENTS]),
    (Change::NewJobs, [Goes; MOMENTS]),
    (Change::Relabelled, [Stays("label"); MOMENTS]),
    (Change::Unlabelled, [Stays("label"); MOMENTS]),
    (Change::Unselected, [Stays("label"); MOMENTS]),
    (Change::ProtectedByAnnotation, [Stays("protected"); MOMENTS]),
    (Change::ProtectedByLabel, [Stays("protected"); MOMENTS]),
    (Change::ProtectedByArgo, [Stays("protected"); MOMENTS]),
    (Change::Released, [Stays("wanted"); MOMENTS]),
    (Change::Running, [Stays("active"); MOMENTS]),
    (Change::Suspended, [Stays("active"); MOMENTS]),
    (Change::Replaced, [Stays("another Job"); MOMENTS]),
    (Change::MadeAnew, [Stays("another Job"); MOMENTS]),
    (Change::Deleted, [Gone; MOMENTS]),
    (Change::BeingDeleted, [Gone; MOMENTS]),
    (Change::KeeperDeleted, keeper(GroupStays(NEWEST))),
    (Change::KeeperBeingDeleted, keeper(GroupStays(NEWEST))),
    (Change::KeeperSucceeded, keeper(GroupStays(KEEPERLESS))),
    (Change::KeeperInNewGroup, keeper(GroupStays(NEWEST))),
    (Change::KeeperInOtherGroup, keeper(BothStay)),
    (Change::KeeperReplaced, keeper(GroupStays(NEWEST))),
];

/// The keeper is read with the whole plan: after the question, and when a saved plan is carried out.
const fn keeper(lost: Fate) -> [Fate; MOMENTS] {
    [lost, lost, lost, Unread, Unread, Unread, Unread]
}

#[test]
fn while_the_question_stands() {
    every_change_at(Moment::Question);
}

#[test]
fn before_a_saved_plan_is_carried_out() {
    every_change_at(Moment::SavedPlan);
}

#[test]
fn while_the_question_about_a_saved_plan_stands() {
    every_change_at(Moment::SavedQuestion);
}

#[test]
fn before_the_backup() {
    every_change_at(Moment::Backup);
}

#[test]
fn between_the_backup_and_the_delete() {
    every_change_at(Moment::BackedUp);
}

#[test]
fn before_the_delete() {
    every_change_at(Moment::Delete);
}

#[test]
fn between_a_conflict_and_the_second_reading() {
    every_change_at(Moment::Conflict);
}

/// Each cell has a thread of its own, whose name stands in its failure.
fn every_change_at(moment: Moment) {
    thread::scope(|scope| {
        for (change, fates) in TABLE {
            let fate = fates[moment as usize];
            if fate != Unread {
                let cell = thread::Builder::new().name(format!("{moment:?} x {change:?}"));
                let check = move || Arc::new(Cell::new(moment, change, fate)).check();
                cell.spawn_scoped(scope, check).unwrap();
            }
        }
    });
}

/// Selects every Job until [`Change::Unselected`].
const SELECTOR: [&str; 2] = ["-l", "hold!=yes"];

/// One cell, with a namespace of two groups in which the change is made once.
struct Cell {
    moment: Moment,
    change: Change,
    fate: Fate,
    space: Space,
    admin: ApiClient,
    /// The Jobs before the change.
    planned: Jobs,
    /// The Jobs right after it.
    found: OnceLock<Jobs>,
}

/// The metadata of Jobs, by their names.
type Jobs = BTreeMap<String, Value>;

impl Cell {
    fn new(moment: Moment, change: Change, fate: Fate) -> Self {
        let mut cell = Self {
            moment,
            change,
            fate,
            space: Space::two_groups(),
            admin: ApiClient::admin(plane()),
            planned: Jobs::new(),
            found: OnceLock::new(),
        };
        cell.planned = cell.jobs();
        cell
    }

    fn check(self: Arc<Self>) {
        let goes = ("deleted", "");
        let stays = |why| ("changed", why);
        let [sync_2, sync_1, other_1] = match self.fate {
            Goes => [goes; 3],
            Stays(why) => [goes, stays(why), goes],
            Gone => [goes, ("gone", ""), goes],
            GroupStays(why) => [stays(why), stays(KEEPERLESS), goes],
            BothStay => [stays(NEWEST), stays(KEEPERLESS), stays("mixed-group")],
            Unread => unreachable!("no cell"),
        };
        let told = [("sync-2", sync_2), ("sync-1", sync_1), ("other-1", other_1)];

        let report = self.purge();
        let lines = told.map(|(name, (outcome, _))| format!("{name} {outcome}"));
        assert_eq!(outcomes(&report), lines, "{report:#}");
        // What was there after the change is still there, unless the tool deleted it.
        let mut left = uids(self.found());
        for (name, (outcome, why)) in told {
            match outcome {
                "deleted" => _ = left.remove(name),
                "changed" => {
                    let message = message(&report, name);
                    assert!(message.contains(why), "{why:?} is not in {message:?}");
                }
                _ => {}
            }
        }
        assert_eq!(uids(&self.jobs()), left, "{report:#}");
        // The report is about the Jobs of the plan: all of them, and none twice.
        let reported = jobs_of(&report).into_iter();
        let reported: Vec<_> = reported
            .map(|job| (text(job, "name"), text(job, "uid")))
            .collect();
        assert_eq!(reported.len(), self.planned.len(), "{report:#}");
        let reported = BTreeMap::from_iter(reported);
        assert_eq!(reported, uids(&self.planned), "{report:#}");
    }

    /// Purges, with the change at its moment, and returns the report.
    fn purge(self: &Arc<Self>) -> Value {
        let save = || Saved::of(&self.space, &SELECTOR);
        match self.moment {
            // All but --yes.
            Moment::Question => self.approve(&self.space.tool(&[&PURGE[1..], &SELECTOR].concat())),
            Moment::SavedQuestion => self.approve(&save().tool(&["-o", "json"])),
            Moment::SavedPlan => {
                let saved = save();
                self.happen();
                saved.run(&["--yes", "-o", "json"]).exits(0).json()
            }
            Moment::Backup | Moment::BackedUp => {
                let files = Files::new();
                let folder = files.path("backup");
                let report = self.run_by_proxy(&["--backup", arg(&folder)]);
                assert!(
                    self.fate != Goes || self.is_kept_in(&folder),
                    "what was deleted was never kept"
                );
                report
            }
            Moment::Delete | Moment::Conflict => self.run_by_proxy(&[]),
        }
    }

    /// Says yes after the change.
    fn approve(&self, tool: &Command) -> Value {
        let mut terminal = Terminal::start(tool, 160);
        terminal.wait_for("Purge 3 Jobs in 2 groups");
        self.happen();
        terminal.enter("y");
        printed_document(&terminal.finish().exits(0))
    }

    /// Purges, with the change before a request about `sync-1`.
    fn run_by_proxy(self: &Arc<Self>, args: &[&str]) -> Value {
        let client = match self.moment {
            Moment::Delete => {
                self.space.kubeconfig_for("plain", &["list", "delete"]);
                ApiClient::new(plane(), &format!("plain-{}", self.space.name), &[])
            }
            _ => ApiClient::admin(plane()),
        };
        let cell = Arc::clone(self);
        let proxy = Proxy::new(client, move |request, up| {
            let is_delete = request.kind == Kind::Delete && request.name() == "sync-1";
            let is_reread = request.kind == Kind::Reread && request.target.contains("sync-1");
            match cell.moment {
                Moment::Conflict if is_delete && request.again == 1 => {
                    cell.patch("sync-1", json!({"labels": {"conflict": "yes"}}));
                }
                Moment::Backup | Moment::Conflict if is_reread => cell.happen(),
                Moment::BackedUp | Moment::Delete if is_delete => cell.happen(),
                _ => {}
            }
            up.pass(request)
        });
        let args = [&PURGE[..], &SELECTOR, args].concat();
        let report = run(proxy.tool(&self.space.name, &args)).exits(0).json();
        self.check_requests(&proxy, &report);
        report
    }

    /// Each delete of `sync-1` names the version that was read last, and only Jobs are read, and only where that is needed.
    fn check_requests(&self, proxy: &Proxy, report: &Value) {
        let version = |jobs: &Jobs| {
            let metadata = &jobs["sync-1"];
            json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]})
        };
        let mut versions = Vec::new();
        if self.moment != Moment::Backup {
            versions.push(version(&self.planned));
        }
        if self.fate == Goes {
            versions.push(version(self.found()));
        }
        versions.dedup();
        let mut tried = Vec::new();
        for request in proxy.seen().into_iter().map(|seen| seen.request) {
            match request.kind {
                Kind::Delete if request.name() == "sync-1" => {
                    tried.push(request.json()["preconditions"].clone());
                }
                Kind::Delete | Kind::List => {}
                Kind::Reread => assert!(request.target.contains("metadata.name"), "{request:#?}"),
                Kind::GitOps => {}
                Kind::Other => panic!("it may list and delete, no more: {request:#?}"),
            }
        }
        assert_eq!(tried, versions, "it came to {:?}", outcomes(report));
        if matches!(self.moment, Moment::Delete | Moment::Conflict) {
            let mut conflicts = proxy.seen_of(Kind::Delete);
            conflicts.retain(|seen| seen.status == 409);
            assert_eq!(proxy.count(Kind::Reread), conflicts.len(), "{conflicts:#?}");
        }
    }

    /// Whether `sync-1` is in a backup as it was after the change.
    fn is_kept_in(&self, folder: &Path) -> bool {
        let touched = |metadata: &Value| metadata["labels"]["touched"].clone();
        let newest = touched(&self.found()["sync-1"]);
        manifests(folder).into_values().any(|manifest| {
            let metadata = &manifest["metadata"];
            metadata["name"] == "sync-1" && touched(metadata) == newest
        })
    }

    /// The change is made, unless it is made already.
    fn happen(&self) {
        self.found.get_or_init(|| {
            self.make_change();
            self.jobs()
        });
    }

    /// The Jobs as they are now.
    fn jobs(&self) -> Jobs {
        let list = self.admin.get(&self.space.path()).json();
        let jobs = list["items"].as_array().unwrap().iter();
        let metadata = jobs.map(|job| job["metadata"].clone());
        metadata
            .map(|metadata| (text(&metadata, "name").to_owned(), metadata))
            .collect()
    }

    fn found(&self) -> &Jobs {
        self.found.get().expect("the moment has come")
    }

    fn make_change(&self) {
        let delete = |name| assert!(self.admin.delete_job(&self.space.name, name));
        let create = |name, group| self.admin.create_job(&self.space.name, name, group);
        let label = |name, key: &str, value: Option<&str>| {
            self.patch(name, json!({"labels": {key: value}}))
        };
        let annotate =
            |key: &str, value| self.patch("sync-1", json!({"annotations": {key: value}}));
        let hold = |name| self.patch(name, json!({"finalizers": ["test.example/hold"]}));
        let seed = |group, name, age| self.space.seed(&[self.space.job(group, name, age)]);
        let again = |state| {
            let job = self.space.job("g", "sync-1", 30).state(state);
            let uid = text(&self.planned["sync-1"], "uid");
            self.space.seed(&[job.uid(uid)]);
        };
        match self.change {
            Change::Nothing => {}
            Change::Touched => label("sync-1", "touched", Some("yes")),
            Change::NewJobs => {
                create("sync-4", "g");
                create("fresh-1", "fresh");
                seed("g", "sync-0", 99);
                seed("g", "sync-5", 1);
                seed("fresh", "fresh-0", 99);
                seed("fresh", "fresh-2", 98);
            }
            Change::Relabelled => label("sync-1", LABEL, Some("other")),
            Change::Unlabelled => label("sync-1", LABEL, None),
            Change::Unselected => label("sync-1", "hold", Some("yes")),
            Change::ProtectedByAnnotation => annotate("jobclean/keep", "true"),
            Change::ProtectedByLabel => label("sync-1", "jobclean/keep", Some("true")),
            Change::ProtectedByArgo => annotate("argocd.argoproj.io/sync-options", "Delete=false"),
            Change::Released => annotate("meta.helm.sh/release-name", "shop"),
            Change::Running => again(State::Running),
            Change::Suspended => again(State::Suspended),
            Change::Replaced => {
                delete("sync-1");
                seed("g", "sync-1", 30);
            }
            Change::MadeAnew => {
                delete("sync-1");
                create("sync-1", "g");
            }
            Change::Deleted => delete("sync-1"),
            Change::BeingDeleted => {
                hold("sync-1");
                delete("sync-1");
            }
            Change::KeeperDeleted => delete("sync-3"),
            Change::KeeperBeingDeleted => {
                hold("sync-3");
                delete("sync-3");
            }
            Change::KeeperSucceeded => {
                delete("sync-3");
                create("sync-4", "g");
            }
            Change::KeeperInNewGroup => label("sync-3", LABEL, Some("elsewhere")),
            Change::KeeperInOtherGroup => label("sync-3", LABEL, Some("h")),
            Change::KeeperReplaced => {
                delete("sync-3");
                seed("g", "sync-3", 40);
            }
        }
    }

    fn patch(&self, name: &str, metadata: Value) {
        let patch = json!({"metadata": metadata});
        self.admin.patch_job(&self.space.name, name, &patch);
    }
}

fn uids(jobs: &Jobs) -> BTreeMap<&str, &str> {
    jobs.iter()
        .map(|(name, metadata)| (name.as_str(), text(metadata, "uid")))
        .collect()
}
