//! `rbac` prints the least role: an account with it can do the run, and with less of it cannot.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::control_plane::job_in;
use crate::support::document::text;
use crate::support::kubeconfig::{Files, arg, config};
use crate::support::tool::{Run, run_fed};
use crate::support::{LABEL, Space, audit, plane, run, tool, until};

/// Runs kubectl as the admin with this on stdin.
#[track_caller]
fn kubectl(args: &[&str], input: &str) -> String {
    run_fed(plane().kubectl_command(args), input).exits(0).out
}

/// What the tool prints for these flags.
#[track_caller]
fn rbac(flags: &[&str]) -> String {
    let mut command = tool();
    command.arg("rbac").args(flags);
    let run = run(command).exits(0);
    assert_eq!(run.err, "", "{}", run.story());
    run.out
}

/// The objects in a YAML text, as kubectl reads them.
fn objects(yaml: &str) -> Vec<Value> {
    let args = ["create", "--dry-run=client", "--output=json", "-f", "-"];
    let json = kubectl(&args, yaml);
    let objects = serde_json::Deserializer::from_str(&json).into_iter();
    objects.map(Result::unwrap).collect()
}

fn verbs(role: &Value) -> Vec<&str> {
    let rules = role["rules"].as_array().unwrap();
    let all = rules
        .iter()
        .flat_map(|rule| rule["verbs"].as_array().unwrap());
    all.map(|verb| verb.as_str().unwrap()).collect()
}

/// A service account of a space.
struct Account {
    name: String,
    kubeconfig: PathBuf,
    _files: Files,
}

impl Account {
    /// One with a token of the server's and no rights beyond those that everybody has.
    fn new(space: &Space, name: &str) -> Self {
        let of_it = [name, "--namespace", &space.name];
        kubectl(&[&["create", "serviceaccount"][..], &of_it].concat(), "");
        let token = kubectl(&[&["create", "token"][..], &of_it].concat(), "");
        let files = Files::new();
        let user = json!({"token": token.trim()});
        let kubeconfig = files.simple("config", &files.cluster(), &user);
        Self {
            name: format!("{}:{name}", space.name),
            kubeconfig,
            _files: files,
        }
    }

    fn run(&self, flags: &[&str]) -> Run {
        let mut command = tool();
        command
            .args(["--kubeconfig", arg(&self.kubeconfig)])
            .args(flags);
        run(command)
    }

    /// Waits until the server lets it do this with what a rule of a role is about, or no longer does.
    #[track_caller]
    fn wait_until(&self, scope: &[&str], rule: &Value, verb: &str, may: bool) {
        let resource = match rule["resources"][0].as_str().unwrap() {
            "jobs" => "jobs.batch",
            other => other,
        };
        until(
            &format!("{} may {verb} {resource}: {may}", self.name),
            || {
                let mut can = plane().kubectl_command(["auth", "can-i", verb, resource]);
                can.args(scope).arg("--kubeconfig").arg(&self.kubeconfig);
                can.output().unwrap().status.success() == may
            },
        );
    }

    /// Fails unless the run can be done with `role`, which is bound to it, and with nothing less.
    #[track_caller]
    fn needs_all_of(&self, role: &Value, scope: &[&str], flags: &[&str], space: &Space) {
        let before = space.versions();
        let rules = role["rules"].as_array().unwrap();
        for rule in rules {
            for verb in rule["verbs"].as_array().unwrap() {
                self.wait_until(scope, rule, verb.as_str().unwrap(), true);
            }
        }
        for (number, rule) in rules.iter().enumerate() {
            for verb in rule["verbs"].as_array().unwrap() {
                let mut less = role.clone();
                let verbs = less["rules"][number]["verbs"].as_array_mut().unwrap();
                verbs.retain(|other| other != verb);
                if verbs.is_empty() {
                    less["rules"].as_array_mut().unwrap().remove(number);
                }
                kubectl(&["apply", "-f", "-"], &less.to_string());
                let verb = verb.as_str().unwrap();
                self.wait_until(scope, rule, verb, false);
                let run = self.run(flags);
                assert!(
                    matches!(run.code, Some(1 | 3)),
                    "without {verb}: {}",
                    run.story()
                );
                assert!(
                    run.err.contains("forbidden"),
                    "without {verb}: {}",
                    run.story()
                );
                assert_eq!(space.versions(), before);
                kubectl(&["apply", "-f", "-"], &role.to_string());
                self.wait_until(scope, rule, verb, true);
            }
        }
        self.run(flags).exits(0);
    }
}

/// A run in one namespace: its flags but for the scope, the role's name, its verbs.
#[track_caller]
fn in_one_namespace(flags: &[&str], scope: &[&str], name: &str, expected: &[&str], space: &Space) {
    let account = Account::new(space, "cleaner");
    let flags = [scope, flags].concat();
    let yaml = rbac(&[&flags[..], &["--serviceaccount", &account.name]].concat());
    kubectl(&["apply", "-f", "-"], &yaml);
    let objects = objects(&yaml);
    let [role, binding] = &objects[..] else {
        panic!("{yaml}")
    };
    for (object, kind) in [(role, "Role"), (binding, "RoleBinding")] {
        assert_eq!(text(object, "kind"), kind);
        assert_eq!(text(&object["metadata"], "namespace"), space.name);
    }
    assert_eq!(text(&role["metadata"], "name"), name);
    let bound = format!("{name}:{}", account.name);
    assert_eq!(text(&binding["metadata"], "name"), bound);
    assert_eq!(verbs(role), expected);
    account.needs_all_of(role, &["--namespace", &space.name], &flags, space);
}

fn two() -> Space {
    Space::with(&[("sync-1", 2), ("sync-2", 1)])
}

#[test]
fn a_purge_lists_and_deletes() {
    let space = two();
    let scope = ["-n", &space.name, "-L", LABEL];
    let flags = ["--yes", "--cascade=background"];
    in_one_namespace(&flags, &scope, "jobclean", &["list", "delete"], &space);
    space.holds(&["sync-2"]);
}

#[test]
fn a_dry_run_on_the_server_lists_and_deletes() {
    let space = two();
    let scope = ["-n", &space.name, "-L", LABEL];
    in_one_namespace(
        &["--dry-run"],
        &scope,
        "jobclean",
        &["list", "delete"],
        &space,
    );
    space.holds(&["sync-1", "sync-2"]);
}

#[test]
fn a_backup_needs_no_more() {
    let (space, files) = (two(), Files::new());
    let scope = ["-n", &space.name, "-L", LABEL];
    let folder = files.path("backup");
    let flags = ["--yes", "--cascade=background", "--backup", arg(&folder)];
    in_one_namespace(&flags, &scope, "jobclean", &["list", "delete"], &space);
    space.holds(&["sync-2"]);
    assert!(folder.join(&space.name).exists());
}

/// With a policy the Namespace is read as well, which may keep its Jobs.
#[test]
fn a_policy_gets_the_namespace() {
    let (space, files) = (two(), Files::new());
    let policy = |more: &str| {
        let text = format!("apiVersion: jobclean/v1\nkind: Policy\ndefaults: {{keep: 1}}\n{more}");
        files.write("policy.yaml", &text)
    };
    let path = policy("");
    let scope = ["-n", &space.name, "-L", LABEL];
    let flags = ["--yes", "--cascade=background", "--policy", arg(&path)];
    let verbs_needed = ["get", "list", "delete"];
    in_one_namespace(&flags, &scope, "jobclean", &verbs_needed, &space);
    space.holds(&["sync-2"]);
    let everywhere = |flags: &[&str]| {
        let role = &objects(&rbac(&[&["-A"][..], flags].concat()))[0];
        let rules = role["rules"].as_array().unwrap().iter();
        let rights = rules.map(|rule| (rule["resources"].clone(), rule["verbs"].clone()));
        rights.collect::<Vec<_>>()
    };
    let jobs = (json!(["jobs"]), json!(["list", "delete"]));
    let namespaces = (json!(["namespaces"]), json!(["list"]));
    assert_eq!(everywhere(&flags), [namespaces, jobs.clone()]);
    policy("namespaceAnnotations: false\n");
    assert_eq!(everywhere(&flags), [jobs]);
}

#[test]
fn what_only_plans_lists() {
    let (space, files) = (two(), Files::new());
    let scope = ["-n", &space.name, "-L", LABEL];
    in_one_namespace(
        &["--dry-run=client"],
        &scope,
        "jobclean-plan",
        &["list"],
        &space,
    );
    let space = two();
    let scope = ["-n", &space.name, "-L", LABEL];
    let file = files.path("plan.json");
    let flags = ["--save-plan", arg(&file)];
    in_one_namespace(&flags, &scope, "jobclean-plan", &["list"], &space);
    space.holds(&["sync-1", "sync-2"]);
}

/// The scope stands in the plan.
#[test]
fn a_saved_plan_needs_what_its_purge_needs() {
    let (space, files) = (two(), Files::new());
    let file = files.path("plan.json");
    space.run(&["--save-plan", arg(&file)]).exits(0);
    let flags = ["--plan", arg(&file), "--yes", "--cascade=background"];
    in_one_namespace(&flags, &[], "jobclean", &["list", "delete"], &space);
    space.holds(&["sync-2"]);
    // To look at it takes a list: it is shown as it is now.
    let space = two();
    space.run(&["--save-plan", arg(&file)]).exits(0);
    let look = ["--plan", arg(&file), "--dry-run=client"];
    in_one_namespace(&look, &[], "jobclean-plan", &["list"], &space);
    let lost = files.path("lost.json");
    let mut command = tool();
    command.args(["rbac", "--plan", arg(&lost)]);
    run(command).fails_clearly(&["cannot read the plan", "lost.json"]);
}

/// In all namespaces. The names are made this test's own, since a cluster has but one role of a name.
#[test]
fn every_namespace_takes_a_cluster_role() {
    const KEY: &str = "least-role.example/group";
    let space = Space::new();
    let jobs = [("sync-1", 2), ("sync-2", 1)];
    space.seed(&jobs.map(|(name, age)| job_in(&space.name, KEY, "g", name, age)));
    let account = Account::new(&space, "cleaner");
    let flags = ["-A", "-L", KEY, "--yes", "--cascade=background"];
    let yaml = rbac(&[&flags[..], &["--serviceaccount", &account.name]].concat());
    kubectl(&["apply", "--dry-run=server", "-f", "-"], &yaml);
    let mut objects = objects(&yaml);
    let [role, binding] = &mut objects[..] else {
        panic!("{yaml}")
    };
    assert_eq!(text(role, "kind"), "ClusterRole");
    assert_eq!(text(binding, "kind"), "ClusterRoleBinding");
    assert_eq!(text(&role["metadata"], "name"), "jobclean");
    assert_eq!(
        text(&binding["metadata"], "name"),
        format!("jobclean:{}", account.name)
    );
    assert_eq!(text(&binding["roleRef"], "name"), "jobclean");
    assert_eq!(verbs(role), ["list", "delete"]);
    for object in [&*role, &*binding] {
        assert_eq!(object["metadata"]["namespace"], Value::Null);
    }
    let own = format!("jobclean-{}", space.name);
    role["metadata"]["name"] = own.clone().into();
    binding["metadata"]["name"] = own.clone().into();
    binding["roleRef"]["name"] = own.into();
    kubectl(&["apply", "-f", "-"], &format!("{role}\n---\n{binding}\n"));
    account.needs_all_of(role, &["--all-namespaces"], &flags, &space);
    space.holds(&["sync-2"]);
}

#[test]
fn without_a_scope_it_is_the_contexts_namespace() {
    let files = Files::new();
    let cluster = json!({"server": "https://127.0.0.1:1"});
    let namespace_of = |context: Value| {
        let contexts = [("only", context)];
        let config = config(&[("c", &cluster)], &[], &contexts, Some("only"));
        let path = files.write("config", &config.to_string());
        let objects = objects(&rbac(&["--kubeconfig", arg(&path)]));
        assert_eq!(objects.len(), 1);
        text(&objects[0]["metadata"], "namespace").to_owned()
    };
    assert_eq!(
        namespace_of(json!({"cluster": "c", "namespace": "team-a"})),
        "team-a"
    );
    assert_eq!(namespace_of(json!({"cluster": "c"})), "default");
    let mut nowhere = tool();
    nowhere.arg("rbac");
    let run = run(nowhere).fails_clearly(&["cannot tell the namespace"]);
    assert!(run.err.contains("-n"), "{}", run.story());
}

/// A namespace may have a name that YAML takes for something else.
#[test]
fn names_stay_names() {
    for name in [
        "on",
        "no",
        "y",
        "null",
        "123",
        "1e3",
        "0x1f",
        "012",
        "1-2",
        "2001-01-01",
        "true",
    ] {
        let account = format!("{name}:{name}");
        let objects = objects(&rbac(&["-n", name, "--serviceaccount", &account]));
        for object in &objects {
            assert_eq!(text(&object["metadata"], "namespace"), name);
        }
        let subject = &objects[1]["subjects"][0];
        assert_eq!(
            (text(subject, "namespace"), text(subject, "name")),
            (name, name)
        );
    }
}

#[test]
fn what_has_no_role_is_refused() {
    let refused = |flags: &[&str], words: &[&str]| {
        let mut command = tool();
        command.arg("rbac").args(flags);
        let run = run(command).exits(2).complains(words);
        assert_eq!(run.out, "", "{}", run.story());
    };
    refused(&["-f", "jobs.json"], &["needs no rights", "--filename"]);
    refused(&["-A", "--as", "jane"], &["jane", "--as"]);
    refused(&["-A", "--yess"], &["--yess"]);
    refused(&["-A", "-L", "a", "-L", "a"], &["given twice"]);
    refused(&["-n", "a", "--plan", "p"], &["--plan"]);
    for account in [
        "",
        "cleaner",
        ":cleaner",
        "ops:",
        "a:b:c",
        "Ops:cleaner",
        "ops:-x",
        "o.p:x",
    ] {
        refused(&["-A", "--serviceaccount", account], &["--serviceaccount"]);
    }
}

#[test]
fn it_changes_nothing() {
    let space = two();
    let kubeconfig: &Path = plane().kubeconfig();
    rbac(&[
        "--kubeconfig",
        arg(kubeconfig),
        "-n",
        &space.name,
        "-L",
        LABEL,
        "--yes",
    ]);
    space.holds(&["sync-1", "sync-2"]);
    assert!(audit::all(&space.name, "delete").is_empty());
}
