//! A typo never turns into a deletion.

use crate::support::tool::{Run, run_fed};
use crate::support::{LABEL, Space, audit, plane, run, tool};

/// Fails unless this is a usage error that reached no cluster.
#[track_caller]
fn is_refused(run: Run) -> Run {
    let run = run.exits(2);
    assert_eq!(run.out, "", "{}", run.story());
    assert!(run.err.starts_with("error: "), "{}", run.story());
    run
}

#[test]
fn mistakes_delete_nothing() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let mistakes: &[&[&str]] = &[
        &["--keeps=2"],
        &["--dryrun"],
        &["--dry-run=clint"],
        &["--dry-run="],
        &["-x"],
        &["sync-1"],
        &["--keep=0"],
        &["--keep=-1"],
        &["--keep=one"],
        &["--keep="],
        &["--keep-succeeded=-1"],
        &["--keep-failed=x"],
        &["--keep-within=5"],
        &["--keep-within="],
        &["--keep-within=1w"],
        &["--keep-within=-1h"],
        &["--keep-within=1.5h"],
        &["--keep-within=h"],
        &["--keep-within=99999999999999999999d"],
        &["--concurrency=0"],
        &["--concurrency=257"],
        &["--concurrency=-1"],
        &["--chunk-size=-1"],
        &["--chunk-size=x"],
        &["--limit=x"],
        &["--cascade=true"],
        &["--cascade=Background"],
        &["--cascade="],
        &["--mixed-groups=keep"],
        &["-o", "xml"],
        &["-o", ""],
        &["-L", ""],
        &["--label="],
        &["-L", "has space"],
        &["-L", "a=b"],
        &["-L", "/name"],
        &["-L", "a/b/c"],
        &["-n", ""],
        &["-n", "Not_A_Namespace"],
        &["-f", ""],
        &["--request-timeout=soon"],
        &["-q", "-v"],
        &["--filename=-", "--yes"],
        &["--yes=perhaps"],
    ];
    for mistake in mistakes {
        is_refused(space.run(&[&["--yes"][..], mistake].concat()));
    }
    space.holds(&["sync-1", "sync-2"]);
    assert!(audit::all(&space.name, "delete").is_empty());
}

/// Every flag that takes a value, also one that is added tomorrow, refuses an empty one: it is a variable that is not set.
#[test]
fn an_empty_value_is_a_mistake() {
    use clap::CommandFactory as _;

    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let command = kubectl_jobclean::cli::Cli::command();
    let mut tried = 0;
    for flag in command.get_arguments() {
        let takes_value = flag.get_action().takes_values();
        let Some(name) = flag.get_long().filter(|_| takes_value) else {
            continue;
        };
        let given = format!("--{name}=");
        let run = space.run(&["--dry-run=client", &given]);
        assert_eq!(run.code, Some(2), "{given:?}\n{}", run.story());
        assert_eq!(run.out, "", "{given:?}\n{}", run.story());
        tried += 1;
    }
    assert!(tried > 35, "{tried}");
    for short in ["-L", "-l", "-n", "-o", "-s", "-f"] {
        let run = space.run(&["--dry-run=client", short, ""]);
        assert_eq!(run.code, Some(2), "{short}\n{}", run.story());
    }
    space.holds(&["sync-1", "sync-2"]);
}

#[test]
fn an_empty_variable_never_widens_what_is_looked_at() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let mut command = tool();
    command
        .arg("--kubeconfig")
        .arg(plane().kubeconfig())
        .args(["-n", &space.name, "--yes"]);
    command.env("JOBCLEAN_LABEL", "");
    is_refused(run(command));
    for selector in ["", " ", ",", " , "] {
        is_refused(space.run(&["--yes", "-l", selector]));
        is_refused(space.run(&["rbac", "-l", selector]));
    }
    space.holds(&["sync-1", "sync-2"]);
}

/// What was mistyped is no sign that more is to be deleted.
#[test]
fn no_tip_leads_to_more_deletes() {
    for (typed, tip) in [
        (&["--exclude-active"][..], "are kept anyway"),
        (&["--skip-owned"], "are kept anyway"),
        (&["--exclude-namespace", "a"], "--namespace NS"),
        (&["--json"], "-o json"),
        (&["--status", "Failed"], "--keep-failed"),
        (&["--max-age-hours", "24"], "--keep-within 24h"),
        (&["--max-age=24"], "--keep-within 24h"),
        (&["--workers", "4"], "--concurrency"),
        (&["--include-activ"], ""),
        (&["--include-own"], ""),
        (&["--yess"], ""),
        (&["--all-namespace"], ""),
        (&["--mixed-group=split"], ""),
        (&["--insecure-skip-tls"], ""),
        (&["--dry-run=non"], ""),
        (&["--mixed-groups=merg"], ""),
        (&["-v", "6"], "-v=6"),
        // Others are what was meant.
        (&["--kep=2"], "--keep"),
        (&["--concurency=2"], "--concurrency"),
        (&["--dry-run=clint"], "client"),
    ] {
        let mut command = tool();
        command.args(typed);
        let run = is_refused(run(command));
        let tips: Vec<&str> = run
            .err
            .lines()
            .filter(|line| line.contains("tip: "))
            .collect();
        let tips = tips.join("\n");
        assert_eq!(
            tips.is_empty(),
            tip.is_empty(),
            "{typed:?}\n{}",
            run.story()
        );
        assert!(tips.contains(tip), "{typed:?}\n{}", run.story());
        for more in [
            "--include",
            "--yes",
            "--all",
            "--mixed",
            "--insecure",
            "'none'",
            "'merge'",
        ] {
            assert!(!tips.contains(more), "{typed:?}\n{}", run.story());
        }
    }
}

/// kubectl's users write a number.
#[test]
fn verbosity_may_be_a_number() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let said = |more: &[&str]| {
        let args = [&["--yes", "--cascade=background"][..], more].concat();
        let run = space.run(&args).exits(0);
        space.seed(&[space.job("g", "sync-1", 2)]);
        (
            run.err.contains("listing Jobs"),
            run.err.contains("sync-1: deleted"),
        )
    };
    for (flags, expected) in [
        (&[][..], (false, false)),
        (&["-v=0"], (false, false)),
        (&["--v=0"], (false, false)),
        (&["-v"], (true, false)),
        (&["-v=1"], (true, false)),
        (&["--verbose"], (true, false)),
        (&["-vv"], (true, true)),
        (&["-v", "-v"], (true, true)),
        (&["-v=6"], (true, true)),
        (&["--v=8"], (true, true)),
        (&["--verbose=99"], (true, true)),
    ] {
        assert_eq!(said(flags), expected, "{flags:?}");
    }
    for wrong in ["-v=x", "-v=", "--v=-1", "-v=1.5"] {
        is_refused(space.run(&[wrong]));
    }
}

#[test]
fn older_than_is_another_name_of_keep_within() {
    let space = Space::with(&[("sync-1", 30), ("sync-2", 3), ("sync-3", 1)]);
    let plan = space.plan(&["--older-than", "12h"]);
    assert_eq!(plan, space.plan(&["--keep-within", "12h"]));
    assert_eq!(plan[1..], ["sync-2 SKIP recent", "sync-1 PURGE superseded"]);
}

/// An unset variable in a script must not widen what is looked at.
#[test]
fn an_empty_selector_or_namespace_is_no_namespace() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let mut command = tool();
    command
        .arg("--kubeconfig")
        .arg(plane().kubeconfig())
        .args(["-L", LABEL, "-n", "", "--yes"]);
    is_refused(run(command));
    space.holds(&["sync-1", "sync-2"]);
}

#[test]
fn the_same_label_twice_is_one_or_an_error_but_never_another_plan() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let run = space.run(&["-L", LABEL, "--dry-run=client", "-o", "name"]);
    match run.code {
        Some(0) => assert_eq!(run.out, "job.batch/sync-1\n"),
        code => assert_eq!(code, Some(2), "{}", run.story()),
    }
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_deleted() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let run = space.run(&[]).exits(2).complains(&["--yes"]);
    assert!(run.err.contains("error: "), "{}", run.story());
    // Not even by someone who pipes the answer in.
    run_fed(space.tool(&[]), "y\n")
        .exits(2)
        .complains(&["--yes"]);
    run_fed(space.tool(&["-o", "json"]), "yes\n").exits(2);
    space.run(&["--yes=false"]).exits(2);
    space.holds(&["sync-1", "sync-2"]);
    assert!(audit::all(&space.name, "delete").is_empty());
}

#[test]
fn nothing_to_do_is_done() {
    let space = Space::with(&[("sync-1", 1)]);
    for args in [&[][..], &["--yes"], &["--dry-run"], &["-o", "json"]] {
        space.run(args).exits(0);
    }
    let empty = Space::new();
    for args in [&[][..], &["--yes"], &["--dry-run=server"]] {
        empty.run(args).exits(0);
    }
    space.holds(&["sync-1"]);
}

#[test]
fn help_shows_what_works_and_nothing_else() {
    let mut command = tool();
    command.arg("--help");
    let run = run(command).exits(0);
    assert_eq!(run.err, "");
    let words: Vec<&str> = run
        .out
        .split(|char: char| !(char.is_alphanumeric() || char == '-'))
        .collect();
    for flag in [
        "--label",
        "-L",
        "--namespace",
        "-n",
        "--all-namespaces",
        "-A",
        "--selector",
        "-l",
        "--filename",
        "-f",
        "--keep",
        "--keep-succeeded",
        "--keep-failed",
        "--keep-within",
        "--include-active",
        "--include-owned",
        "--mixed-groups",
        "--yes",
        "-y",
        "--interactive",
        "-i",
        "--dry-run",
        "--cascade",
        "--wait",
        "--timeout",
        "--concurrency",
        "--chunk-size",
        "--output",
        "-o",
        "--no-headers",
        "-v",
        "-q",
        "--kubeconfig",
        "--context",
        "--cluster",
        "--user",
        "--token",
        "--as",
        "--as-uid",
        "--as-group",
        "--as-user-extra",
        "-s",
        "--server",
        "--tls-server-name",
        "--insecure-skip-tls-verify",
        "--certificate-authority",
        "--client-certificate",
        "--client-key",
        "--request-timeout",
        "--disable-compression",
        "version",
        "completion",
        "rbac",
    ] {
        assert!(words.contains(&flag), "{flag} is not in the help");
    }
    // The rule of families is written where users find it, and so are the exit codes.
    for words in [
        "bcdfghjklmnpqrstvwxz2456789",
        "argocd.argoproj.io/instance",
        "JOBCLEAN_LABEL",
        "130",
        "kubectl jobclean",
    ] {
        assert!(run.out.contains(words), "{words} is not in the help");
    }
}

#[test]
fn the_version_is_told() {
    for arg in ["version", "--version"] {
        let mut command = tool();
        command.arg(arg);
        run(command).exits(0).shows(&[env!("CARGO_PKG_VERSION")]);
    }
}
