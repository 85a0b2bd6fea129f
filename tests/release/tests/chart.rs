//! `deploy/chart`, rendered by the real helm, applied to the real API server, and held against the kustomization.

use std::fs;
use std::process::{Command, Output};

use controlplane::build_tool;
use serde_json::{Value, json};

use crate::support::{plane, project, read, run, tools};

/// What helm does with the chart.
fn template(namespace: &str, args: &[&str]) -> Output {
    let mut command = Command::new(tools().join("helm"));
    let chart = project().root.join("deploy/chart");
    command.args(["template", "nightly"]).arg(chart);
    // The version that a release build of helm takes for granted is left out of one from source.
    command.args(["--namespace", namespace, "--kube-version", "1.36.0"]);
    run(command.args(args))
}

fn rendered(namespace: &str, args: &[&str]) -> String {
    let output = template(namespace, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

fn objects(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects
        .iter()
        .filter(|object| object["kind"] == kind)
        .collect()
}

/// The server takes all of it as it is, and warns of nothing.
fn is_accepted(text: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let mut apply = plane().kubectl_command(["apply", "--server-side", "--filename"]);
    let output = run(apply.arg(file.path()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{text}");
    assert_eq!(said, "", "{text}");
}

fn pod_spec(cron_job: &Value) -> &Value {
    &cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
}

fn args_of(cron_job: &Value) -> Vec<&str> {
    let args = pod_spec(cron_job)["containers"][0]["args"]
        .as_array()
        .unwrap();
    args.iter().map(|arg| arg.as_str().unwrap()).collect()
}

/// The tool understands the flags: it prints the role that such a run needs, which has to be the chart's.
fn rules_by_the_tool(args: &[&str]) -> Value {
    let mut command = Command::new(build_tool().unwrap());
    let output = run(command.arg("rbac").args(args).env_remove("JOBCLEAN_LABEL"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}\n{said}");
    let role: Value = serde_saphyr::from_slice(&output.stdout).unwrap();
    role["rules"].clone()
}

#[test]
fn its_defaults_are_those_of_the_kustomization() {
    let namespace = plane().namespace("chart").unwrap();
    let text = rendered(&namespace, &[]);
    is_accepted(&text);
    let objects = objects(&text);
    let kinds: Vec<&str> = objects
        .iter()
        .map(|object| object["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "ServiceAccount",
            "ClusterRole",
            "ClusterRoleBinding",
            "CronJob"
        ]
    );
    let ours: Vec<Value> = ["deploy/rbac.yaml", "deploy/cronjob.yaml"]
        .iter()
        .flat_map(|path| self::objects(&read(path)))
        .collect();
    let (theirs, role) = (
        of_kind(&ours, "CronJob")[0],
        of_kind(&ours, "ClusterRole")[0],
    );
    assert_eq!(of_kind(&objects, "ClusterRole")[0]["rules"], role["rules"]);
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
    let namespace = plane().namespace("chart").unwrap();
    let one = plane().namespace("chart").unwrap();
    let two = plane().namespace("chart").unwrap();
    let in_two = format!("namespaces={{{one},{two}}}");
    for (args, expected) in [
        (
            vec!["--set", "label=app.kubernetes.io/instance"],
            "--label=app.kubernetes.io/instance",
        ),
        (
            vec!["--set", "groupBy=annotation:meta.helm.sh/release-name"],
            "--group-by=annotation:meta.helm.sh/release-name",
        ),
        (
            vec!["--set", "groupBy=family,dryRun=true"],
            "--dry-run=client",
        ),
        (
            vec!["--set", "flags={--keep=3,--exclude-namespace=kube-*}"],
            "--exclude-namespace=kube-*",
        ),
        (
            vec!["--set", &in_two, "--set", "suspend=true,timeZone=Etc/UTC"],
            "--yes",
        ),
    ] {
        let text = rendered(&namespace, &args);
        is_accepted(&text);
        let objects = objects(&text);
        let rules: Vec<&Value> = objects
            .iter()
            .filter(|object| object["rules"].is_array())
            .map(|object| &object["rules"])
            .collect();
        let cron_jobs = of_kind(&objects, "CronJob");
        assert_eq!(rules.len(), cron_jobs.len());
        for cron_job in cron_jobs {
            let args = args_of(cron_job);
            assert!(args.contains(&expected), "{expected} in {args:?}");
            let needed = rules_by_the_tool(&args);
            for rules in &rules {
                assert_eq!(**rules, needed, "{args:?}");
            }
        }
    }
    let text = rendered(&namespace, &["--set", &in_two]);
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
    let args = [
        "--set",
        "labels.team=ops,annotations.note=x,image.tag=2.0.0,imagePullSecrets[0].name=s",
        "--set",
        "nodeSelector.disk=ssd,tolerations[0].operator=Exists",
        "--set",
        "serviceAccount.create=false,serviceAccount.name=own,schedule=@daily",
    ];
    let objects = objects(&rendered("ops", &args));
    assert_eq!(of_kind(&objects, "ServiceAccount").len(), 0);
    for object in &objects {
        assert_eq!(object["metadata"]["labels"]["team"], "ops", "{object:#}");
        assert_eq!(object["metadata"]["annotations"]["note"], "x", "{object:#}");
    }
    let cron_job = of_kind(&objects, "CronJob")[0];
    let pod = pod_spec(cron_job);
    assert_eq!(cron_job["spec"]["schedule"], "@daily");
    assert_eq!(
        pod["containers"][0]["image"],
        "REGISTRY/kubectl-jobclean:2.0.0"
    );
    assert_eq!(pod["serviceAccountName"], "own");
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "s"}]));
    assert_eq!(pod["nodeSelector"], json!({"disk": "ssd"}));
    assert_eq!(
        of_kind(&objects, "ClusterRoleBinding")[0]["subjects"][0]["name"],
        "own"
    );
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for args in [
        ["--set", "label=app,groupBy=family"],
        ["--set", "groupBy=labels:app"],
        ["--set", "namespace=one"],
        ["--set", "namespaces={A}"],
        ["--set", "flags={keep}"],
        ["--set", "suspend=maybe"],
    ] {
        let output = template("ops", &args);
        assert!(!output.status.success(), "{args:?}");
    }
}

#[test]
fn helm_finds_nothing_to_say_about_it() {
    let mut lint = Command::new(tools().join("helm"));
    lint.args(["lint", "--strict", "--kube-version", "1.36.0"]);
    let output = run(lint.arg(project().root.join("deploy/chart")));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let chart = objects(&read("deploy/chart/Chart.yaml")).remove(0);
    assert_eq!(chart["appVersion"], project().version.as_str());
}
