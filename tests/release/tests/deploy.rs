//! `deploy/`, applied to the real API server, and its CronJob's command line run as its Pod would: in a root folder with
//! nothing but what the Containerfile puts there, read-only, as the image's user, with the service account's token.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use controlplane::ARGOCD_INSTANCE;
use serde_json::{Value, json};

use crate::cron_job::{
    args_of, args_with, objects, of_kind, pod_spec, policy_of, rules_by_the_tool, rules_of,
};
use crate::support::{
    entry, file_of, is_admitted_as_restricted, jobs, namespace_with_jobs, path_after, plane,
    project, read, run, succeeds, succeeds_quietly, token,
};

const NAMESPACE: &str = "jobclean";

/// Applies the folder, once, and returns the CronJob as the server has it.
fn deployed() -> &'static Value {
    static CRON_JOB: OnceLock<Value> = OnceLock::new();
    CRON_JOB.get_or_init(|| {
        let mut apply = plane().kubectl_command(["apply", "--server-side", "--kustomize"]);
        // The admission of Pod Security warns of a template whose Pods it would refuse.
        succeeds_quietly(apply.arg(project().root.join("deploy")));
        let path = format!("/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs/jobclean");
        plane().get_json(&path).unwrap()
    })
}

fn container() -> &'static Value {
    &pod_spec(deployed())["containers"][0]
}

#[test]
fn a_pod_of_the_cron_job_is_admitted_where_pods_are_restricted() {
    is_admitted_as_restricted(NAMESPACE, pod_spec(deployed()));
}

#[test]
fn the_cron_job_is_small_alone_and_fails_where_the_tool_fails() {
    let spec = &deployed()["spec"];
    assert_eq!(spec["concurrencyPolicy"], "Forbid");
    assert!(spec["startingDeadlineSeconds"].is_u64());
    let job = &spec["jobTemplate"]["spec"];
    assert_eq!(job["backoffLimit"], 0);
    assert!(job["activeDeadlineSeconds"].is_u64());
    let pod = pod_spec(deployed());
    assert_eq!(pod["restartPolicy"], "Never");
    assert!(pod["hostNetwork"].is_null());
    // The admission that mounts the token is off in this control plane; this is what it goes by.
    assert_eq!(pod["automountServiceAccountToken"], true);
    assert_eq!(pod["serviceAccountName"], "jobclean");
    let security = &container()["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
    let resources = &container()["resources"];
    assert_eq!(
        resources["requests"],
        json!({"cpu": "50m", "memory": "32Mi"})
    );
    assert_eq!(
        resources["limits"],
        json!({"cpu": "500m", "memory": "128Mi"})
    );
    // One image, of this version.
    let image = container()["image"].as_str().unwrap();
    assert_eq!(
        image,
        format!("REGISTRY/kubectl-jobclean:{}", project().version)
    );
}

#[test]
fn the_service_account_may_list_and_delete_jobs_and_list_what_git_wants() {
    deployed();
    let role = plane()
        .get_json("/apis/rbac.authorization.k8s.io/v1/clusterroles/jobclean")
        .unwrap();
    let rules = json!([
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "delete"]},
        {"apiGroups": ["argoproj.io"], "resources": ["applications"], "verbs": ["list"]},
        {
            "apiGroups": ["kustomize.toolkit.fluxcd.io"],
            "resources": ["kustomizations"],
            "verbs": ["list"],
        },
    ]);
    assert_eq!(role["rules"], rules);
    let may = |verb: &str, resource: &str| {
        let account = format!("system:serviceaccount:{NAMESPACE}:jobclean");
        let mut can = plane().kubectl_command([
            "auth",
            "can-i",
            verb,
            resource,
            "--all-namespaces",
            "--as",
            &account,
        ]);
        run(&mut can).status.success()
    };
    assert!(may("list", "jobs.batch") && may("delete", "jobs.batch"));
    for (verb, resource) in [
        ("create", "jobs.batch"),
        ("deletecollection", "jobs.batch"),
        ("get", "pods"),
    ] {
        assert!(!may(verb, resource), "{verb} {resource}");
    }
}

/// What the Containerfile says, by its keyword.
fn containerfile(keyword: &str) -> Vec<String> {
    let text = read("deploy/Containerfile");
    let lines = text.lines().filter_map(|line| line.strip_prefix(keyword));
    lines.map(|rest| rest.trim().to_owned()).collect()
}

/// The root folder of a container of the image, with the service account mounted.
fn root(token: &str) -> tempfile::TempDir {
    assert_eq!(containerfile("FROM "), ["scratch"]);
    let root = tempfile::tempdir().unwrap();
    let open =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(root.path(), 0o755);
    for copy in containerfile("COPY ") {
        let (from, to) = copy.split_once(' ').unwrap();
        let path = root.path().join(to.trim_start_matches('/'));
        fs::write(&path, entry(from)).unwrap();
        open(&path, 0o755);
    }
    let account = root
        .path()
        .join("var/run/secrets/kubernetes.io/serviceaccount");
    fs::create_dir_all(&account).unwrap();
    for (name, text) in [
        ("token", token),
        ("ca.crt", plane().ca_pem()),
        ("namespace", NAMESPACE),
    ] {
        fs::write(account.join(name), text).unwrap();
    }
    root
}

/// Makes the root folder read-only for what follows, and follows as the image's user if there is one to become.
const CONTAINER: &str = r#"
set -eu
root=$1 user=$2
shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
# A read-only folder takes no file, not even root's.
! (: >"$root/written") 2>/dev/null
exec chroot ${user:+--userspec="$user"} "$root" "$@"
"#;

/// A command in a mount namespace of its own, as root there.
fn isolated() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--fork"]);
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command
}

/// Fails unless this machine lets this user have a mount namespace, and says how it would.
#[track_caller]
fn check_isolation() {
    let mut mount = isolated();
    mount.args(["sh", "-c", r#"mount --bind "$1" "$1""#, "sh"]);
    let output = run(mount.arg(&project().root));
    assert!(
        output.status.success(),
        "no mount namespace to run the image in: {}\n\
         Where this is a container, it needs the capability SYS_ADMIN (--cap-add=SYS_ADMIN) and a seccomp and an AppArmor \
         profile that let it mount. Elsewhere, be root, or allow users their own namespaces: sysctl user.max_user_namespaces \
         above 0 and, where there are these, kernel.unprivileged_userns_clone=1 and \
         kernel.apparmor_restrict_unprivileged_userns=0.",
        String::from_utf8_lossy(&output.stderr).trim()
    );
}

/// Runs the image with the CronJob's arguments, and these, as a kubelet would: in its environment only what it gives.
fn run_container(token: &str, more: &[&str]) -> Output {
    check_isolation();
    let root = root(token);
    let address = plane().server_url();
    let (host, port) = address
        .trim_start_matches("https://")
        .split_once(':')
        .unwrap();
    let entrypoint: Vec<String> = serde_json::from_str(&containerfile("ENTRYPOINT ")[0]).unwrap();
    assert!(
        container()["command"].is_null(),
        "the image's entrypoint is what runs"
    );
    let args = args_of(deployed());
    // Who is not root becomes it in a namespace of their own, and there is no other user there.
    let user = match rustix::process::geteuid().is_root() {
        true => containerfile("USER ")[0].clone(),
        false => String::new(),
    };
    let mut command = isolated();
    command
        .args(["sh", "-c", CONTAINER, "sh"])
        .arg(root.path())
        .arg(user)
        .args(entrypoint)
        .args(args)
        .args(more)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", port)
        .stdin(Stdio::null());
    run(&mut command)
}

#[test]
fn the_cron_jobs_command_line_purges_in_every_namespace_from_within_a_pod() {
    deployed();
    let spaces = [
        namespace_with_jobs(ARGOCD_INSTANCE),
        namespace_with_jobs(ARGOCD_INSTANCE),
    ];
    let token = token("jobclean", NAMESPACE);

    let tried = run_container(&token, &["--dry-run=server"]);
    let said = String::from_utf8_lossy(&tried.stderr).into_owned();
    assert_eq!(tried.status.code(), Some(0), "{said}");
    let log = String::from_utf8(tried.stdout).unwrap();
    let end = log.lines().last().unwrap();
    assert!(
        end.contains(" END ") && end.ends_with(": 4 would-delete"),
        "{log}"
    );

    let output = run_container(&token, &[]);
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    for space in &spaces {
        assert_eq!(jobs(space), ["sync-3"], "{out}{err}");
        assert!(out.contains(space.as_str()), "{out}");
    }
    // Lines: no colour, no bar that draws over itself, no question.
    for text in [&out, &err] {
        let is_line = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n');
        assert!(
            is_line(text) && (text.is_empty() || text.ends_with('\n')),
            "{text:?}"
        );
        assert!(!text.contains("[y/N]"), "{text}");
    }
}

#[test]
fn an_account_without_the_rights_makes_the_job_fail() {
    deployed();
    let mut create = plane().kubectl_command(["create", "serviceaccount", "nobody"]);
    succeeds(create.args(["--namespace", NAMESPACE]));
    let output = run_container(&token("nobody", NAMESPACE), &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("forbidden") && said.ends_with('\n'), "{said}");
    // That it has begun is all that there is in the log.
    let log = String::from_utf8(output.stdout).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
}

/// The folder with these components, which stand at its end in a comment, as the server would have it.
fn with_components(wanted: &[&str]) -> Vec<Value> {
    deployed();
    let copy = tempfile::tempdir().unwrap();
    let mut cp = Command::new("cp");
    succeeds(
        cp.arg("-r")
            .arg(project().root.join("deploy/."))
            .arg(copy.path()),
    );
    let kustomization = copy.path().join("kustomization.yaml");
    let text = fs::read_to_string(&kustomization).unwrap();
    let (before, lines) = text.split_once("# components:\n").unwrap();
    let lines: Vec<&str> = wanted
        .iter()
        .map(|name| {
            let mut lines = lines.lines();
            let line = lines.find(|line| line.trim_start_matches("#   - ") == *name);
            line.unwrap().trim_start_matches('#')
        })
        .collect();
    let text = format!("{before}components:\n{}\n", lines.join("\n"));
    fs::write(&kustomization, text).unwrap();
    let mut apply = plane().kubectl_command(["apply", "--server-side", "--dry-run=server"]);
    apply.args(["--output", "json", "--kustomize"]);
    let applied: Value = serde_json::from_str(&succeeds_quietly(apply.arg(copy.path()))).unwrap();
    applied["items"].as_array().unwrap().clone()
}

fn with_metrics() -> Value {
    of_kind(&with_components(&["metrics"]), "CronJob")[0].clone()
}

/// The tool takes the flags and the policy, and the account has the rights that such a run needs.
#[test]
fn a_policy_is_where_its_flag_says_and_may_read_what_it_has_to() {
    for components in [
        &["policy"][..],
        &["policy", "metrics"],
        &["metrics", "policy"],
    ] {
        let objects = with_components(components);
        let cron_job = of_kind(&objects, "CronJob")[0];
        is_admitted_as_restricted(NAMESPACE, pod_spec(cron_job));
        let policy = policy_of(cron_job, &objects).unwrap();
        let file = file_of(&policy);
        let rules: BTreeSet<String> = rules_by_the_tool(&args_with(cron_job, Some(&file)))
            .iter()
            .flat_map(|rules| rules.as_array().unwrap())
            .map(Value::to_string)
            .collect();
        let ours = rules_of(&objects, "ClusterRole");
        let ours: BTreeSet<String> = ours.iter().map(Value::to_string).collect();
        assert_eq!(ours, rules, "{components:?}");
        let args = args_of(cron_job);
        let writes_metrics = args.iter().any(|arg| arg.starts_with("--metrics-file="));
        assert_eq!(writes_metrics, components.contains(&"metrics"), "{args:?}");
    }
}

/// Until a user changes it.
#[test]
fn the_policy_is_what_the_tool_does_without_one() {
    let policy = objects(&read("deploy/policy/policy.yaml")).remove(0);
    let nothing = json!({"apiVersion": "jobclean/v1", "kind": "Policy", "defaults": {"keep": 1}});
    assert_eq!(policy, nothing);
}

/// Kubernetes mounts the token into every container of a Pod or into none.
#[test]
fn the_sidecar_has_no_token_and_the_run_has_what_kubernetes_would_mount() {
    let cron_job = with_metrics();
    let spec = pod_spec(&cron_job);
    assert_eq!(spec["automountServiceAccountToken"], false);
    let mut volumes = spec["volumes"].as_array().unwrap().iter();
    let volume = volumes.find(|volume| volume["projected"].is_object());
    let volume = volume.unwrap();
    let sources = &volume["projected"]["sources"];
    assert_eq!(sources.as_array().unwrap().len(), 3, "{sources}");
    assert_eq!(sources[0]["serviceAccountToken"]["path"], "token");
    assert_eq!(
        sources[1]["configMap"],
        json!({"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]})
    );
    let namespace = &sources[2]["downwardAPI"]["items"][0];
    assert_eq!(namespace["path"], "namespace");
    assert_eq!(namespace["fieldRef"]["fieldPath"], "metadata.namespace");
    let mount = |container: &Value| {
        let mounts = container["volumeMounts"].as_array().unwrap().iter();
        let mut of_token = mounts.filter(|mount| mount["name"] == volume["name"]);
        of_token.next().cloned()
    };
    assert_eq!(mount(&spec["initContainers"][0]), None);
    assert_eq!(
        mount(&spec["containers"][0]),
        Some(json!({
            "name": volume["name"],
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            "readOnly": true,
        }))
    );
}

/// The sidecar pushes what the run has written when it is told to end, and that is when the run has ended.
#[test]
fn a_sidecar_pushes_the_metrics_when_the_run_has_ended() {
    let cron_job = with_metrics();
    let spec = pod_spec(&cron_job);
    is_admitted_as_restricted(NAMESPACE, spec);
    let (tool, sidecar) = (&spec["containers"][0], &spec["initContainers"][0]);
    assert_eq!(sidecar["restartPolicy"], "Always");
    let variable = |name: &str| {
        let mut variables = sidecar["env"].as_array().unwrap().iter();
        let found = variables.find(|variable| variable["name"] == name);
        found.unwrap()["value"].as_str().unwrap()
    };
    let args = args_of(&cron_job);
    assert!(
        args.contains(&format!("--metrics-file={}", variable("FILE")).as_str()),
        "{args:?}"
    );
    for container in [tool, sidecar] {
        let mount = &container["volumeMounts"][0];
        assert!(variable("FILE").starts_with(mount["mountPath"].as_str().unwrap()));
        assert_eq!(mount["name"], spec["volumes"][0]["name"]);
    }

    let folder = tempfile::tempdir().unwrap();
    let [file, pushed, ready] =
        ["jobclean.prom", "pushed", "ready"].map(|name| folder.path().join(name));
    let script = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    // Stand-ins: the one says what it was given, the other that the trap is set.
    script(
        "curl",
        r#"for arg; do case $arg in @*) cat "${arg#@}" ;; http*) echo "$arg" ;; esac; done >>"$PUSHED""#,
    );
    script(
        "sleep",
        r#"[ -n "$1" ] && : >"$READY"; exec /bin/sleep 0.05"#,
    );
    for (text, expected) in [
        (None, String::new()),
        (
            Some("a 1\n"),
            format!("a 1\n{}/metrics/job/jobclean\n", variable("PUSHGATEWAY")),
        ),
    ] {
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        let _ = fs::remove_file(&ready);
        let command: Vec<&str> = sidecar["command"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        let mut running = Command::new(command[0])
            .args(&command[1..])
            .env("PATH", path_after(&[folder.path()]))
            .env("FILE", &file)
            .env("PUSHGATEWAY", variable("PUSHGATEWAY"))
            .env("PUSHED", &pushed)
            .env("READY", &ready)
            .spawn()
            .unwrap();
        while !ready.exists() {
            assert!(
                running.try_wait().unwrap().is_none(),
                "it has ended by itself"
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(!pushed.exists(), "before the run has ended");
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&running),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        assert!(running.wait().unwrap().success());
        assert_eq!(fs::read_to_string(&pushed).unwrap_or_default(), expected);
    }
}
