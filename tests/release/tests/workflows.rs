//! The workflows: what actionlint says of them, and that no action can change under them.

use std::fs;
use std::process::Command;

use crate::support::{project, run, tools};

fn workflows() -> Vec<(String, String)> {
    let folder = project().root.join(".github").join("workflows");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        found.push((path.to_str().unwrap().to_owned(), text));
    }
    assert!(found.len() >= 2, "{found:?}");
    found
}

#[test]
fn actionlint_finds_nothing() {
    let paths = workflows().into_iter().map(|(path, _)| path);
    let mut lint = Command::new(tools().join("actionlint"));
    // shellcheck and pyflakes are used if they happen to be there; the result must not depend on that.
    lint.args(["-no-color", "-shellcheck=", "-pyflakes="])
        .args(paths);
    let output = run(&mut lint);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn every_action_is_pinned_to_a_commit() {
    for (path, text) in workflows() {
        let uses = text.lines().filter_map(|line| line.split_once("uses:"));
        for (_, action) in uses {
            let (commit, version) = action
                .split_once('@')
                .and_then(|(_, at)| at.split_once(" # v"))
                .unwrap_or_else(|| panic!("{path}: {action} names no commit and version"));
            let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_commit && !version.is_empty(), "{path}: {action}");
        }
    }
}
