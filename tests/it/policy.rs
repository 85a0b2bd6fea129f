//! `--policy` on a cluster: the run goes by the rules, and so does every later look at the Jobs.

use std::{collections::BTreeSet, fs, path::PathBuf};

use controlplane::SeedJob;
use serde_json::{Value, json};

use crate::support::{
    ApiClient, LABEL, Space, Terminal,
    account::message,
    backups::PURGE,
    control_plane::{everywhere, hours_ago, job_in},
    document::{jobs_of, reasons_of, text},
    kubeconfig::{Files, arg},
    outcomes, plane, printed_document,
    proxy::{Kind, Proxy, Reply},
    run,
    running::Gate,
    saved_plan::Saved,
    tool,
};

const HEAD: &str = "apiVersion: jobclean/v1\nkind: Policy\n";

/// All of a group stays if one of its Jobs is marked like this.
const HOLD: &str = "rules:\n- {name: audit, match: {selector: audit=yes}, hold: true}\n";

/// A policy in a file.
fn policy(files: &Files, text: &str) -> PathBuf {
    files.write("policy.yaml", &format!("{HEAD}{text}"))
}

/// What makes the rule of [`HOLD`] match.
fn audited() -> Value {
    json!({"metadata": {"labels": {"audit": "yes"}}})
}

#[test]
fn a_run_goes_by_the_rules() {
    let (space, files) = (Space::two_groups(), Files::new());
    space.seed(&[
        space.job("k", "held-1", 9).label("audit", "yes"),
        space.job("k", "held-2", 8),
        space.job("k", "held-3", 7),
    ]);
    let own = format!("- {{match: {{namespaces: [{}]}}, keep: 2}}\n", space.name);
    let policy = policy(&files, &format!("{HOLD}{own}"));
    let flags = ["--policy", arg(&policy)];
    assert_eq!(
        space.plan(&flags),
        [
            "sync-3 SKIP newest",
            "sync-2 SKIP newest",
            "sync-1 PURGE superseded",
            "other-2 SKIP newest",
            "other-1 SKIP newest",
            "held-3 SKIP held,newest",
            "held-2 SKIP held,newest",
            "held-1 SKIP held",
        ]
    );
    let wide = space.run(&[&flags[..], &["-o", "wide", "--dry-run=client"]].concat());
    wide.exits(0).shows(&["RULE", "audit", "rule 2"]);
    let limit = [&flags[..], &["--yes", "--max-purge=0"]].concat();
    space.run(&limit).exits(5);
    space
        .run(&[&flags[..], &["--yes", "--cascade=background"]].concat())
        .exits(0);
    space.holds(&[
        "held-1", "held-2", "held-3", "other-1", "other-2", "sync-2", "sync-3",
    ]);
}

#[test]
fn a_file_is_judged_as_its_cluster_is() {
    let (space, files) = (Space::new(), Files::new());
    let tracked = |application: &str, name: &str, age| {
        let id = format!("{application}:batch/Job:{}/{name}", space.name);
        SeedJob::new(&space.name, name, hours_ago(age))
            .annotation("argocd.argoproj.io/tracking-id", id)
    };
    space.seed(&[
        tracked("shop-eu", "migrate-1a2b3c", 3),
        tracked("shop-eu", "migrate-2b3c4d", 2),
        tracked("other", "load-1a2b3c", 3),
        tracked("other", "load-2b3c4d", 2).label("audit", "yes"),
        tracked("third", "copy-1a2b3c", 3),
        tracked("third", "copy-2b3c4d", 2),
    ]);
    let shops = "- {name: shops, match: {applications: ['shop-*']}, keepWithin: 1d}\n";
    let policy = policy(&files, &format!("{HOLD}{shops}"));
    let jobs = plane()
        .kubectl_run(["get", "jobs", "-n", &space.name, "-o", "json"])
        .unwrap();
    let jobs = files.write("jobs", &jobs);
    let plan = |source: &[&str]| {
        let mut command = tool();
        command.args(["-n", &space.name, "--policy", arg(&policy), "-o", "json"]);
        run({
            command.args(source);
            command
        })
        .exits(0)
        .json()
    };
    let of_file = plan(&["-f", arg(&jobs)]);
    let of_cluster = plan(&[
        "--kubeconfig",
        arg(plane().kubeconfig()),
        "--dry-run=client",
        "--gitops=ignore",
    ]);
    // JSON takes more bytes than what the server sends.
    let judged = |plan: &Value| {
        let mut groups = plan["groups"].clone();
        for group in groups.as_array_mut().unwrap() {
            for job in group["jobs"].as_array_mut().unwrap() {
                job.as_object_mut().unwrap().remove("bytes").unwrap();
            }
        }
        groups
    };
    assert_eq!(judged(&of_file), judged(&of_cluster));
    let rules: Vec<(&str, &str)> = jobs_of(&of_file)
        .into_iter()
        .map(|job| (text(job, "name"), reasons_of(job)[0]))
        .collect();
    assert_eq!(
        rules,
        [
            ("load-2b3c4d", "held"),
            ("load-1a2b3c", "held"),
            ("migrate-2b3c4d", "newest"),
            ("migrate-1a2b3c", "recent"),
            ("copy-2b3c4d", "newest"),
            ("copy-1a2b3c", "superseded"),
        ]
    );
    assert_eq!(of_file["groups"][1]["rule"], "shops");
    assert_eq!(of_file["groups"][0]["rule"], json!(null));
    assert_eq!(of_file["groups"][0]["jobs"][0]["rule"], "audit");
    assert_eq!(of_file["groups"][0]["jobs"][1]["rule"], "defaults");
}

/// The question may stand for an hour, and by then another rule is for a Job.
#[test]
fn a_rule_that_matches_while_the_question_waits_keeps_the_group() {
    let (space, files) = (Space::two_groups(), Files::new());
    let policy = policy(&files, HOLD);
    let flags = [
        "--policy",
        arg(&policy),
        "-o",
        "json",
        "--cascade=background",
    ];
    let mut terminal = Terminal::start(&space.tool(&flags), 160);
    terminal.wait_for("Purge 3 Jobs in 2 groups");
    ApiClient::admin(plane()).patch_job(&space.name, "sync-3", &audited());
    terminal.enter("y");
    let left = terminal.finish().exits(0);
    let report = printed_document(&left);
    assert_eq!(
        outcomes(&report),
        ["sync-2 changed", "sync-1 changed", "other-1 deleted"]
    );
    assert!(message(&report, "sync-1").contains("held"), "{report:#}");
    space.holds(&["other-2", "sync-1", "sync-2", "sync-3"]);
}

/// A delete that meets a conflict is judged again by the rule that is for the Job by then.
#[test]
fn a_rule_that_matches_right_before_a_delete_keeps_the_job() {
    let (space, files) = (Space::three(), Files::new());
    let policy = policy(&files, HOLD);
    let namespace = space.name.clone();
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        if request.kind == Kind::Delete && request.name() == "sync-1" && request.again == 1 {
            up.patch_job(&namespace, "sync-1", &audited());
        }
        up.pass(request)
    });
    let flags = [&PURGE[..], &["--policy", arg(&policy)]].concat();
    let report = run(proxy.tool(&space.name, &flags)).exits(0).json();
    assert_eq!(outcomes(&report), ["sync-2 deleted", "sync-1 changed"]);
    assert!(message(&report, "sync-1").contains("held"), "{report:#}");
    space.holds(&["sync-1", "sync-3"]);
}

/// The file of the policy is not needed any more, and its rules are.
#[test]
fn a_saved_plan_is_carried_out_by_its_rules() {
    let (space, files) = (Space::two_groups(), Files::new());
    let own = format!("- {{match: {{namespaces: [{}]}}, keep: 2}}\n", space.name);
    let policy = policy(&files, &format!("{HOLD}{own}"));
    space.seed(&[space.job("h", "other-0", 40)]);
    let saved = Saved::of(&space, &["--policy", arg(&policy)]);
    fs::remove_file(&policy).unwrap();
    assert_eq!(saved.document()["groups"][0]["rule"], "rule 2");
    saved.run(&["--policy", arg(&policy)]).exits(2);
    ApiClient::admin(plane()).patch_job(&space.name, "sync-2", &audited());
    let run = saved.run(&["--yes", "-o", "json"]).exits(0);
    for words in ["where no rule matches, it keeps", "; it has 2 rules"] {
        assert!(run.err.contains(words), "{words}\n{}", run.story());
    }
    let report = run.json();
    let mut told = outcomes(&report);
    told.sort();
    assert_eq!(told, ["other-0 deleted", "sync-1 changed"]);
    assert!(message(&report, "sync-1").contains("held"), "{report:#}");
    space.holds(&["other-1", "other-2", "sync-1", "sync-2", "sync-3"]);
}

#[test]
fn explain_on_a_cluster_names_the_rule() {
    let (space, files) = (Space::three(), Files::new());
    let policy = policy(&files, HOLD);
    let mut command = tool();
    command.args(["explain", "sync-1", "-L", LABEL, "-n", &space.name]);
    command.args([
        "--kubeconfig",
        arg(plane().kubeconfig()),
        "--policy",
        arg(&policy),
    ]);
    run(command).exits(0).shows(&[
        "PURGE (superseded)",
        "Rule    defaults\n",
        "under defaults:",
        "keep: 3 or more",
    ]);
}

/// Annotates the namespace as its owner would.
fn mark(space: &Space, value: &str) {
    let mark = format!("jobclean/keep={value}");
    plane()
        .kubectl_run(["annotate", "--overwrite", "namespace", &space.name, &mark])
        .unwrap();
}

#[test]
fn a_namespace_keeps_its_jobs() {
    const KEY: &str = "test.example/policy-namespaces";
    let (spaces, files) = ([Space::new(), Space::new()], Files::new());
    for space in &spaces {
        space.seed(&[1, 2].map(|age| job_in(&space.name, KEY, "g", &format!("sync-{age}"), age)));
    }
    let policy = policy(&files, "defaults: {keep: 1}\n");
    let purged = |args: &[&str]| {
        let flags = ["-o", "json", "--dry-run=client", "--policy", arg(&policy)];
        let plan = run(everywhere(KEY, &[&flags[..], args].concat()))
            .exits(0)
            .json();
        let groups = plan["groups"].as_array().unwrap().iter();
        let purges = |group: &&Value| {
            let jobs = group["jobs"].as_array().unwrap();
            jobs.iter().any(|job| job["verdict"] == "PURGE")
        };
        let names = groups
            .filter(purges)
            .map(|group| text(group, "namespace").to_owned());
        names.collect::<BTreeSet<_>>()
    };
    let [held, other] = &spaces;
    let both = BTreeSet::from([held.name.clone(), other.name.clone()]);
    assert_eq!(purged(&[]), both);
    // Whatever else it says was meant to keep them. One Job a page, and one Namespace: there are several pages.
    for (value, holds) in [("true", true), ("yes", true), ("", true), ("false", false)] {
        mark(held, value);
        assert_eq!(
            purged(&["--chunk-size=1"]).contains(&held.name),
            !holds,
            "{value:?}"
        );
        assert!(purged(&[]).contains(&other.name));
    }
    mark(held, "true");
    let one = |args: &[&str]| {
        let mut command = tool();
        command.args(args).args(["-L", KEY, "-n", &held.name]);
        command.args(["--kubeconfig", arg(plane().kubeconfig())]);
        command
    };
    run(one(&["--yes", "--policy", arg(&policy)])).exits(0);
    held.holds(&["sync-1", "sync-2"]);
    run(one(&["explain", "sync-2", "--policy", arg(&policy)]))
        .exits(0)
        .shows(&[
            "SKIP (held)",
            "held: its Namespace has the annotation or label jobclean/keep",
        ]);
    // Without a policy, or if it says so, Namespaces are not read.
    run(one(&["--dry-run=client", "-o", "json"]))
        .exits(0)
        .shows(&["PURGE"]);
    let ignoring = files.write("ignoring", &format!("{HEAD}namespaceAnnotations: false\n"));
    run(one(&["--dry-run=client", "--policy", arg(&ignoring)]))
        .exits(0)
        .shows(&["PURGE"]);
}

#[test]
fn a_namespace_that_is_marked_while_the_question_waits_keeps_its_jobs() {
    let (space, files) = (Space::three(), Files::new());
    let policy = policy(&files, HOLD);
    let flags = [
        "--policy",
        arg(&policy),
        "-o",
        "json",
        "--cascade=background",
    ];
    let mut terminal = Terminal::start(&space.tool(&flags), 160);
    terminal.wait_for("Purge 2 Jobs in 1 group");
    mark(&space, "true");
    terminal.enter("y");
    let left = terminal.finish().exits(0);
    let report = printed_document(&left);
    assert_eq!(outcomes(&report), ["sync-2 changed", "sync-1 changed"]);
    assert!(message(&report, "sync-1").contains("held"), "{report:#}");
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

#[test]
fn the_spinner_says_what_is_read() {
    let (space, files) = (Space::three(), Files::new());
    let policy = policy(&files, HOLD);
    let (proxy, gate) = Gate::before(ApiClient::admin(plane()), move |request| {
        request.target.starts_with("/api/v1/namespaces/")
    });
    let flags = ["--dry-run=client", "--policy", arg(&policy)];
    let mut terminal = Terminal::start(&proxy.tool(&space.name, &flags), 160);
    terminal.wait_for("reading which namespaces keep their Jobs");
    gate.open();
    terminal.finish().exits(0);
}

#[test]
fn a_saved_plan_asks_the_namespace_again() {
    let (space, files) = (Space::three(), Files::new());
    let policy = policy(&files, HOLD);
    let saved = Saved::of(&space, &["--policy", arg(&policy)]);
    mark(&space, "true");
    saved.run(&["--yes"]).exits(0);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

/// What cannot be read may keep Jobs, so there is no plan.
#[test]
fn a_namespace_that_cannot_be_read_ends_the_run() {
    let (space, files) = (Space::three(), Files::new());
    let kubeconfig = space.kubeconfig_for("cleaner", &["list", "delete"]);
    let policy = policy(&files, HOLD);
    let run_with = |args: &[&str]| {
        run(space.tool_as(
            &kubeconfig,
            &[&["--yes", "--policy", arg(&policy)][..], args].concat(),
        ))
    };
    for args in [&[][..], &["-o", "json"]] {
        let refused = run_with(args).exits(1).complains(&[
            "cannot read the Namespaces, which may keep their Jobs",
            "forbidden",
            "verb get on namespaces",
            "namespaceAnnotations: false",
        ]);
        assert_eq!(refused.out, "", "{}", refused.story());
    }
    space.holds(&["sync-1", "sync-2", "sync-3"]);
    // A server that answers with something else, or with another Namespace, is not believed.
    for wrong in [
        json!({"kind": "Status", "apiVersion": "v1"}),
        json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "other"}}),
    ] {
        let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| match request
            .target
            .starts_with("/api/v1/namespaces/it")
        {
            true => Reply::new(
                200,
                vec![("Content-Type".into(), "application/json".into())],
                wrong.to_string().into(),
            ),
            false => up.pass(request),
        });
        let flags = [&PURGE[..], &["--policy", arg(&policy)]].concat();
        run(proxy.tool(&space.name, &flags))
            .exits(1)
            .complains(&["cannot read the Namespaces"]);
    }
    space.holds(&["sync-1", "sync-2", "sync-3"]);
    fs::write(&policy, format!("{HEAD}namespaceAnnotations: false\n")).unwrap();
    run_with(&["--cascade=background"]).exits(0);
    space.holds(&["sync-3"]);
}
