//! A typo never turns into a deletion.

use std::collections::BTreeSet;

use clap::{Arg, CommandFactory, Parser};
use kubectl_jobclean::cli::{Cli, tips};

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

/// Whether the words are refused as a mistake, before there is a run.
fn is_mistake(words: &[&str]) -> bool {
    let words = [&["kubectl-jobclean"], words].concat();
    match Cli::try_parse_from(words) {
        Ok(_) => false,
        Err(error) => error.exit_code() == 2,
    }
}

/// Every way to give an argument this value.
fn ways(arg: &Arg, value: &str) -> Vec<Vec<String>> {
    let longs = arg.get_long().into_iter();
    let longs = longs.chain(arg.get_all_aliases().unwrap_or_default());
    let longs = longs.map(|long| format!("--{long}"));
    let flags: Vec<String> = longs
        .chain(arg.get_short().map(|short| format!("-{short}")))
        .collect();
    let mut ways: Vec<Vec<String>> = flags
        .iter()
        .map(|flag| vec![format!("{flag}={value}")])
        .collect();
    if !arg.is_require_equals_set() {
        ways.extend(flags.into_iter().map(|flag| vec![flag, value.to_owned()]));
    }
    if arg.is_positional() {
        ways.push(vec![value.to_owned()]);
    }
    ways
}

/// A shell variable that is not set is no value of any flag, and neither is one of blanks: also not of a flag that is
/// added tomorrow, in any subcommand and by any of its names.
#[test]
fn an_empty_value_is_a_mistake() {
    let mut command = Cli::command();
    command.build();
    let subcommands = command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help");
    let mut tried = 0;
    for (before, command) in [(None, &command)]
        .into_iter()
        .chain(subcommands.map(|sub| (Some(sub.get_name()), sub)))
    {
        let takes_value = |arg: &&Arg| arg.get_action().takes_values();
        for arg in command.get_arguments().filter(takes_value) {
            for value in ["", " ", "\t\n", "  "] {
                for way in ways(arg, value) {
                    let words: Vec<&str> = before
                        .into_iter()
                        .chain(way.iter().map(String::as_str))
                        .collect();
                    assert!(is_mistake(&words), "{words:?}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

/// The variables that flags have are no other way around that, and the error names them.
#[test]
fn an_empty_variable_is_a_mistake() {
    let mut variables = 0;
    for arg in Cli::command().get_arguments() {
        let Some(variable) = arg.get_env() else {
            continue;
        };
        variables += 1;
        let flag = format!("--{}", arg.get_long().unwrap());
        for value in ["", " ", ","] {
            let mut command = tool();
            command.env(variable, value);
            let run = is_refused(run(command));
            let run = run.complains(&[variable.to_str().unwrap(), &flag]);
            assert!(run.err.contains("tip: "), "{}", run.story());
        }
        // It is not to blame for what the command line says.
        let mut command = tool();
        command.env(variable, "").arg(format!("{flag}="));
        let run = is_refused(run(command));
        assert!(!run.err.contains("variable"), "{}", run.story());
    }
    assert!(variables > 0);
}

/// The API server would take a user called by blanks for no impersonation, and the deletes would be one's own.
#[test]
fn blanks_are_no_user_to_impersonate() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    for flag in ["--as", "--as-group", "--as-uid"] {
        is_refused(space.run(&["--yes", flag, " "]));
    }
    is_refused(space.run(&["--yes", "--as=jane", "--as-user-extra", " =x"]));
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

/// Everything that an error says, below what it says of the words that were typed.
fn advice(run: &Run) -> String {
    let lines: Vec<&str> = run.err.lines().skip(1).collect();
    lines.join("\n")
}

/// Whether a text names a flag, and not only one that begins alike.
fn names(text: &str, flag: &str) -> bool {
    text.match_indices(flag).any(|(at, _)| {
        let next = text[at + flag.len()..].chars().next();
        !next.is_some_and(|next| next.is_alphanumeric() || next == '-')
    })
}

/// Fails if an error leads to a flag or value with which more is deleted.
#[track_caller]
fn leads_to_no_more_deletes(run: &Run) {
    let advice = advice(run);
    for flag in tips::DELETE_MORE {
        assert!(!names(&advice, &format!("--{flag}")), "{}", run.story());
    }
    for value in ["'none'", "'merge'", "'split'"] {
        assert!(!advice.contains(value), "{}", run.story());
    }
}

/// What was mistyped is no sign that more is to be deleted.
#[test]
fn no_tip_leads_to_more_deletes() {
    for (typed, tip) in [
        (&["--exclude-active"][..], "are kept anyway"),
        (&["--skip-owned"], "are kept anyway"),
        (&["--skip-namespace", "a"], "--exclude-namespace"),
        (&["--json"], "-o json"),
        (&["--status", "Failed"], "--keep-failed"),
        (&["--max-age-hours", "24"], "'--keep-within 24h'"),
        (&["--max-age-hours=72"], "'--keep-within 72h'"),
        (&["--max-age-days", "7", "--keep=2"], "'--keep-within 7d'"),
        (&["--keep=2", "--max-age", "1d12h"], "'--keep-within 1d12h'"),
        (&["--max-age=24"], "'--keep-within DURATION'"),
        (&["--max-age"], "'--keep-within DURATION'"),
        // Beside a policy a flag is an error where the policy says the same.
        (&["--policy=p", "--retain=3"], "use 'keep: N' in the policy"),
        (&["--status", "Failed", "--policy", "p"], "'keepFailed: N'"),
        (&["--policy=p", "--max-age-days", "7"], "'keepWithin: 7d'"),
        (&["--policy=p", "--skip-active"], "includeActive in the"),
        (&["--policy=p", "--skip-owned"], "includeOwned in the"),
        (&["--policy=p", "--workers", "4"], "--concurrency"),
        (&["--workers", "4"], "--concurrency"),
        (&["--force"], "by force"),
        (&["--confirm"], "it asks"),
        (&["--assume-yes"], "it asks"),
        (&["--all"], "every group"),
        (&["--include-activ"], ""),
        (&["--include-own"], ""),
        (&["--yess"], ""),
        (&["--yess", "rbac"], ""),
        (&["rbac", "--yess"], ""),
        (&["--all-namespace"], ""),
        (&["--mixed-group=split"], ""),
        (&["--insecure-skip-tls"], ""),
        (&["--dry-run=non"], ""),
        (&["--mixed-groups=merg"], ""),
        (&["--mixed-groups=splt"], ""),
        // The opposite of what was typed is as bad.
        (&["--exclude-namespacs=a"], "'--exclude-namespace'"),
        (&["--not-namespace=a"], ""),
        (&["--no-keep-failed"], ""),
        (&["--no-backup"], ""),
        (&["--no-header"], "'--no-headers'"),
        (&["--disable-compresion"], "'--disable-compression'"),
        // Others are what was meant.
        (&["--kep=2"], "--keep"),
        (&["--concurency=2"], "--concurrency"),
        (&["--dry-run=clint"], "client"),
    ] {
        let mut command = tool();
        command.args(typed);
        let run = is_refused(run(command));
        let has_tip = run.err.contains("tip: ");
        assert_eq!(has_tip, !tip.is_empty(), "{typed:?}\n{}", run.story());
        assert!(advice(&run).contains(tip), "{typed:?}\n{}", run.story());
        leads_to_no_more_deletes(&run);
    }
}

/// Whatever is mistyped of any flag, also of one that is added tomorrow.
#[test]
fn no_misspelling_leads_to_more_deletes() {
    let mut command = Cli::command();
    command.build();
    let longs: Vec<&str> = command
        .get_arguments()
        .flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default())
        .collect();
    let mut tried = 0;
    for long in &longs {
        let bare = long.split_once('-').map_or(*long, |(_, rest)| rest);
        for typed in [
            format!("{long}s"),
            long[..long.len() - 1].to_owned(),
            long.replacen('-', "", 1),
            long.replacen('-', "_", 1),
            format!("exclude-{bare}"),
            format!("no-{long}"),
            format!("skip-{bare}"),
        ] {
            if longs.contains(&typed.as_str()) || typed.len() < 2 {
                continue;
            }
            let mistake = Cli::try_parse_from(["kubectl-jobclean", &format!("--{typed}")]);
            let mistake = tips::with_tip(mistake.unwrap_err(), &[]).to_string();
            let advice = mistake.split_once('\n').unwrap().1;
            for flag in tips::DELETE_MORE {
                assert!(
                    !names(advice, &format!("--{flag}")),
                    "--{typed}:\n{mistake}"
                );
            }
            tried += 1;
        }
    }
    assert!(tried > 250, "{tried}");
}

/// Each flag has been looked at. One that is new fails here until it is put where it belongs.
#[test]
fn it_is_known_of_every_flag_whether_it_deletes_more() {
    let harmless = [
        "as",
        "as-group",
        "as-uid",
        "as-user-extra",
        "backup",
        "backup-with",
        "cascade",
        "certificate-authority",
        "chunk-size",
        "client-certificate",
        "client-key",
        "cluster",
        "concurrency",
        "context",
        "disable-compression",
        "dry-run",
        "exclude-namespace",
        "field-selector",
        "filename",
        "group-by",
        "help",
        "interactive",
        "journal",
        "keep",
        "keep-failed",
        "keep-finished-within",
        "keep-succeeded",
        "keep-superseded-within",
        "keep-within",
        "kubeconfig",
        "label",
        "log-format",
        "max-purge",
        "metrics-file",
        "namespace",
        "no-headers",
        "output",
        "quiet",
        "request-timeout",
        "save-plan",
        "selector",
        "server",
        "show",
        "timeout",
        "tls-server-name",
        "token",
        "user",
        "verbose",
        "version",
        "wait",
    ];
    let mut command = Cli::command();
    command.build();
    let known: BTreeSet<&str> = harmless.into_iter().chain(tips::DELETE_MORE).collect();
    let there: BTreeSet<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
    assert_eq!(known, there);
}

/// A habit is about a flag that does not exist, and its tip names flags that do.
#[test]
fn habits_lead_to_flags_that_exist() {
    let mut command = Cli::command();
    command.build();
    let mut longs = BTreeSet::new();
    for arg in command.get_arguments() {
        longs.extend(arg.get_long());
        longs.extend(arg.get_all_aliases().unwrap_or_default());
    }
    let habits = tips::HABITS.into_iter().chain(tips::AGES);
    for (habit, tip) in habits.clone() {
        assert!(!longs.contains(habit), "--{habit} is a flag");
        assert!(is_mistake(&[&format!("--{habit}")]), "{habit}");
        for named in tip.split("--").skip(1) {
            let end = named.find(|c: char| !(c.is_alphanumeric() || c == '-'));
            let named = &named[..end.unwrap_or(named.len())];
            assert!(longs.contains(named), "{habit}: {tip}");
            assert!(!tips::DELETE_MORE.contains(&named), "{habit}: {tip}");
        }
    }
    for table in [&tips::HABITS[..], &tips::AGES] {
        assert!(table.is_sorted_by(|a, b| a.0 < b.0), "{table:?}");
    }
}

/// Flags like these take a value behind a `=` only. What stands behind a blank is neither taken nor passed over.
#[test]
fn a_value_that_stands_apart_is_a_mistake_with_a_tip() {
    for (typed, tip) in [
        (&["-v", "6"][..], "'-v=6'"),
        (&["--v", "8"], "'--v=8'"),
        (&["-Av", "6"], "'-Av=6'"),
        (&["-A", "--verbose", "6"], "'--verbose=6'"),
        (&["-v6"], "'-v=6'"),
        (&["rbac", "-v", "6"], "'-v=6'"),
        (&["--dry-run", "client"], "'--dry-run=client'"),
        (&["--yes", "false"], "'--yes=false'"),
        (&["-y", "false"], "'-y=false'"),
        // More would be deleted, or it is no value.
        (&["--yes", "true"], ""),
        (&["-y", "true"], ""),
        (&["-vy", "true"], ""),
        (&["--include-active", "1"], ""),
        (&["--dry-run", "none"], ""),
        (&["-v", "sync-1"], ""),
        (&["--dry-run", "sync-1"], ""),
        (&["-A", "sync-1"], ""),
        (&["-q", "false"], ""),
    ] {
        let mut command = tool();
        command.args(typed);
        let run = is_refused(run(command)).complains(&["unexpected argument"]);
        assert_eq!(
            run.err.contains("tip: "),
            !tip.is_empty(),
            "{}",
            run.story()
        );
        assert!(advice(&run).contains(tip), "{}", run.story());
        assert!(!run.err.contains("subcommand '"), "{}", run.story());
        // To say no is not to delete more.
        if !tip.ends_with("=false'") {
            leads_to_no_more_deletes(&run);
        }
    }
    // A subcommand is one also there.
    let mut command = tool();
    command.args(["-A", "rbac"]);
    is_refused(run(command)).complains(&["the subcommand 'rbac' cannot be used with"]);
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
        (&["-v=5"], (true, false)),
        (&["--v=5"], (true, false)),
        (&["-v", "-v=2"], (true, false)),
        (&["--verbose"], (true, false)),
        (&["-vv"], (true, true)),
        (&["-v", "-v"], (true, true)),
        (&["-v=6"], (true, true)),
        (&["--v=8"], (true, true)),
        (&["-v=3", "-v=3"], (true, true)),
        (&["--verbose=99"], (true, true)),
        (&["-v=4294967295", "-v"], (true, true)),
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
        "--group-by",
        "--family",
        "--field-selector",
        "--exclude-namespace",
        "--keep-within",
        "--keep-superseded-within",
        "--keep-finished-within",
        "--include-active",
        "--include-owned",
        "--mixed-groups",
        "--policy",
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
        "explain",
    ] {
        assert!(words.contains(&flag), "{flag} is not in the help");
    }
    // The rule of families is written where users find it, and so are the exit codes.
    for words in [
        "explain NAME",
        "argocd.argoproj.io/instance",
        "argocd.argoproj.io/tracking-id",
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
