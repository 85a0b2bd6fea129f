//! Choosing groups from a list at a real terminal.

use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::support::group_list::{ALL, DOWN, answer, groups, list, list_of};
use crate::support::kubeconfig::{Files, arg};
use crate::support::tool::shell;
use crate::support::{Space, Terminal};

const UP: &str = "\u{1b}[A";
const PROMPT: &str = "Choose the groups to purge:";

#[test]
fn only_what_was_chosen_goes() {
    let space = groups();
    let mut terminal = list(&space, &[]);
    let text = terminal.text();
    for line in [
        format!("> [ ] {}  alpha  2 of 3", space.name),
        format!("  [ ] {}  beta   1 of 2", space.name),
        format!("  [ ] {}  gamma  1 of 2", space.name),
        format!("{PROMPT} 0 groups, 0 Jobs"),
        "3 of 3 groups shown".to_owned(),
    ] {
        assert!(text.contains(&line), "{line:?}\n{text}");
    }
    assert!(!text.contains("single"), "{text}");
    terminal.send(" ");
    terminal.wait_for("1 group, 2 Jobs");
    terminal.send(UP);
    terminal.send(" ");
    terminal.wait_for("2 groups, 3 Jobs");
    terminal.send("\r");
    let left = answer(terminal, "Purge 3 Jobs in 2 groups of namespace ", "y").exits(0);
    assert!(
        left.text.contains("3 Jobs purged in ") && left.text.contains(": 3 deleted"),
        "{}",
        left.text
    );
    // What was not chosen is not in the plan above the question.
    assert!(!left.text.contains("b-1"), "{}", left.text);
    space.holds(&["a-3", "b-1", "b-2", "c-2", "s-1"]);
}

#[test]
fn what_is_typed_filters() {
    let space = groups();
    let mut terminal = list(&space, &[]);
    terminal.send("ETX");
    terminal.wait_for("0 of 3 groups shown, filter: ETX");
    terminal.send("\u{7f}\u{7f}");
    terminal.wait_for("1 of 3 groups shown, filter: E");
    terminal.send("\u{15}ETA");
    terminal.wait_for("1 of 3 groups shown, filter: ETA");
    let text = terminal.text();
    assert!(text.contains("beta") && !text.contains("alpha"), "{text}");
    // All that are shown, and no other.
    terminal.send("\t");
    terminal.wait_for("1 group, 1 Job");
    terminal.send("\u{15}");
    terminal.wait_for("3 of 3 groups shown");
    terminal.send(DOWN);
    terminal.send(" ");
    terminal.wait_for("2 groups, 2 Jobs");
    terminal.send("\r");
    answer(terminal, "Purge 2 Jobs in 2 groups of namespace ", "y").exits(0);
    space.holds(&["a-1", "a-2", "a-3", "b-2", "c-2", "s-1"]);
}

/// Keys that a terminal edits lines with reach the list even while it is being drawn, not only while it waits for a key.
#[test]
fn no_key_is_lost_while_the_list_is_drawn() {
    let space = groups();
    let mut terminal = list(&space, &[]);
    terminal.unread(|terminal| {
        // More than the kernel keeps of what is drawn for each.
        terminal.send(&"x".repeat(600));
        thread::sleep(Duration::from_secs(2));
        terminal.send("\u{15}ETA");
    });
    terminal.wait_for("1 of 3 groups shown, filter: ETA");
    terminal.send("\u{1b}");
    terminal.finish().exits(4);
    space.holds(&ALL);
}

/// What the policy keeps is no choice, and what is chosen goes by the policy.
#[test]
fn a_choice_is_among_what_the_policy_purges() {
    let (space, files) = (groups(), Files::new());
    let rule = "rules:\n- {match: {selector: held=yes}, hold: true}\n";
    let policy = format!("apiVersion: jobclean/v1\nkind: Policy\ndefaults: {{keep: 2}}\n{rule}");
    let policy = files.write("policy.yaml", &policy);
    space.seed(&[
        space.job("beta", "b-0", 3),
        space.job("gamma", "c-0", 3).label("held", "yes"),
    ]);
    let mut terminal = list(&space, &["--policy", arg(&policy)]);
    terminal.wait_for("2 of 2 groups shown");
    let text = terminal.text();
    for line in ["alpha  1 of 3", "beta   1 of 3"] {
        assert!(text.contains(line), "{line:?}\n{text}");
    }
    assert!(!text.contains("gamma"), "{text}");
    terminal.send(DOWN);
    terminal.send(" ");
    terminal.wait_for("1 group, 1 Job");
    terminal.send("\r");
    answer(terminal, "Purge 1 Job in 1 group of namespace ", "y").exits(0);
    let stays = [
        "a-1", "a-2", "a-3", "b-1", "b-2", "c-0", "c-1", "c-2", "s-1",
    ];
    space.holds(&stays);
}

/// None is chosen to begin with, so that Enter alone is a No.
#[test]
fn no_choice_is_no() {
    let space = groups();
    for keys in [
        "\r", "\u{1b}", "\u{4}", " \u{1b}", " \u{4}", "  \r", "zz\t\r",
    ] {
        let mut terminal = list(&space, &[]);
        terminal.send(keys);
        let left = terminal.finish().exits(4);
        assert!(
            left.text.contains(&format!("{PROMPT} none")),
            "{keys:?}\n{}",
            left.text
        );
        assert!(left.text.contains("nothing was deleted"), "{}", left.text);
        assert!(!left.text.contains("Purge "), "{keys:?}\n{}", left.text);
        // The list itself is gone.
        assert!(!left.text.contains("[ ]"), "{keys:?}\n{}", left.text);
    }
    space.holds(&ALL);
}

#[test]
fn ctrl_c_leaves_as_at_the_question() {
    let space = groups();
    let mut terminal = list(&space, &[]);
    terminal.send(" ");
    terminal.wait_for("1 group, 2 Jobs");
    terminal.send("\u{3}");
    terminal.finish().exits(130);
    space.holds(&ALL);
}

#[test]
fn a_signal_from_outside_leaves_too() {
    let space = groups();
    let files = Files::new();
    let pid = files.path("pid");
    let tool = space.tool(&["-i"]);
    let script = format!("echo $$ > '{}'; exec \"$@\"", pid.display());
    let terminal = list_of(&shell(&script, &tool));
    let pid = std::fs::read_to_string(pid).unwrap();
    let killed = Command::new("kill")
        .args(["-s", "TERM", pid.trim()])
        .status();
    assert!(killed.unwrap().success());
    let left = terminal.finish().exits(143);
    // What is written next begins a line of its own.
    assert!(
        left.raw.ends_with('\n') || left.raw.ends_with("\u{1b}[?25h"),
        "{:?}",
        left.raw
    );
    space.holds(&ALL);
}

#[test]
fn a_choice_may_still_be_declined() {
    let space = groups();
    let mut terminal = list(&space, &[]);
    terminal.send("\t\r");
    answer(terminal, "Purge 4 Jobs in 3 groups of namespace ", "n").exits(4);
    space.holds(&ALL);
}

/// As echo and a shell's next line need it.
#[test]
fn the_terminal_is_as_it_was() {
    let space = groups();
    for (keys, code) in [(" \r", 4), ("\u{1b}", 4), ("\u{3}", 130)] {
        let tool = space.tool(&["-i"]);
        let files = Files::new();
        let modes = files.path("modes");
        let script = format!(
            "trap : INT; stty -a > '{0}.before'; \"$@\"; code=$?; stty -a > '{0}.after'; exit $code",
            modes.display()
        );
        let mut shell = shell(&script, &tool);
        shell.env("PATH", std::env::var_os("PATH").unwrap());
        // The shell has to outlive a Ctrl-C that reaches it, too.
        let mut terminal = list_of(&shell);
        terminal.send(keys);
        if keys.ends_with('\r') {
            terminal.wait_for("Purge 2 Jobs");
            terminal.enter("n");
        }
        terminal.finish().exits(code);
        let read = |end: &str| std::fs::read_to_string(modes.with_extension(end)).unwrap();
        assert_eq!(read("after"), read("before"), "{keys:?}");
    }
}

/// More groups than lines: pages, and a line that is too long is cut, so that it can be taken away again.
#[test]
fn a_long_list_has_pages() {
    let space = Space::new();
    let jobs: Vec<_> = (0..90)
        .flat_map(|number| {
            let group = format!("{number:02}-{}", "x".repeat(55));
            [1, 2].map(|age| space.job(&group, &format!("sync-{number:02}-{age}"), age))
        })
        .collect();
    space.seed(&jobs);
    let command = space.tool(&["-i", "--cascade=background"]);
    let mut terminal = Terminal::start(&command, 60);
    terminal.wait_for("90 of 90 groups");
    for (keys, first, last) in [
        ("", "00-xx", "55-xx"),
        ("\u{1b}[6~", "56-xx", "89-xx"),
        ("\u{1b}[H", "00-xx", "55-xx"),
        (UP, "56-xx", "89-xx"),
        (DOWN, "00-xx", "55-xx"),
        ("\u{1b}[F", "56-xx", "89-xx"),
    ] {
        terminal.send(keys);
        terminal.wait_for(first);
        terminal.wait_for(last);
        let text = terminal.text();
        assert_eq!(text.matches(PROMPT).count(), 1, "{text}");
        assert_eq!(
            text.matches("-xx").count(),
            if first == "00-xx" { 56 } else { 34 },
            "{text}"
        );
    }
    terminal.send(" ");
    terminal.wait_for("1 group, 1 Job");
    terminal.send("\r");
    answer(terminal, "Purge 1 Job in 1 group of namespace ", "y").exits(0);
    assert!(!space.names().contains("sync-89-2"));
    assert_eq!(space.names().len(), 179);
}

#[test]
fn text_from_the_cluster_stays_text() {
    let space = Space::new();
    // Label values cannot be hostile, so etcd has to hold what the server would not take.
    let group = "red\u{1b}[31m\u{202e}";
    space.seed(&[space.job(group, "a-1", 2), space.job(group, "a-2", 1)]);
    let mut terminal = list(&space, &[]);
    assert!(
        terminal.text().contains(r"red\u{1b}[31m\u{202e}  1 of 2"),
        "{}",
        terminal.text()
    );
    terminal.send("\u{1b}");
    let left = terminal.finish().exits(4);
    assert!(!left.raw.contains("\u{1b}[31m") && !left.raw.contains('\u{202e}'));
}

#[test]
fn nothing_to_purge_is_no_list() {
    let space = Space::with(&[("sync-1", 1)]);
    let left = Terminal::start(&space.tool(&["-i"]), 120).finish().exits(0);
    assert!(!left.text.contains(PROMPT), "{}", left.text);
}

#[test]
fn what_asks_nothing_offers_no_choice() {
    let space = groups();
    let mistakes: &[&[&str]] = &[
        &["-i", "--yes"],
        &["-i", "--dry-run"],
        &["-i", "--dry-run=client"],
        &["-i", "-f", "-"],
        &["-i=perhaps"],
        // There is no terminal here.
        &["-i"],
        &["--interactive", "-o", "json"],
    ];
    for mistake in mistakes {
        let run = space.run(mistake).exits(2).complains(&["error: "]);
        assert_eq!(run.out, "", "{}", run.story());
    }
    for harmless in [
        &["-i=false", "--dry-run=client"][..],
        &["-i", "--yes=false", "-h"],
    ] {
        space.run(harmless).exits(0);
    }
    let mut dumb = space.tool(&["-i"]);
    dumb.env("TERM", "dumb");
    let left = Terminal::start(&dumb, 120).finish().exits(2);
    assert!(!left.raw.contains('\u{1b}'), "{:?}", left.raw);
    space.holds(&ALL);
}
