//! What a run came to, as a monitoring system reads it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

use crate::support::backups::PURGE;
use crate::support::document::{jobs_of, reasons_of};
use crate::support::exposition::metrics;
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::{Kind, Proxy, Reply};
use crate::support::stub::closed;
use crate::support::tool::shell;
use crate::support::written_files::{entries, mode};
use crate::support::{ApiClient, LABEL, Space, Terminal, plane, run, tool};

/// Fails unless the metrics are those of this document, of a run that exited with this code.
#[track_caller]
fn tells(found: &BTreeMap<String, f64>, document: &Value, exit: i32) {
    let is = |name: &str, expected: &Value| {
        assert_eq!(found[name], expected.as_f64().unwrap(), "{name}");
    };
    let summary = &document["summary"];
    is(r#"jobclean_jobs{verdict="SKIP"}"#, &summary["skip"]);
    is(r#"jobclean_jobs{verdict="PURGE"}"#, &summary["purge"]);
    is("jobclean_groups", &summary["groups"]);
    let ungrouped = &summary["ungrouped"];
    let ungrouped = ungrouped.as_u64().unwrap_or_default();
    is("jobclean_ungrouped_jobs", &ungrouped.into());
    let of = |prefix: &str| -> BTreeMap<String, f64> {
        let prefix = format!("jobclean_{prefix}=\"");
        let found = found.iter();
        let found = found.filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?, value)));
        let found = found.filter(|(_, value)| **value != 0.0);
        found
            .map(|(name, value)| (name.trim_end_matches("\"}").to_owned(), *value))
            .collect()
    };
    let mut kept = BTreeMap::new();
    for job in jobs_of(document) {
        for reason in reasons_of(job) {
            if job["verdict"] == "SKIP" {
                *kept.entry(reason.to_owned()).or_insert(0.0) += 1.0;
            }
        }
    }
    assert_eq!(of("kept_jobs{reason"), kept);
    let outcomes = summary["outcomes"].as_object().into_iter().flatten();
    let outcomes = outcomes.map(|(word, count)| (word.clone(), count.as_f64().unwrap()));
    let outcomes: BTreeMap<String, f64> = outcomes.filter(|(_, count)| *count != 0.0).collect();
    assert_eq!(of("outcomes{outcome"), outcomes);
    let deleted = jobs_of(document).into_iter();
    let deleted = deleted.filter(|job| job["outcome"] == "deleted");
    let bytes = deleted
        .map(|job| job["bytes"].as_u64().unwrap())
        .sum::<u64>();
    let told = found.get("jobclean_purged_bytes").copied();
    let expected = (document["kind"] == "Report").then_some(bytes as f64);
    assert_eq!(told, expected);
    is("jobclean_exit_code", &exit.into());
    let last = found["jobclean_last_run_timestamp_seconds"];
    let now = Timestamp::now().as_second() as f64;
    assert!(last <= now && last > now - 3600.0, "{last}");
    let success = found.get("jobclean_last_success_timestamp_seconds");
    assert_eq!(success, (exit == 0).then_some(&last));
    let took = found["jobclean_run_duration_seconds"];
    assert!((0.0..3600.0).contains(&took), "{took}");
    let info = format!("jobclean_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(found[&info], 1.0);
}

/// Where nothing is known of any Job.
#[track_caller]
fn tells_no_plan(found: &BTreeMap<String, f64>, exit: i32) {
    assert_eq!(found["jobclean_exit_code"], f64::from(exit));
    for name in ["jobs", "groups", "outcomes", "kept", "last_success"] {
        let prefix = format!("jobclean_{name}");
        let told = found.keys().find(|found| found.starts_with(&prefix));
        assert_eq!(told, None);
    }
}

fn with<'a>(args: &[&'a str], path: &'a Path) -> Vec<&'a str> {
    [args, &["--metrics-file", arg(path)]].concat()
}

#[test]
fn a_purge_is_counted() {
    let (space, files) = (Space::two_groups(), Files::new());
    space.seed(&[space
        .job("g", "sync-0", 40)
        .annotation("jobclean/keep", "true")]);
    let path = files.path("jobclean.prom");
    let args = with(&PURGE, &path);
    let report = run(shell(r#"umask 077; exec "$@""#, &space.tool(&args)))
        .exits(0)
        .json();
    let found = metrics(&path);
    assert_eq!(found[r#"jobclean_outcomes{outcome="deleted"}"#], 3.0);
    assert_eq!(found[r#"jobclean_kept_jobs{reason="protected"}"#], 1.0);
    tells(&found, &report, 0);
    // Whoever collects it is another user.
    assert_eq!(mode(&path), 0o644);
    assert_eq!(entries(path.parent().unwrap()), [path]);
}

#[test]
fn a_run_that_deletes_nothing_is_counted_too() {
    let (space, files) = (Space::two_groups(), Files::new());
    let path = files.path("jobclean.prom");
    for (args, code) in [
        (&["--dry-run"][..], 0),
        (&["--dry-run=client"], 0),
        (&["--yes", "--max-purge=1"], 5),
        (&[], 2),
    ] {
        let run = space.run(&with(&[args, &["-o", "json"]].concat(), &path));
        let document = run.exits(code).json();
        tells(&metrics(&path), &document, code);
        fs::remove_file(&path).unwrap();
    }
    let saved = files.path("plan.json");
    space
        .run(&with(&["--save-plan", arg(&saved)], &path))
        .exits(0);
    assert_eq!(metrics(&path)[r#"jobclean_jobs{verdict="PURGE"}"#], 3.0);
    space.holds(&["other-1", "other-2", "sync-1", "sync-2", "sync-3"]);
}

#[test]
fn a_no_is_counted() {
    let (space, files) = (Space::three(), Files::new());
    let path = files.path("jobclean.prom");
    let mut terminal = Terminal::start(&space.tool(&with(&[], &path)), 120);
    terminal.wait_for("[y/N/l]");
    terminal.send("n\n");
    terminal.finish().exits(4);
    let found = metrics(&path);
    assert_eq!(found["jobclean_exit_code"], 4.0);
    assert_eq!(found[r#"jobclean_jobs{verdict="PURGE"}"#], 2.0);
    assert!(!found.contains_key("jobclean_last_success_timestamp_seconds"));
}

#[test]
fn a_plan_from_a_file_is_counted() {
    let (space, files) = (Space::three(), Files::new());
    let jobs = plane().get_json(&space.path()).unwrap();
    let jobs = files.write("jobs.json", &jobs.to_string());
    let path = files.path("jobclean.prom");
    let of_file = |jobs: &Path| {
        let mut command = tool();
        command.args(with(&["-L", LABEL, "-f", arg(jobs), "-o", "json"], &path));
        run(command)
    };
    let plan = of_file(&jobs).exits(0).json();
    tells(&metrics(&path), &plan, 0);
    of_file(&files.path("none")).exits(1);
    tells_no_plan(&metrics(&path), 1);
}

#[test]
fn a_failure_is_counted() {
    let (space, files) = (Space::three(), Files::new());
    let path = files.path("jobclean.prom");
    // Before there is a plan.
    let mut command = tool();
    let server = closed();
    command.args(with(&["-s", &server, "-L", LABEL, "--yes"], &path));
    run(command).exits(1);
    tells_no_plan(&metrics(&path), 1);
    // After it.
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| {
        match request.kind {
            Kind::Delete if request.name() == "sync-1" => {
                Reply::refusal(403, "Forbidden", "not this one")
            }
            _ => up.pass(request),
        }
    });
    let report = run(proxy.tool(&space.name, &with(&PURGE, &path)))
        .exits(3)
        .json();
    let found = metrics(&path);
    assert_eq!(found[r#"jobclean_outcomes{outcome="failed"}"#], 1.0);
    tells(&found, &report, 3);
}

/// The rest of the run is what it would be.
#[test]
fn metrics_that_cannot_be_written_are_an_error() {
    let (space, files) = (Space::three(), Files::new());
    for path in [files.path("a/b"), Path::new("/dev/null").to_owned()] {
        for (args, code) in [
            (&["--dry-run=client", "-o", "json"][..], 3),
            (&["--yes", "--max-purge=1", "-o", "json"], 5),
        ] {
            let run = space.run(&with(args, &path)).exits(code);
            assert_eq!(run.json()["summary"]["purge"], 2);
            let is_told = |line: &&str| line.starts_with("error: ") && line.contains(arg(&path));
            assert_eq!(
                run.err.lines().filter(is_told).count(),
                1,
                "{}",
                run.story()
            );
        }
    }
    space.run(&["--metrics-file=-"]).exits(2);
}

/// The disk is full, as far as the tool can see.
#[test]
fn they_are_written_whole_or_not_at_all() {
    let (space, files) = (Space::three(), Files::new());
    let path = files.write("jobclean.prom", "of the run before\n");
    let command = space.tool(&with(&["--dry-run=client"], &path));
    let run = run(shell(r#"trap '' XFSZ; ulimit -f 1; exec "$@""#, &command));
    run.exits(3).complains(&[arg(&path), "file too large"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "of the run before\n");
    assert_eq!(entries(path.parent().unwrap()), [path]);
}
