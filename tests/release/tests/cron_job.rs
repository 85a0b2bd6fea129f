//! What a CronJob and its roles say, as Helm or kubectl have made them, and what the tool says of it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use controlplane::build_tool;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::support::{plane, succeeds_quietly};

/// The objects of a manifest.
pub fn objects(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

/// Those of a kind.
pub fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects
        .iter()
        .filter(|object| object["kind"] == kind)
        .collect()
}

/// What a CronJob's Pods are.
pub fn pod_spec(cron_job: &Value) -> &Value {
    &cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
}

/// The flags of its run.
pub fn args_of(cron_job: &Value) -> Vec<&str> {
    let args = pod_spec(cron_job)["containers"][0]["args"]
        .as_array()
        .unwrap();
    args.iter().map(|arg| arg.as_str().unwrap()).collect()
}

/// The text of the policy that a Pod finds where its flag says, if the flag is there.
pub fn policy_of(cron_job: &Value, objects: &[Value]) -> Option<String> {
    let args = args_of(cron_job);
    let path = args.iter().find_map(|arg| arg.strip_prefix("--policy="))?;
    let (folder, key) = path.rsplit_once('/').unwrap();
    let pod = pod_spec(cron_job);
    let the_one = |list: &Value, field: &str, value: &Value| {
        let mut found = list.as_array().unwrap().iter();
        found.find(|one| one[field] == *value).unwrap().clone()
    };
    let mounts = &pod["containers"][0]["volumeMounts"];
    let mount = the_one(mounts, "mountPath", &folder.into());
    let volume = the_one(&pod["volumes"], "name", &mount["name"]);
    let map = of_kind(objects, "ConfigMap")[0];
    assert_eq!(map["metadata"]["name"], volume["configMap"]["name"]);
    Some(map["data"][key].as_str().unwrap().to_owned())
}

/// The flags of a Pod, with its policy as this file, if it has one.
pub fn args_with<'a>(cron_job: &'a Value, policy: Option<&'a NamedTempFile>) -> Vec<&'a str> {
    let mut args = args_of(cron_job);
    if let Some(file) = policy {
        let at = args.iter().position(|arg| arg.starts_with("--policy="));
        args.splice(
            at.unwrap()..=at.unwrap(),
            ["--policy", file.path().to_str().unwrap()],
        );
    }
    args
}

/// The tool, with nothing of the user's.
pub fn tool(args: &[&str]) -> Command {
    static TOOL: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(TOOL.get_or_init(|| build_tool().unwrap()));
    command.args(args).env_clear().env("HOME", plane().home());
    command
}

/// The tool understands the flags: it prints the rules of the roles that such a run needs.
pub fn rules_by_the_tool(args: &[&str]) -> Vec<Value> {
    let mut command = tool(&["rbac"]);
    command.args(args);
    let is_cluster_wide = args.contains(&"--all-namespaces");
    if is_cluster_wide && !args.iter().any(|arg| arg.starts_with("--gitops")) {
        // It prints what a run can do without only if that is asked for.
        command.arg("--gitops=auto");
    }
    let roles = objects(&succeeds_quietly(&mut command));
    roles.iter().map(|role| role["rules"].clone()).collect()
}

/// All rules of the roles of a kind.
pub fn rules_of(objects: &[Value], kind: &str) -> Vec<Value> {
    let rules = of_kind(objects, kind).into_iter();
    rules
        .flat_map(|role| role["rules"].as_array().unwrap().clone())
        .collect()
}
