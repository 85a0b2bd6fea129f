//! Which Jobs are looked at: labels, namespaces, selectors, pages.

use controlplane::SeedJob;
use serde_json::json;

use crate::support::control_plane::{hours_ago, job_in};
use crate::support::document::text;
use crate::support::kubeconfig::{Files, config};
use crate::support::{LABEL, Space, audit, everywhere, jobs_of, plane, run, tool, verdicts};

const CLIENT: [&str; 3] = ["--dry-run=client", "-o", "json"];

/// The admin's tool without a namespace or a label.
fn bare(args: &[&str]) -> std::process::Command {
    let mut command = tool();
    command
        .arg("--kubeconfig")
        .arg(plane().kubeconfig())
        .args(CLIENT)
        .args(args);
    command
}

fn pair(space: &Space, key: &str) -> [SeedJob; 2] {
    let job = |name: &str, age| SeedJob::new(&space.name, name, hours_ago(age)).label(key, "g");
    [job("sync-2", 1), job("sync-1", 2)]
}

const NEWER_AND_OLDER: [&str; 2] = ["sync-2 SKIP newest", "sync-1 PURGE superseded"];

#[test]
fn argo_cds_label_names_an_application_too() {
    let space = Space::new();
    space.seed(&pair(&space, "argocd.argoproj.io/instance"));
    space.seed(&[space.job("g", "other-1", 1), space.job("g", "other-2", 2)]);
    let run = run(bare(&["-n", &space.name])).exits(0);
    assert_eq!(verdicts(&run.json()), NEWER_AND_OLDER);
    assert_eq!(run.json()["groupBy"], "application");
}

#[test]
fn the_environment_names_the_label_and_the_flag_outranks_it() {
    let space = Space::new();
    space.seed(&pair(&space, "test.example/env"));
    let mut command = bare(&["-n", &space.name]);
    command.env("JOBCLEAN_LABEL", "test.example/env");
    assert_eq!(verdicts(&run(command).exits(0).json()), NEWER_AND_OLDER);

    let mut command = bare(&["-n", &space.name, "-L", "test.example/absent"]);
    command.env("JOBCLEAN_LABEL", "test.example/env");
    let nothing = run(command).exits(0).json();
    assert!(jobs_of(&nothing).is_empty(), "{nothing:#}");
    assert_eq!(nothing["labels"], json!(["test.example/absent"]));
}

#[test]
fn an_empty_label_in_the_environment_is_an_error_not_a_deletion() {
    let space = Space::new();
    space.seed(&pair(&space, "argocd.argoproj.io/instance"));
    let mut command = tool();
    command
        .env("JOBCLEAN_LABEL", "")
        .arg("--kubeconfig")
        .arg(plane().kubeconfig())
        .args(["-n", &space.name, "--yes"]);
    run(command).exits(2);
    space.holds(&["sync-1", "sync-2"]);
}

#[test]
fn several_labels_make_a_composite_group() {
    let space = Space::new();
    let job = |name: &str, age: i64, app: &str, step: Option<&str>| {
        let job = SeedJob::new(&space.name, name, hours_ago(age)).label("test.example/app", app);
        match step {
            Some(step) => job.label("test.example/step", step),
            None => job,
        }
    };
    space.seed(&[
        job("sync-1", 9, "a", Some("x")),
        job("sync-2", 8, "a", Some("y")),
        job("sync-3", 7, "a", Some("x")),
        job("sync-4", 6, "b", Some("x")),
        job("sync-5", 5, "b", Some("")),
        job("sync-6", 4, "b", Some("")),
        job("sync-7", 3, "a", None),
    ]);
    let labels = ["-L", "test.example/app", "-L", "test.example/step"];
    let plan = run(bare(&[&["-n", &space.name][..], &labels].concat()))
        .exits(0)
        .json();
    assert_eq!(
        plan["labels"],
        json!(["test.example/app", "test.example/step"])
    );
    let groups: Vec<_> = plan["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["labels"].clone())
        .collect();
    let labels =
        |app: &str, step: &str| json!({"test.example/app": app, "test.example/step": step});
    assert_eq!(
        groups,
        [
            labels("a", "x"),
            labels("a", "y"),
            labels("b", ""),
            labels("b", "x")
        ]
    );
    assert_eq!(
        verdicts(&plan),
        [
            "sync-3 SKIP newest",
            "sync-1 PURGE superseded",
            "sync-2 SKIP newest",
            "sync-6 SKIP newest",
            "sync-5 PURGE superseded",
            "sync-4 SKIP newest",
        ]
    );
}

#[test]
fn an_empty_label_value_is_a_group_of_its_own() {
    let space = Space::new();
    space.seed(&[
        space.job("", "sync-1", 3),
        space.job("", "sync-2", 2),
        space.job("g", "sync-3", 1),
        SeedJob::new(&space.name, "sync-4", hours_ago(4)),
    ]);
    assert_eq!(
        space.plan(&[]),
        [
            "sync-2 SKIP newest",
            "sync-1 PURGE superseded",
            "sync-3 SKIP newest"
        ]
    );
}

#[test]
fn without_n_the_contexts_namespace_is_meant() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let files = Files::new();
    let context = |namespace: &str| json!({"cluster": "c", "user": "u", "namespace": namespace});
    let kubeconfig = files.write(
        "config",
        &config(
            &[("c", &files.cluster())],
            &[("u", &files.user("admin", &["system:masters"]))],
            &[
                ("here", context(&space.name)),
                ("there", context("default")),
            ],
            Some("here"),
        )
        .to_string(),
    );
    let plan = |args: &[&str]| {
        let mut command = tool();
        command
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .args(CLIENT)
            .args(["-L", LABEL])
            .args(args);
        let document = run(command).exits(0).json();
        assert_eq!(document["cluster"]["server"], plane().server_url());
        verdicts(&document)
    };
    assert_eq!(plan(&[]), NEWER_AND_OLDER);
    assert_eq!(plan(&["--context", "there"]), [""; 0]);
    assert_eq!(
        plan(&["--context", "there", "-n", &space.name]),
        NEWER_AND_OLDER
    );
}

#[test]
fn a_context_without_a_namespace_means_default() {
    let key = "test.example/in-default";
    let job = job_in("default", key, "g", "which-jobs-default-1", 2);
    plane().seed(&[job]).unwrap();
    let plan = run(bare(&["-L", key])).exits(0).json();
    assert_eq!(verdicts(&plan), ["which-jobs-default-1 SKIP newest"]);
    assert_eq!(plan["groups"][0]["namespace"], "default");
}

#[test]
fn all_namespaces_wins_over_one_and_groups_stay_apart() {
    let key = "test.example/everywhere";
    let (one, two) = (Space::new(), Space::new());
    for space in [&one, &two] {
        space.seed(&pair(space, key));
    }
    for args in [&["-A"][..], &["-A", "-n", &one.name], &["--all-namespaces"]] {
        let plan = run(bare(&[&["-L", key][..], args].concat()))
            .exits(0)
            .json();
        assert_eq!(
            verdicts(&plan),
            [NEWER_AND_OLDER, NEWER_AND_OLDER].concat(),
            "{args:?}"
        );
        let mut expected = [one.name.as_str(), two.name.as_str()];
        expected.sort_unstable();
        let groups = plan["groups"].as_array().unwrap();
        let namespaces: Vec<&str> = groups
            .iter()
            .map(|group| text(group, "namespace"))
            .collect();
        assert_eq!(namespaces, expected);
    }
    let plan = run(bare(&["-L", key, "-n", &one.name])).exits(0).json();
    assert_eq!(verdicts(&plan), NEWER_AND_OLDER);
}

/// Every form of the grammar, each with the Jobs that Kubernetes selects.
#[test]
fn a_selector_is_anded_with_having_the_label() {
    let space = Space::new();
    let job = |name: &str, env: Option<&str>, tier: Option<&str>| {
        let mut job = space.job(name, name, 1);
        for (key, value) in [("env", env), ("test.example/tier", tier)] {
            if let Some(value) = value {
                job = job.label(key, value);
            }
        }
        job
    };
    space.seed(&[
        job("a-1", Some("prod"), Some("5")),
        job("b-1", Some("dev"), Some("10")),
        job("c-1", Some(""), None),
        job("d-1", None, Some("x")),
        SeedJob::new(&space.name, "unlabelled", hours_ago(1)).label("env", "prod"),
    ]);
    let cases: [(&str, &[&str]); 17] = [
        ("env=prod", &["a-1"]),
        ("env==prod", &["a-1"]),
        ("env!=prod", &["b-1", "c-1", "d-1"]),
        ("env", &["a-1", "b-1", "c-1"]),
        ("!env", &["d-1"]),
        ("env=", &["c-1"]),
        ("env!=", &["a-1", "b-1", "d-1"]),
        ("env in (prod, dev)", &["a-1", "b-1"]),
        ("env in (prod,)", &["a-1", "c-1"]),
        ("env notin (prod,dev)", &["c-1", "d-1"]),
        ("test.example/tier>6", &["b-1"]),
        ("test.example/tier < 6", &["a-1"]),
        ("env=prod,test.example/tier=5", &["a-1"]),
        ("env=prod,test.example/tier=10", &[]),
        (" env in ( dev ) , test.example/tier ", &["b-1"]),
        ("in in (in)", &[]),
        ("env,!test.example/tier", &["c-1"]),
    ];
    for (selector, expected) in cases {
        let kubectl = plane()
            .kubectl_run([
                "get",
                "jobs",
                "-n",
                &space.name,
                "-o",
                "jsonpath={.items[*].metadata.name}",
                "-l",
                &[selector, ",", LABEL].concat(),
            ])
            .unwrap();
        let kubectl: Vec<&str> = kubectl.split_whitespace().collect();
        assert_eq!(kubectl, expected, "kubectl get jobs -l {selector:?}");
        let document = space
            .run(&[&["-l", selector][..], &CLIENT].concat())
            .exits(0)
            .json();
        let names: Vec<&str> = jobs_of(&document)
            .into_iter()
            .map(|job| text(job, "name"))
            .collect();
        assert_eq!(names, expected, "-l {selector:?}");
    }
}

#[test]
fn a_bad_selector_is_a_usage_error() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    for selector in [
        "env in", "env in (", "=x", "a b", "env=a=b", "!env=x", "tier>x", ",", "env==!",
    ] {
        let run = space.run(&["--yes", "-l", selector]).exits(2);
        assert_eq!(run.out, "", "{selector:?}: {}", run.story());
    }
    space.holds(&["sync-1", "sync-2"]);
}

#[test]
fn every_chunk_size_gives_the_same_plan() {
    let space = Space::new();
    // Neighbours in the list are of different groups, so that pages cut through them.
    let jobs: Vec<_> = (0..23)
        .map(|number| {
            let group = format!("g{}", number % 3);
            space.job(&group, &format!("sync-{number:02}"), (number * 7) % 23)
        })
        .collect();
    space.seed(&jobs);
    let expected = space.plan(&[]);
    assert_eq!(expected.len(), 23);
    assert_eq!(
        expected
            .iter()
            .filter(|line| line.contains("PURGE"))
            .count(),
        20
    );
    let flags = [
        "--chunk-size=0",
        "--chunk-size=1",
        "--chunk-size=7",
        "--chunk-size=500",
        "--limit=7",
    ];
    for flag in flags {
        assert_eq!(space.plan(&[flag]), expected, "{flag}");
    }
    // 2 lists of one page by default and 500, one of 0, 23 of 1, and 4 of 7 twice; a page's size is what was asked.
    let lists = audit::wait_for(&space.name, "list", 2 + 1 + 23 + 4 + 4);
    assert_eq!(lists.len(), 34);
    let with = |word: &str| {
        lists
            .iter()
            .filter(|event| {
                text(event, "requestURI")
                    .split(['?', '&'])
                    .any(|part| part == word)
            })
            .count()
    };
    assert_eq!(
        (with("limit=1"), with("limit=7"), with("limit=500")),
        (23, 8, 2)
    );
}

#[test]
fn a_purge_over_many_pages_takes_them_all() {
    let space = Space::new();
    let jobs: Vec<_> = (0..31)
        .map(|number| space.job("g", &format!("sync-{number}"), number))
        .collect();
    space.seed(&jobs);
    space
        .run(&["--yes", "--chunk-size=4", "--cascade=background"])
        .exits(0);
    space.holds(&["sync-0"]);
}

#[test]
fn a_purge_of_all_namespaces_keeps_one_in_each() {
    let key = "test.example/everywhere-purge";
    let (one, two) = (Space::new(), Space::new());
    for space in [&one, &two] {
        space.seed(&pair(space, key));
        space.seed(&[space.job("g", "other-1", 2), space.job("g", "other-2", 1)]);
    }
    run(everywhere(key, &["--yes", "--cascade=background"])).exits(0);
    for space in [&one, &two] {
        space.holds(&["other-1", "other-2", "sync-2"]);
    }
}

#[test]
fn a_purge_with_a_selector_leaves_the_others() {
    let space = Space::new();
    space.seed(&[
        space.job("g", "sync-1", 4).label("env", "prod"),
        space.job("g", "sync-2", 3).label("env", "prod"),
        space.job("g", "sync-3", 2).label("env", "dev"),
        space.job("g", "sync-4", 1).label("env", "dev"),
    ]);
    space
        .run(&["--yes", "--cascade=background", "-l", "env=prod"])
        .exits(0);
    space.holds(&["sync-2", "sync-3", "sync-4"]);
}
