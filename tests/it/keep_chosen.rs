//! What becomes of the groups that were chosen from the list.

use std::fs;

use serde_json::json;

use crate::support::group_list::{ALL, DOWN, answer, groups, list, list_of};
use crate::support::kubeconfig::{Files, arg};
use crate::support::{ApiClient, outcomes, plane, printed_document, tool, verdicts};

/// The limit is on what would be purged, and percentages are of what was listed.
#[test]
fn the_limit_holds_for_what_was_chosen() {
    let space = groups();
    // Two of eight.
    for (limit, code) in [("1", 5), ("24%", 5), ("2", 4), ("25%", 4)] {
        let mut terminal = list(&space, &["--max-purge", limit]);
        terminal.send(" ");
        terminal.wait_for("1 group, 2 Jobs");
        terminal.send("\r");
        if code == 4 {
            terminal.wait_for("Purge 2 Jobs in 1 group");
            terminal.enter("n");
        }
        let left = terminal.finish().exits(code);
        assert!(
            code == 4 || left.text.contains("2 of 8 Jobs"),
            "{}",
            left.text
        );
    }
    space.holds(&ALL);
}

/// The document on stdout has the chosen groups, and its counts add up.
#[test]
fn a_program_gets_the_report_of_what_was_chosen() {
    let space = groups();
    let mut terminal = list(&space, &["-o", "json"]);
    terminal.send(" \r");
    let left = answer(terminal, "Purge 2 Jobs in 1 group", "y").exits(0);
    let report = printed_document(&left);
    assert_eq!(outcomes(&report), ["a-2 deleted", "a-1 deleted"]);
    assert_eq!(report["summary"]["groups"], 1);
    assert_eq!(report["summary"]["jobs"], 3);
    space.holds(&["a-3", "b-1", "b-2", "c-1", "c-2", "s-1"]);
}

/// One user chooses and another carries out the plan, of which this user may leave out groups.
#[test]
fn a_choice_can_be_saved_and_a_saved_plan_chosen_from() {
    let space = groups();
    let files = Files::new();
    let path = files.path("plan.json");
    let mut terminal = list(&space, &["--save-plan", arg(&path)]);
    terminal.send(" ");
    terminal.send(DOWN);
    terminal.send(" ");
    terminal.wait_for("2 groups, 3 Jobs");
    terminal.send("\r");
    terminal.finish().exits(0);
    let saved = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(
        verdicts(&saved),
        [
            "a-3 SKIP newest",
            "a-2 PURGE superseded",
            "a-1 PURGE superseded",
            "b-2 SKIP newest",
            "b-1 PURGE superseded",
        ]
    );
    let kubeconfig = arg(plane().kubeconfig());
    let mut command = tool();
    command.args([
        "--kubeconfig",
        kubeconfig,
        "--plan",
        arg(&path),
        "-i",
        "--cascade=background",
    ]);
    let mut terminal = list_of(&command);
    assert!(!terminal.text().contains("gamma"), "{}", terminal.text());
    terminal.send("beta\t\r");
    answer(terminal, "Purge 1 Job in 1 group", "y").exits(0);
    space.holds(&["a-1", "a-2", "a-3", "b-2", "c-1", "c-2", "s-1"]);
}

#[test]
fn nothing_is_saved_where_nothing_was_chosen() {
    let space = groups();
    let files = Files::new();
    let path = files.path("plan.json");
    let mut terminal = list(&space, &["--save-plan", arg(&path)]);
    terminal.send("\r");
    terminal.finish().exits(4);
    assert!(!path.exists());
}

/// The list takes as long as it takes; then the cluster is looked at again.
#[test]
fn what_was_protected_meanwhile_stays() {
    let space = groups();
    let mut terminal = list(&space, &[]);
    ApiClient::admin(plane()).patch_job(
        &space.name,
        "a-1",
        &json!({"metadata": {"annotations": {"jobclean/keep": "true"}}}),
    );
    terminal.send("alpha\t\r");
    let left = answer(terminal, "Purge 2 Jobs in 1 group", "y").exits(0);
    assert!(left.text.contains("1 deleted, 1 changed"), "{}", left.text);
    space.holds(&["a-1", "a-3", "b-1", "b-2", "c-1", "c-2", "s-1"]);
}
