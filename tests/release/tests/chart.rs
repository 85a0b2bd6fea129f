//! `deploy/chart`, rendered and installed by the real helm, applied to the real API server, and held against the
//! kustomization.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::cron_job::{
    args_of, args_with, objects, of_kind, pod_spec, policy_of, rules_by_the_tool, rules_of, tool,
};
use crate::support::{
    file_of, is_admitted_as_restricted, jobs, namespace_with_jobs, plane, project, read, run,
    succeeds_quietly, token, tools,
};

fn chart() -> PathBuf {
    project().root.join("deploy/chart")
}

/// helm for the one control plane, with nothing of the user's.
fn helm(args: &[&str]) -> Command {
    let mut command = Command::new(tools().join("helm"));
    command
        .args(args)
        .env_clear()
        .env("HOME", plane().home())
        .env("KUBECONFIG", plane().kubeconfig());
    command
}

/// What helm does with the chart.
fn template(release: &str, namespace: &str, values: &Value) -> Output {
    let mut command = helm(&["template", release, "--namespace", namespace]);
    // The version that a release build of helm takes for granted is left out of one from source.
    command.args(["--kube-version", "1.36.0", "--values"]);
    run(command
        .arg(file_of(&values.to_string()).path())
        .arg(chart()))
}

fn rendered(release: &str, namespace: &str, values: &Value) -> String {
    let output = template(release, namespace, values);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{values}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Fails unless helm refuses the values, and says these words.
fn is_refused(values: &Value, words: &[&str]) {
    let output = template("nightly", "ops", values);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{values}");
    for word in words {
        assert!(said.contains(word), "{values}: no {word:?} in {said}");
    }
}

/// The objects, which the server takes as they are, and warns of nothing.
fn accepted(release: &str, namespace: &str, values: &Value) -> Vec<Value> {
    let text = rendered(release, namespace, values);
    let mut apply = plane().kubectl_command(["apply", "--server-side", "--filename"]);
    succeeds_quietly(apply.arg(file_of(&text).path()));
    objects(&text)
}

#[test]
fn its_defaults_are_those_of_the_kustomization() {
    let namespace = plane().namespace("chart").unwrap();
    let objects = accepted("nightly", &namespace, &json!({}));
    let kinds: Vec<&str> = objects
        .iter()
        .map(|object| object["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "ServiceAccount",
            "ClusterRole",
            "ClusterRole",
            "ClusterRoleBinding",
            "ClusterRoleBinding",
            "CronJob"
        ]
    );
    let ours: Vec<Value> = ["deploy/rbac.yaml", "deploy/cronjob.yaml"]
        .iter()
        .flat_map(|path| self::objects(&read(path)))
        .collect();
    let theirs = of_kind(&ours, "CronJob")[0];
    assert_eq!(
        rules_of(&objects, "ClusterRole"),
        rules_of(&ours, "ClusterRole")
    );
    assert_eq!(
        objects[0]["automountServiceAccountToken"],
        of_kind(&ours, "ServiceAccount")[0]["automountServiceAccountToken"]
    );
    let cron_job = of_kind(&objects, "CronJob")[0];
    let without_its_own = |cron_job: &Value| {
        let mut cron_job = cron_job.clone();
        let spec = cron_job["spec"].as_object_mut().unwrap();
        // False is what it is by default.
        spec.remove("suspend");
        spec["jobTemplate"]
            .as_object_mut()
            .unwrap()
            .remove("metadata");
        let template = &mut spec["jobTemplate"]["spec"]["template"];
        template.as_object_mut().unwrap().remove("metadata");
        let pod = template["spec"].as_object_mut().unwrap();
        pod.remove("serviceAccountName");
        let container = pod["containers"][0].as_object_mut().unwrap();
        for own in ["image", "imagePullPolicy", "args"] {
            container.remove(own);
        }
        cron_job["spec"].clone()
    };
    assert_eq!(without_its_own(cron_job), without_its_own(theirs));
    let mut args = args_of(cron_job);
    args.retain(|arg| *arg != "--group-by=application");
    assert_eq!(args, args_of(theirs));
}

#[test]
fn values_become_flags_that_the_tool_understands() {
    let [namespace, one, two] = [(); 3].map(|()| plane().namespace("chart").unwrap());
    for (values, expected) in [
        (
            json!({"label": "app.kubernetes.io/instance"}),
            "--label=app.kubernetes.io/instance",
        ),
        (
            json!({"groupBy": "annotation:meta.helm.sh/release-name"}),
            "--group-by=annotation:meta.helm.sh/release-name",
        ),
        (
            json!({"groupBy": "family", "dryRun": true}),
            "--dry-run=client",
        ),
        (
            json!({"flags": ["--keep=3", "--exclude-namespace=kube-*", "-lenv=n,y!=A", "-q"]}),
            "--exclude-namespace=kube-*",
        ),
        (
            json!({"namespaces": [one, two], "suspend": true, "timeZone": "Etc/UTC"}),
            "--yes",
        ),
        (json!({"gitops": "require"}), "--gitops=require"),
        (
            json!({"namespaces": [one], "gitopsNamespaces": [one, two]}),
            "--gitops-namespace=",
        ),
        (
            json!({"gitops": "ignore", "namespaces": [one]}),
            "--gitops=ignore",
        ),
        (
            json!({"policy": {"defaults": {"keep": 2}}}),
            "--policy=/etc/jobclean/policy.yaml",
        ),
        (
            json!({"policy": {"rules": [{"match": {"namespaces": ["a-*"]}, "hold": true}]},
                "namespaces": [one, two]}),
            "--policy=",
        ),
        (
            json!({"policy": {"namespaceAnnotations": false, "defaults": {"keepWithin": "7d"}}}),
            "--policy=",
        ),
        // A key without a value in YAML.
        (
            json!({"flags": null, "labels": null, "annotations": null, "resources": null,
                "serviceAccount": {"annotations": null}}),
            "--yes",
        ),
    ] {
        let objects = accepted("nightly", &namespace, &values);
        let of_tools = |object: &&Value| {
            object["metadata"]["name"]
                .as_str()
                .unwrap()
                .ends_with("-gitops")
        };
        let roles = objects.iter().filter(|object| object["rules"].is_array());
        let (of_tools, of_jobs): (Vec<&Value>, Vec<&Value>) = roles.partition(of_tools);
        let cron_jobs = of_kind(&objects, "CronJob");
        assert_eq!(of_jobs.len(), cron_jobs.len());
        for cron_job in cron_jobs {
            let args = args_of(cron_job);
            assert!(
                args.iter().any(|arg| arg.starts_with(expected)),
                "{expected} in {args:?}"
            );
            let policy = policy_of(cron_job, &objects).map(|text| file_of(&text));
            let args = args_with(cron_job, policy.as_ref());
            let needed = rules_by_the_tool(&args);
            for role in &of_jobs {
                assert_eq!(role["rules"], needed[0], "{args:?}");
            }
            let of_tools: Vec<Value> = of_tools.iter().map(|role| role["rules"].clone()).collect();
            assert_eq!(of_tools, needed[1..], "{args:?}");
        }
    }
    let text = rendered("nightly", &namespace, &json!({"namespaces": [one, two]}));
    let objects = objects(&text);
    let places: Vec<&Value> = of_kind(&objects, "Role")
        .iter()
        .map(|role| &role["metadata"]["namespace"])
        .collect();
    assert_eq!(places, [&json!(one), &json!(two)]);
    let looks: Vec<Vec<&str>> = of_kind(&objects, "CronJob")
        .into_iter()
        .map(args_of)
        .collect();
    assert_eq!(looks[0][0], format!("--namespace={one}"));
    assert_eq!(looks[1][0], format!("--namespace={two}"));
}

#[test]
fn what_is_added_is_there() {
    let values = json!({
        "labels": {"team": "07"}, "annotations": {"note": "x"}, "schedule": "@daily",
        "image": {"tag": "2.0.0"}, "imagePullSecrets": [{"name": "s"}],
        "nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}],
        "serviceAccount": {"create": false, "name": "own"},
    });
    let objects = objects(&rendered("nightly", "ops", &values));
    assert_eq!(of_kind(&objects, "ServiceAccount").len(), 0);
    let cron_job = of_kind(&objects, "CronJob")[0];
    let of_pods = &cron_job["spec"]["jobTemplate"]["spec"]["template"];
    for object in objects.iter().chain([of_pods]) {
        assert_eq!(object["metadata"]["labels"]["team"], "07", "{object:#}");
        assert_eq!(object["metadata"]["annotations"]["note"], "x", "{object:#}");
    }
    let pod = pod_spec(cron_job);
    assert_eq!(cron_job["spec"]["schedule"], "@daily");
    assert_eq!(
        pod["containers"][0]["image"],
        "REGISTRY/kubectl-jobclean:2.0.0"
    );
    assert_eq!(pod["serviceAccountName"], "own");
    for value in ["imagePullSecrets", "nodeSelector", "tolerations"] {
        assert_eq!(pod[value], values[value]);
    }
    assert_eq!(
        of_kind(&objects, "ClusterRoleBinding")[0]["subjects"][0]["name"],
        "own"
    );
}

#[test]
fn names_that_yaml_takes_for_something_else_stay_names() {
    for (release, namespace) in [("123", "456"), ("true", "null"), ("1e3", "0x1f")] {
        plane()
            .kubectl_run(["create", "namespace", namespace])
            .unwrap();
        for values in [
            json!({}),
            json!({"namespaces": [namespace], "serviceAccount": {"name": "789"}}),
        ] {
            for object in accepted(release, namespace, &values) {
                assert!(object["metadata"]["name"].is_string(), "{object:#}");
            }
        }
    }
}

#[test]
fn long_names_stay_apart_and_short_enough() {
    let namespace = plane().namespace("chart").unwrap();
    // As long as helm lets the name of a release be, and as long as it stays. The server warns of a dot.
    let (longest, uncut) = ("a".repeat(51), "b".repeat(43));
    let releases = [
        &format!("{longest}-1"),
        &format!("{longest}-2"),
        &uncut,
        &format!("{uncut}c"),
        "c.d",
        "c-d",
    ];
    let values = json!({"namespaces": [namespace, "default"]});
    let mut all = Vec::new();
    for release in releases {
        for object in accepted(release, &namespace, &values) {
            let (kind, metadata) = (object["kind"].clone(), &object["metadata"]);
            let name = metadata["name"].as_str().unwrap();
            assert!(kind != "CronJob" || name.len() <= 52, "{name}");
            all.push(format!("{kind} {name} in {}", metadata["namespace"]));
        }
    }
    let uncut = format!("\"ServiceAccount\" {uncut} in \"{namespace}\"");
    assert!(all.contains(&uncut), "{all:#?}");
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "{all:#?}");
}

#[test]
fn keys_are_refused_where_the_tool_refuses_them() {
    let (longest, too_long) = ("n".repeat(63), "n".repeat(64));
    let keys = [
        "a",
        "A_b.c-d",
        "app.kubernetes.io/name",
        &format!("x-1.y/{longest}"),
        &too_long,
        "a b",
        ",",
        "a,b",
        "a=b",
        "/a",
        "a/",
        "a/b/c",
        "-a",
        "a-",
        "a..b/c",
        "a-.b/c",
        "A/b",
        "a:b",
        "é",
        "a\n",
        "\"a",
    ];
    let groupings = [
        "application",
        "family",
        "label:a",
        "label:a,b/c",
        "annotation:a/b,c,label:d",
        "label:",
        "label:,a",
        "label:a,",
        "label:a b",
        "label:a/b/c",
        "label:label:a",
        "labels:a",
        "a",
        "application,label:a",
        "label:a,annotation",
        "applications",
    ];
    let keys = keys.map(|key| ("label", format!("--label={key}"), key));
    let groupings = groupings.map(|by| ("groupBy", format!("--group-by={by}"), by));
    for (value, flag, text) in keys.into_iter().chain(groupings) {
        let by_the_tool = run(&mut tool(&["rbac", "-A", &flag])).status.success();
        let output = template("nightly", "ops", &json!({ value: text }));
        assert_eq!(output.status.success(), by_the_tool, "{value}: {text:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(by_the_tool || said.contains(value), "{said}");
    }
}

#[test]
fn flags_that_a_value_sets_are_refused() {
    for (value, flags) in [
        (
            "namespaces",
            &[
                "-A",
                "-A=false",
                "-Ax",
                "-qA",
                "--all-namespaces",
                "--all-namespaces=true",
                "-n",
                "-n=x",
                "-nfoo",
                "-vn",
                "--namespace",
                "--namespace=x",
            ][..],
        ),
        (
            "label",
            &["-L", "-L=x", "-Lx", "-qLx", "--label", "--label=x"],
        ),
        ("groupBy", &["--group-by", "--group-by=family"]),
        ("gitops", &["--gitops", "--gitops=ignore"]),
        ("gitopsNamespaces", &["--gitops-namespace=a"]),
        ("policy", &["--policy", "--policy=policy.yaml"]),
        (
            "dryRun",
            &[
                "-y",
                "-y=false",
                "-iy",
                "--yes",
                "--yes=false",
                "--dry-run",
                "--dry-run=server",
            ],
        ),
    ] {
        for flag in flags {
            let why = format!("flags: leave {flag} out, the value {value} sets it");
            is_refused(&json!({"flags": ["--keep=2", flag]}), &[&why]);
        }
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (values, words) in [
        (
            json!({"label": "app", "groupBy": "family"}),
            &["label and groupBy"][..],
        ),
        (json!({"groupBy": "labels:app"}), &["groupBy", "labels:app"]),
        (json!({"label": "a b"}), &["label", "'a b'"]),
        (json!({"namespace": "one"}), &["'namespace'"]),
        (json!({"namespaces": ["A"]}), &["/namespaces/0", "'A'"]),
        (json!({"namespaces": ["a", "a"]}), &["/namespaces"]),
        (json!({"flags": ["keep"]}), &["/flags/0", "'keep'"]),
        (json!({"flags": ["--"]}), &["/flags/0", "'--'"]),
        (json!({"suspend": "maybe"}), &["/suspend", "boolean"]),
        (json!({"schedule": ""}), &["/schedule"]),
        (
            json!({"gitops": "require", "policy": {"defaults": {"gitops": "require"}}}),
            &["gitops and policy.defaults.gitops"],
        ),
        (json!({"policy": {"rule": []}}), &["/policy", "'rule'"]),
        (json!({"policy": {"kind": "List"}}), &["/policy/kind"]),
        (json!({"image": {"tag": 2}}), &["/image/tag"]),
        (
            json!({"image": {"pullPolicy": "Sometimes"}}),
            &["/image/pullPolicy"],
        ),
        (
            json!({"serviceAccount": {"create": false}}),
            &["serviceAccount.create is false", "set serviceAccount.name"],
        ),
        (
            json!({"labels": {"team": "ops", "app.kubernetes.io/name": "x"}}),
            &["labels: ", "app.kubernetes.io/name"],
        ),
        (
            json!({"labels": {"helm.sh/chart": "x"}}),
            &["labels: ", "helm.sh/chart"],
        ),
    ] {
        is_refused(&values, words);
    }
}

#[test]
fn helm_finds_nothing_to_say_about_it() {
    let mut lint = helm(&["lint", "--strict", "--kube-version", "1.36.0"]);
    let output = run(lint.arg(chart()));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let chart = objects(&read("deploy/chart/Chart.yaml")).remove(0);
    assert_eq!(chart["appVersion"], project().version.as_str());
}

/// A namespace that takes only restricted Pods. A release in it may have its name, which no other has.
fn restricted() -> String {
    let namespace = plane().namespace("chart").unwrap();
    let mut label = plane().kubectl_command(["label", "namespace", &namespace]);
    succeeds_quietly(label.args(
        ["enforce", "warn"].map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted")),
    ));
    namespace
}

/// Installs or upgrades the release of a namespace's name, and returns what helm says.
fn install(namespace: &str, values: &Value) -> String {
    let mut command = helm(&["upgrade", "--install", namespace, "--namespace", namespace]);
    let values = file_of(&values.to_string());
    succeeds_quietly(command.arg("--values").arg(values.path()).arg(chart()))
}

/// What helm has installed as the release of a namespace's name.
fn manifest(namespace: &str) -> String {
    succeeds_quietly(&mut helm(&[
        "get",
        "manifest",
        namespace,
        "--namespace",
        namespace,
    ]))
}

/// Runs the tool with these arguments and the rights of the Pod's account.
fn run_as(pod: &Value, namespace: &str, args: &[&str]) -> (Output, String) {
    let account = pod["serviceAccountName"].as_str().unwrap();
    let admins = fs::read_to_string(plane().kubeconfig()).unwrap();
    let mut config: Value = serde_json::from_str(&admins).unwrap();
    config["users"][0]["user"] = json!({"token": token(account, namespace)});
    let output = run(tool(args).env("KUBECONFIG", file_of(&config.to_string()).path()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

#[test]
fn a_release_purges_where_it_is_told_to_and_leaves_nothing_behind() {
    // No other test's Jobs have this label, so a run everywhere purges none of those.
    let label = "example.com/chart";
    let [one, other] = [(); 2].map(|()| namespace_with_jobs(label));
    for (place, left) in [(json!([one]), 3), (json!([]), 1)] {
        let home = restricted();
        let values =
            json!({"namespaces": place, "label": label, "flags": ["--wait", "--timeout=1m"]});
        install(&home, &values);
        let text = manifest(&home);
        let objects = objects(&text);
        let cron_job = of_kind(&objects, "CronJob")[0];
        let pod = pod_spec(cron_job);
        is_admitted_as_restricted(&home, pod);
        let args = args_of(cron_job);
        let (output, said) = run_as(pod, &home, &args);
        assert!(output.status.success(), "{said}");
        assert_eq!(jobs(&one), ["sync-3"], "{said}");
        assert_eq!(jobs(&other).len(), left, "{said}");
        if left > 1 {
            let elsewhere = format!("--namespace={other}");
            let args = [&[elsewhere.as_str()], &args[1..]].concat();
            let (output, said) = run_as(pod, &home, &args);
            assert!(!output.status.success(), "{said}");
            assert_eq!(jobs(&other).len(), left, "{said}");
        }

        let file = file_of(&text);
        let there = || {
            let mut get =
                plane().kubectl_command(["get", "--ignore-not-found", "--output", "name"]);
            let found = succeeds_quietly(get.arg("--filename").arg(file.path()));
            found.lines().count()
        };
        assert_eq!(there(), objects.len());
        succeeds_quietly(&mut helm(&["uninstall", &home, "--namespace", &home]));
        assert_eq!(there(), 0);
        let secrets = format!("/api/v1/namespaces/{home}/secrets");
        assert_eq!(plane().get_json(&secrets).unwrap()["items"], json!([]));
    }
}

#[test]
fn a_release_keeps_what_its_policy_says() {
    let label = "example.com/chart-policy";
    let [held, cleaned] = [(); 2].map(|()| namespace_with_jobs(label));
    let home = restricted();
    let hold = json!({"name": "hold", "match": {"namespaces": [held]}, "hold": true});
    install(
        &home,
        &json!({"label": label, "policy": {"defaults": {"keep": 2}, "rules": [hold]}}),
    );
    let objects = objects(&manifest(&home));
    let cron_job = of_kind(&objects, "CronJob")[0];
    is_admitted_as_restricted(&home, pod_spec(cron_job));
    let policy = file_of(&policy_of(cron_job, &objects).unwrap());
    let args = args_with(cron_job, Some(&policy));
    let (output, said) = run_as(pod_spec(cron_job), &home, &args);
    assert!(output.status.success(), "{said}");
    assert_eq!(jobs(&held).len(), 3, "{said}");
    assert_eq!(jobs(&cleaned), ["sync-2", "sync-3"], "{said}");
}

#[test]
fn a_dry_run_has_no_right_to_delete() {
    let label = "example.com/chart-plan";
    let (home, place) = (restricted(), namespace_with_jobs(label));
    install(
        &home,
        &json!({"dryRun": true, "namespaces": [place], "label": label}),
    );
    let objects = objects(&manifest(&home));
    let cron_job = of_kind(&objects, "CronJob")[0];
    let mut args = args_of(cron_job);
    let (output, said) = run_as(pod_spec(cron_job), &home, &args);
    assert!(output.status.success(), "{said}");
    let plan = String::from_utf8(output.stdout).unwrap();
    assert!(plan.contains("sync-2"), "{plan}");

    let how = args.iter_mut().find(|arg| **arg == "--dry-run=client");
    *how.unwrap() = "--yes";
    let (output, said) = run_as(pod_spec(cron_job), &home, &args);
    assert!(
        !output.status.success() && said.contains("delete"),
        "{said}"
    );
    assert_eq!(jobs(&place).len(), 3);
}

#[test]
fn the_notes_say_that_there_is_no_image_yet() {
    let home = restricted();
    let warning = "set image.repository";
    let said = install(&home, &json!({}));
    assert!(
        said.contains(warning) && said.contains("REGISTRY/kubectl-jobclean"),
        "{said}"
    );
    let said = install(
        &home,
        &json!({"image": {"repository": "example.com/jobclean"}}),
    );
    assert!(
        said.contains("in every namespace.") && !said.contains(warning),
        "{said}"
    );
}

/// The paths of values that hold no others.
fn leaves(values: &Value, path: &str, found: &mut Vec<String>) {
    match values.as_object() {
        Some(inner) if !inner.is_empty() => {
            for (name, value) in inner {
                leaves(value, &format!("{path}/{name}"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn the_page_has_every_value_and_its_default() {
    let values = objects(&read("deploy/chart/values.yaml")).remove(0);
    let mut untold = Vec::new();
    leaves(&values, "", &mut untold);
    let page = read("deploy/README.md");
    let (_, table) = page
        .split_once("| value | default | meaning |\n|---|---|---|\n")
        .unwrap();
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let default: Value = serde_saphyr::from_str(cells[2].trim_matches('`')).unwrap();
        for name in cells[1].split(", ") {
            let path = format!("/{}", name.trim_matches('`').replace('.', "/"));
            assert_eq!(values.pointer(&path), Some(&default), "{row}");
            untold.retain(|leaf| *leaf != path && !leaf.starts_with(&format!("{path}/")));
        }
    }
    assert_eq!(untold, [""; 0]);
}
