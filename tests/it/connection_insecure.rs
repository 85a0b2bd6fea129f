//! The tool does not delete without a question on a server whose certificate it does not check.

use std::process::Command;

use serde_json::json;

use crate::support::kubeconfig::{Files, arg};
use crate::support::saved_plan::Saved;
use crate::support::{Run, Space, Terminal, audit, plane, run};

const SKIP: &str = "--insecure-skip-tls-verify";

/// A kubeconfig without a certificate authority.
fn unchecked(files: &Files, space: &Space, args: &[&str]) -> Command {
    let cluster = json!({"server": plane().server_url()});
    let user = files.user("careless", &["system:masters"]);
    let config = files.simple("config", &cluster, &user);
    space.tool_as(&config, &[&["--cascade=background", SKIP], args].concat())
}

#[track_caller]
fn warns(run: Run) -> Run {
    let about: Vec<&str> = run
        .err
        .lines()
        .filter(|line| line.contains("certificate") || line.contains(SKIP))
        .collect();
    assert_eq!(about.len(), 1, "{}", run.story());
    assert!(about[0].starts_with("warning"), "{}", run.story());
    run
}

#[test]
fn it_warns() {
    let (space, files) = (Space::three(), Files::new());
    for args in [
        &["--dry-run=client"][..],
        &["--dry-run"],
        &["--dry-run", "--yes=false"],
    ] {
        warns(run(unchecked(&files, &space, args)).exits(0));
    }
    let path = files.path("plan.json");
    let save = unchecked(&files, &space, &["--save-plan", arg(&path)]);
    warns(run(save).exits(0));
    // Who checks is not warned.
    let run = space.run(&["--dry-run=client", &format!("{SKIP}=false")]);
    assert_eq!(
        run.exits(0)
            .err
            .lines()
            .filter(|line| line.contains("certificate"))
            .count(),
        0
    );
}

#[test]
fn it_does_not_go_with_yes() {
    let (space, files) = (Space::three(), Files::new());
    for yes in ["--yes", "-y", "--yes=true"] {
        let run = run(unchecked(&files, &space, &[yes])).exits(2);
        assert_eq!(run.out, "", "{}", run.story());
        run.complains(&["error: ", SKIP, "--plan"]);
    }
    // The tool did not send a list request.
    assert!(
        audit::all(&space.name, "list")
            .iter()
            .all(|event| { event["user"]["username"] != "careless" })
    );
    space.holds(&["sync-1", "sync-2", "sync-3"]);
    let checked = space.run(&["--yes", "--cascade=background", &format!("{SKIP}=false")]);
    checked.exits(0);
    space.holds(&["sync-3"]);
}

#[test]
fn it_goes_with_a_plan() {
    let (space, files) = (Space::three(), Files::new());
    let saved = Saved::by(unchecked(&files, &space, &[]));
    let config = files.path("config");
    let run = warns(run(saved.tool_as(&config, &["--yes", SKIP])).exits(0));
    assert!(run.out.contains("sync-1"), "{}", run.story());
    space.holds(&["sync-3"]);
}

#[test]
fn it_goes_with_the_question() {
    let (space, files) = (Space::three(), Files::new());
    let mut terminal = Terminal::start(&unchecked(&files, &space, &[]), 160);
    terminal.wait_for("Purge 2 Jobs");
    assert!(terminal.text().contains("warning"), "{}", terminal.text());
    terminal.enter("y");
    terminal.finish().exits(0);
    space.holds(&["sync-3"]);
}
