//! What the fuzzers start from and what they found, as ordinary tests: each file of a folder goes through what its
//! target calls.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use controlplane::checkout;

#[path = "../fuzz/targets.rs"]
mod targets;

/// Gives each seed of this folder to `holds`, and fails with the names of those for which it panics.
#[track_caller]
fn each(folder: &str, holds: impl Fn(&[u8])) {
    let path = checkout().join("tests/fuzz/seeds").join(folder);
    let entries = fs::read_dir(&path).unwrap_or_else(|why| panic!("{folder}: {why}"));
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let seed = fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        count += 1;
        if catch_unwind(AssertUnwindSafe(|| holds(&seed))).is_err() {
            failed.push(path.file_name().unwrap().to_owned());
        }
    }
    assert!(count > 0, "no seeds in {folder}");
    assert!(failed.is_empty(), "{folder}: {failed:?}");
}

/// The same for what reads text: like the fuzzer, it skips a seed that is not UTF-8.
#[track_caller]
fn each_text(folder: &str, holds: impl Fn(&str)) {
    each(folder, |seed| {
        if let Ok(text) = std::str::from_utf8(seed) {
            holds(text);
        }
    });
}

#[test]
fn lists_in_protobuf() {
    each("list_protobuf", targets::list_protobuf);
}

#[test]
fn lists_in_json() {
    each("list_json", targets::list_json);
}

#[test]
fn lists_of_metadata() {
    each("list_metadata", targets::list_metadata);
}

#[test]
fn policies() {
    each_text("policy", targets::policy);
}

#[test]
fn files_of_jobs() {
    each("file", targets::file);
}

#[test]
fn saved_plans() {
    each("saved_plan", targets::saved_plan);
}

#[test]
fn waits_that_a_server_asks_for() {
    each_text("retry_after", targets::retry_after);
}

#[test]
fn durations_and_limits() {
    each_text("duration", targets::duration);
}

#[test]
fn selectors() {
    each_text("selector", targets::selector);
}

#[test]
fn families_of_names() {
    each_text("family", targets::family);
}

#[test]
fn lists_of_gitops_tools() {
    each("gitops", targets::gitops);
}

#[test]
fn pods_of_a_job() {
    each("pods", targets::pods);
}

#[test]
fn manifests_of_backups() {
    each("backup", targets::backup);
}

#[test]
fn certificates_and_keys() {
    each("certificate", targets::certificate);
}

#[test]
fn kubeconfigs() {
    each("kubeconfig", targets::kubeconfig);
}

#[test]
fn kubercs() {
    each_text("kuberc", targets::kuberc);
}

#[test]
fn what_credential_plugins_print() {
    each("credentials", targets::credentials);
}
