//! The log of a CronJob: a line for each thing that happens, on stdout, and one for Kubernetes.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::kubeconfig::Files;
use crate::support::plugin::Plugin;
use crate::support::proxy::Kind;
use crate::support::running::{Gate, Running};
use crate::support::side_by_side::SideBySide;
use crate::support::{ApiClient, Run, Space, plane, run, until};

const PURGE: [&str; 2] = ["--yes", "--cascade=background"];

/// The lines without their times, which have to be there.
fn lines(run: &Run) -> Vec<&str> {
    let line = |line: &'_ str| -> Option<usize> {
        let (time, _) = line.split_once(' ')?;
        time.parse::<jiff::Timestamp>().ok()?;
        Some(time.len() + 1)
    };
    (run.out.lines())
        .map(|text| &text[line(text).unwrap_or_else(|| panic!("{text}\n{}", run.story()))..])
        .collect()
}

fn position(run: &Run, words: &str) -> usize {
    let found = lines(run).iter().position(|line| line.contains(words));
    found.unwrap_or_else(|| panic!("{words:?}\n{}", run.story()))
}

#[test]
fn a_purge_is_logged_as_it_happens() {
    let space = Space::two_groups();
    let args = [&PURGE[..], &["--log-format=text"]].concat();
    let log = space.run(&args).exits(0);
    let all = lines(&log);
    assert_eq!(all.len(), 7, "{}", log.story());
    for words in [
        concat!("kubectl-jobclean ", env!("CARGO_PKG_VERSION")),
        plane().server_url().as_str(),
        "kubectl-jobclean/",
        "groups Jobs by label:",
        "keeps the newest 1 of every group",
    ] {
        assert!(all[0].contains(words), "{words}\n{}", log.story());
    }
    for (group, jobs) in [("=g: ", &["sync-1", "sync-2"][..]), ("=h: ", &["other-1"])] {
        let place = position(&log, group);
        assert!(all[place].starts_with(&format!("GROUP {} ", space.name)));
        for job in jobs {
            let line = format!("PURGE {}/{job} deleted", space.name);
            assert_eq!(all[position(&log, &line)], line);
            assert!(position(&log, &line) < place, "{}", log.story());
        }
    }
    let of_g = all[position(&log, "=g: ")];
    assert!(
        of_g.ends_with("=g: 3 Jobs, 1 SKIP, 2 PURGE: 2 deleted"),
        "{of_g}"
    );
    let last = all.last().unwrap();
    assert!(
        last.starts_with("END 2 groups, 5 Jobs: 2 SKIP, 3 PURGE; 3 Jobs purged in ")
            && last.ends_with(" s: 3 deleted"),
        "{}",
        log.story()
    );
    space.holds(&["other-2", "sync-3"]);
}

#[test]
fn jobs_that_stay_are_told_to_those_who_ask() {
    let space = Space::two_groups();
    let log = space
        .run(&["--dry-run=client", "--log-format=text", "-v"])
        .exits(0);
    let skip = format!("SKIP {}/sync-3 newest", space.name);
    let purge = format!("PURGE {}/sync-1 superseded", space.name);
    for line in [skip, purge] {
        assert_eq!(lines(&log)[position(&log, &line)], line);
    }
    assert!(log.out.ends_with("END 2 groups, 5 Jobs: 2 SKIP, 3 PURGE\n"));
    let tried = space
        .run(&["--dry-run=server", "--log-format=text", "-v"])
        .exits(0);
    for words in [
        format!("SKIP {}/sync-3 newest", space.name),
        format!("PURGE {}/sync-1 would-delete", space.name),
    ] {
        position(&tried, &words);
    }
    // What explains a run is none.
    let mut explain = space.tool(&["--yes", "--log-format=text"]);
    let args: Vec<_> = explain.get_args().map(std::ffi::OsString::from).collect();
    explain = std::process::Command::new(explain.get_program());
    explain.args(["explain", "sync-1"]).args(args).env_clear();
    let explained = run(explain).exits(0);
    assert!(explained.out.starts_with("Job "), "{}", explained.story());
    let nothing = space
        .run(&["--yes", "--log-format=text", "--keep=3"])
        .exits(0);
    assert_eq!(lines(&nothing).len(), 2, "{}", nothing.story());
    let held = space
        .run(&["--yes", "--log-format=text", "--max-purge=1"])
        .exits(5);
    assert!(lines(&held).last().unwrap().starts_with("END "));
    assert_eq!(space.names().len(), 5);
}

/// Both streams go into the same log.
#[test]
fn a_program_reads_objects_on_both_streams() {
    let space = Space::two_groups();
    let kubeconfig = space.kubeconfig_for("lister", &["list"]);
    let args = ["--yes", "--log-format=json", "-v"];
    let log = run(space.tool_as(&kubeconfig, &args)).exits(3);
    let objects = |text: &str| -> Vec<Value> {
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}")))
            .collect()
    };
    let (out, err) = (objects(&log.out), objects(&log.err));
    let events: Vec<&str> = (out.iter())
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    assert_eq!(events[0], "start");
    assert_eq!(events.last(), Some(&"end"));
    let count = |event: &str| events.iter().filter(|found| **found == event).count();
    assert_eq!((count("job"), count("group")), (5, 2), "{}", log.story());
    let end = out.last().unwrap();
    assert_eq!(end["outcomes"]["failed"], 3, "{end}");
    assert!(
        end["seconds"].is_number() && end["time"].is_string(),
        "{end}"
    );
    let failed: Vec<&Value> = (out.iter())
        .filter(|line| line["outcome"] == "failed")
        .collect();
    assert_eq!(failed.len(), 3);
    assert!(
        failed
            .iter()
            .all(|line| line["message"].as_str().unwrap().contains("is forbidden"))
    );
    assert!(
        err.iter()
            .all(|line| line["event"] == "message" && line["time"].is_string())
    );
    let levels: Vec<&str> = (err.iter())
        .map(|line| line["level"].as_str().unwrap())
        .collect();
    assert!(
        levels.contains(&"error") && levels.contains(&"info"),
        "{}",
        log.story()
    );
}

/// The lines of a plugin are no part of what the tool says by itself, and a program reads them all the same.
#[test]
fn what_is_said_about_credentials_is_objects_too() {
    let files = Files::new();
    let script = "echo 'Your \"session\" has ended.' >&2; echo 'Log in again.' >&2; exit 7";
    let plugin = Plugin::new(&files, script);
    let pair = SideBySide::on(&files, &files.cluster(), &plugin.exec(json!({}))).env("KUBERC", "");
    fs::create_dir_all(files.path("home/.kube")).unwrap();
    files.write("home/.kube/kuberc", "a: [\n");
    let log = run(pair.tool(&["--yes", "--log-format=json"])).exits(1);
    let said: Vec<(String, String)> = (log.err.lines())
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            assert_eq!(line["event"], "message");
            let text = |field: &str| line[field].as_str().unwrap().to_owned();
            (text("level"), text("message"))
        })
        .collect();
    let [(level, kuberc), first, second, (last, _)] = said.as_slice() else {
        panic!("{}", log.story());
    };
    assert_eq!((&**level, &**last), ("warning", "error"));
    assert!(kuberc.starts_with("cannot use kuberc"), "{kuberc}");
    let info = |text: &str| ("info".to_owned(), text.to_owned());
    assert_eq!(*first, info("Your \"session\" has ended."));
    assert_eq!(*second, info("Log in again."));
}

/// What was not attempted is in the log as well, and its last line is the end.
#[test]
fn a_run_that_is_stopped_logs_its_end() {
    let space = Space::new();
    let jobs: Vec<_> = (0..=8)
        .map(|age| space.job("g", &format!("sync-{age}"), age))
        .collect();
    space.seed(&jobs);
    let (proxy, gate) = Gate::before(ApiClient::admin(plane()), move |request| {
        request.kind == Kind::Delete
    });
    let args = [&PURGE[..], &["--log-format=text", "--concurrency=2"]].concat();
    let running = Running::start(proxy.tool(&space.name, &args));
    until("two are on their way", || proxy.count(Kind::Delete) == 2);
    running.signal(Signal::INT);
    until("it has understood", || running.said().contains("stopping"));
    gate.open();
    let ended = running.finish().exits(130);
    let count = |word: &str| {
        let lines = ended.out.lines();
        let jobs = lines.filter(|line| line.contains(" PURGE ") && line.ends_with(word));
        jobs.count()
    };
    assert_eq!((count(" deleted"), count(" not-attempted")), (2, 6));
    let last = ended.out.lines().last().unwrap();
    assert!(
        last.contains(" END 1 group, 9 Jobs: 1 SKIP, 8 PURGE; 2 of 8 Jobs purged in ")
            && last.ends_with(": 2 deleted, 6 not-attempted"),
        "{ended:#?}"
    );
}

#[test]
fn a_log_that_cannot_be_written_is_no_success() {
    let space = Space::two_groups();
    let args = [&PURGE[..], &["--log-format=text"]].concat();
    // The header cannot be written, and nothing was deleted by then.
    let mut command = std::process::Command::new("sh");
    let tool = space.tool(&args);
    command
        .args(["-c", r#"exec "$0" "$@" > /dev/full"#])
        .arg(tool.get_program())
        .args(tool.get_args())
        .env_clear()
        .envs(
            tool.get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        );
    run(command)
        .exits(1)
        .complains(&["error: cannot write to standard output"]);
    assert_eq!(space.names().len(), 5);
}

#[test]
fn a_run_that_asks_has_no_log() {
    let space = Space::two_groups();
    for args in [
        &["--log-format=text"][..],
        &["--log-format=json", "-o", "json", "--yes"],
        &["--log-format=json", "--interactive"],
        &["--log-format=xml", "--yes"],
    ] {
        space.run(args).exits(2);
    }
    assert_eq!(space.names().len(), 5);
}

/// The kubelet makes the file; where there is none, none is made.
#[test]
fn kubernetes_gets_one_line() {
    let space = Space::two_groups();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("termination-log");
    let purge = |args: &[&str]| {
        let mut tool = space.tool(args);
        tool.env("JOBCLEAN_TERMINATION_LOG", &path);
        run(tool)
    };
    purge(&["--dry-run=client"]).exits(0);
    assert!(!path.exists());
    fs::write(
        &path,
        "what was there before, and longer than what comes: ".repeat(9),
    )
    .unwrap();
    purge(&["--yes", "--max-purge=1"]).exits(5);
    let line = fs::read_to_string(&path).unwrap();
    assert!(line.starts_with("error: nothing was deleted: the plan would purge 3 of 5 Jobs"));
    assert_eq!(line.lines().count(), 1, "{line}");
    purge(&PURGE).exits(0);
    let line = fs::read_to_string(&path).unwrap();
    assert!(
        line.starts_with("2 groups, 5 Jobs: 2 SKIP, 3 PURGE; 3 Jobs purged in ")
            && line.ends_with(" s: 3 deleted\n"),
        "{line}"
    );
}
