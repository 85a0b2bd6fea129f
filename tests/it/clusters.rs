//! Several clusters in one run, on two control planes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use controlplane::ControlPlane;
use serde_json::{Value, json};

use crate::support::control_plane::job_in;
use crate::support::kubeconfig::{Files, arg, config};
use crate::support::own_control_plane::{OwnControlPlane, own_control_plane};
use crate::support::proxy::{Proxy, Reply};
use crate::support::{ApiClient, Space, Terminal, plane, run, tool, tool::Run};

/// A namespace with three Jobs here, and one with two on another cluster, of a label of their own.
struct Two {
    here: Space,
    there: OwnControlPlane,
    namespace: String,
    key: String,
    files: Files,
    kubeconfig: PathBuf,
}

fn entries(files: &Files, name: &str, plane: &ControlPlane) -> (Value, Value) {
    let (certificate, key) = plane
        .client_certificate("several", &["system:masters"])
        .unwrap();
    let written = |what: &str, text: &str| files.write(&format!("{name}.{what}"), text);
    (
        json!({"server": plane.server_url(), "certificate-authority": written("ca", plane.ca_pem())}),
        json!({"client-certificate": written("crt", &certificate), "client-key": written("key", &key)}),
    )
}

impl Two {
    fn new() -> Two {
        let (here, there, files) = (Space::new(), own_control_plane(), Files::new());
        let namespace = there.namespace("several").unwrap();
        let key = format!("{}.example/group", here.name);
        let jobs = |namespace: &str, count: i64| -> Vec<_> {
            (1..=count)
                .map(|age| job_in(namespace, &key, "g", &format!("sync-{age}"), age))
                .collect()
        };
        here.seed(&jobs(&here.name, 3));
        there.seed(&jobs(&namespace, 2)).unwrap();
        let (east, east_user) = entries(&files, "east", plane());
        let (west, west_user) = entries(&files, "west", &there);
        let context = |name: &str| json!({"cluster": name, "user": name});
        let nowhere = json!({"server": "https://127.0.0.1:1"});
        let written = config(
            &[("east", &east), ("west", &west), ("gone", &nowhere)],
            &[
                ("east", &east_user),
                ("west", &west_user),
                ("gone", &west_user),
            ],
            &[
                ("team-east", context("east")),
                ("team-west", context("west")),
                ("team-gone", context("gone")),
                ("again", json!({"cluster": "east", "user": "west"})),
            ],
            Some("team-east"),
        );
        let kubeconfig = files.write("config", &written.to_string());
        Two {
            here,
            there,
            namespace,
            key,
            files,
            kubeconfig,
        }
    }

    fn tool(&self, args: &[&str]) -> Command {
        let mut command = tool();
        command
            .args(["--kubeconfig", arg(&self.kubeconfig), "-A", "-L", &self.key])
            .arg("--cascade=background")
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        run(self.tool(args))
    }

    #[track_caller]
    fn holds(&self, here: &[&str], there: &[&str]) {
        self.here.holds(here);
        let jobs = ApiClient::admin(&self.there).jobs(&self.namespace);
        let names: BTreeSet<&str> = jobs.keys().map(String::as_str).collect();
        assert_eq!(names, there.iter().copied().collect());
    }

    #[track_caller]
    fn is_untouched(&self) {
        self.holds(&["sync-1", "sync-2", "sync-3"], &["sync-1", "sync-2"]);
    }
}

const BOTH: &str = "--contexts=team-[ew]*";

#[test]
fn one_question_names_each_cluster_with_its_number() {
    let two = Two::new();
    for (answer, code) in [("n", 4), ("y", 0)] {
        let mut terminal = Terminal::start(&two.tool(&[BOTH]), 200);
        terminal.wait_for("[y/N/l]");
        let text = terminal.text().replace('\n', "");
        let question = format!(
            "Purge 3 Jobs in 2 clusters: 2 from team-east ({}), 1 from team-west ({})?",
            plane().server_url(),
            two.there.server_url()
        );
        assert!(text.contains(&question), "{question}\n{text}");
        for cluster in ["CLUSTER team-east (", "CLUSTER team-west ("] {
            assert!(text.contains(cluster), "{text}");
        }
        if code == 4 {
            two.is_untouched();
        }
        terminal.enter(answer);
        let left = terminal.finish().exits(code);
        if code == 0 {
            for words in ["): 2 Jobs purged in ", "): 1 Job purged in "] {
                assert!(left.text.contains(words), "{words}\n{}", left.text);
            }
        }
    }
    two.holds(&["sync-1"], &["sync-1"]);
}

#[test]
fn programs_read_by_cluster() {
    let two = Two::new();
    let plans = two
        .run(&[BOTH, "--dry-run=client", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(plans["kind"], "PlanList");
    let contexts: Vec<&Value> = plans["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plan| &plan["cluster"]["context"])
        .collect();
    assert_eq!(contexts, ["team-east", "team-west"]);
    let rows = two.run(&[BOTH, "--dry-run=server", "-o", "tsv"]).exits(0);
    let rows: Vec<Vec<&str>> = (rows.out.lines())
        .map(|row| row.split('\t').collect())
        .collect();
    assert_eq!((rows[0][0], rows[0][1]), ("CLUSTER", "NAMESPACE"));
    let of = |cluster: &str| rows.iter().filter(|row| row[0] == cluster).count();
    assert_eq!((rows.len(), of("team-east"), of("team-west")), (6, 3, 2));
    assert_eq!(
        rows.iter()
            .filter(|row| row.last() == Some(&"would-delete"))
            .count(),
        3
    );
    two.is_untouched();
    // One that matches is a list as well.
    let plans = two.run(&["--contexts=team-west", "--dry-run=client", "-o", "json"]);
    assert_eq!(plans.exits(0).json()["items"].as_array().unwrap().len(), 1);
    let reports = two.run(&[BOTH, "--yes", "-o", "yaml"]).exits(0);
    assert!(
        reports.out.contains("kind: ReportList"),
        "{}",
        reports.story()
    );
    two.holds(&["sync-1"], &["sync-1"]);
}

#[test]
fn one_plan_that_fails_means_none() {
    let two = Two::new();
    two.run(&["--contexts=team-*", "--yes"])
        .exits(1)
        .complains(&["error: team-gone: "]);
    two.is_untouched();
    two.run(&["--contexts=team-*", "--yes", "--skip-unreachable"])
        .exits(3)
        .complains(&["error: team-gone: left out: "])
        .shows(&["team-east", "team-west"]);
    two.holds(&["sync-1"], &["sync-1"]);
}

/// A cluster that answers, if only to refuse, is no cluster that does not answer.
#[test]
fn a_cluster_that_refuses_is_not_left_out() {
    let two = Two::new();
    let refuses = Proxy::new(ApiClient::admin(plane()), |_, _| {
        Reply::refusal(403, "Forbidden", "not you")
    });
    let (east, east_user) = entries(&two.files, "east", plane());
    let context = |name: &str| json!({"cluster": name, "user": "east"});
    let proxy = json!({"server": refuses.url});
    let written = config(
        &[("east", &east), ("refuses", &proxy)],
        &[("east", &east_user)],
        &[("east", context("east")), ("refuses", context("refuses"))],
        None,
    );
    let kubeconfig = two.files.write("refuses", &written.to_string());
    let mut command = tool();
    command.args(["--kubeconfig", arg(&kubeconfig), "-A", "-L", &two.key]);
    command.args(["--contexts=*", "--yes", "--skip-unreachable"]);
    run(command).exits(1).complains(&["error: refuses: "]);
    two.is_untouched();
}

#[test]
fn the_same_cluster_twice_is_refused() {
    let two = Two::new();
    two.run(&["--contexts=team-east,again", "--yes"])
        .exits(2)
        .complains(&["lead to the same cluster"]);
    // By another address as well.
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| up.pass(request));
    let (east, user) = entries(&two.files, "east", plane());
    let other = json!({"server": proxy.url});
    let context = |name: &str| json!({"cluster": name, "user": "east"});
    let written = config(
        &[("east", &east), ("other", &other)],
        &[("east", &user)],
        &[("east", context("east")), ("other", context("other"))],
        None,
    );
    let kubeconfig = two.files.write("twice", &written.to_string());
    let mut command = tool();
    command.args(["--kubeconfig", arg(&kubeconfig), "-A", "-L", &two.key]);
    command.args(["--contexts=*", "--yes"]);
    run(command)
        .exits(2)
        .complains(&["lead to the same cluster"]);
    two.is_untouched();
}

#[test]
fn the_limit_counts_for_each_cluster() {
    let two = Two::new();
    two.run(&[BOTH, "--yes", "--max-purge=1"])
        .exits(5)
        .complains(&["error: team-east: nothing was deleted: the plan would purge 2 of 3 Jobs"])
        .shows(&["CLUSTER team-west"]);
    two.is_untouched();
    two.run(&[BOTH, "--yes", "--max-purge=2"]).exits(0);
    two.holds(&["sync-1"], &["sync-1"]);
}

#[test]
fn mistakes_delete_nothing() {
    let two = Two::new();
    two.run(&["--contexts=prod-*", "--yes"])
        .exits(1)
        .complains(&["error: --contexts prod-*: no context matches", "team-east"]);
    for args in [
        &["--contexts=", "--yes"][..],
        &[BOTH, "--yes", "--context=team-east"],
        &[BOTH, "--yes", "--server=https://127.0.0.1:1"],
        &[BOTH, "--yes", "--token=t"],
        &[BOTH, "--dry-run=client", "-o", "name"],
        &[BOTH, "-i"],
        &["--skip-unreachable", "--yes"],
        &[BOTH],
    ] {
        two.run(args).exits(2);
    }
    two.is_untouched();
}
