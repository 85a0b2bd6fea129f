//! What a Tab brings, through the real kubectl and in real shells.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory;
use kubectl_jobclean::cli::Cli;
use serde_json::json;
use tempfile::TempDir;

use crate::support::kubeconfig::{Files, arg, config};
use crate::support::stub::{self, Stub};
use crate::support::tool::{PROGRAM, home};
use crate::support::{LABEL, Run, Space, Terminal, audit, plane, run, tool};

/// A folder on the PATH as `docs/flags.md` makes one: the plugin, and a link to it by the name that kubectl looks for.
fn bin() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    symlink(PROGRAM, folder.path().join("kubectl-jobclean")).unwrap();
    symlink(
        "kubectl-jobclean",
        folder.path().join("kubectl_complete-jobclean"),
    )
    .unwrap();
    folder
}

fn path(bin: &TempDir) -> OsString {
    plane().path_with(bin.path()).unwrap()
}

/// What kubectl offers for the words after `kubectl jobclean`, the last of which is the one at the cursor.
fn kubectl(words: &[&str]) -> Offer {
    let bin = bin();
    let mut command = Command::new(plane().kubectl());
    command
        .env_clear()
        .env("HOME", home())
        .env("PATH", path(&bin))
        .env("KUBERC", "off")
        .env("KUBECONFIG", plane().kubeconfig())
        .args(["__complete", "jobclean"])
        .args(words);
    let run = run(command).exits(0);
    // What kubectl itself says on stderr.
    let noise = |line: &str| {
        line.starts_with("[Debug] ") || line.starts_with("Completion ended with directive: ")
    };
    assert!(run.err.lines().all(noise), "{}", run.story());
    Offer::of(&run)
}

/// The same of the tool by itself.
fn asked(words: &[&str]) -> Offer {
    let mut command = tool();
    command.arg("__complete").args(words);
    let run = run(command).exits(0);
    assert_eq!(run.err, "", "{}", run.story());
    Offer::of(&run)
}

/// What is offered.
#[derive(Debug, PartialEq, Eq)]
struct Offer {
    words: Vec<String>,
    abouts: Vec<String>,
    directive: u32,
}

const FILES: u32 = 0;
const NOTHING: u32 = 4;
const FOLDERS: u32 = 16;

impl Offer {
    fn of(run: &Run) -> Self {
        let mut lines: Vec<&str> = run.out.lines().collect();
        let directive = lines.pop().and_then(|line| line.strip_prefix(':'));
        let directive = directive.and_then(|number| number.parse().ok());
        let parts = lines
            .iter()
            .map(|line| line.split_once('\t').unwrap_or((line, "")));
        let (words, abouts) = parts
            .map(|(word, about)| (word.to_owned(), about.to_owned()))
            .unzip();
        Self {
            words,
            abouts,
            directive: directive.unwrap_or_else(|| panic!("no directive\n{}", run.story())),
        }
    }

    #[track_caller]
    fn is(&self, words: &[&str], directive: u32) {
        assert_eq!(
            (&self.words[..], self.directive),
            (&words.map_to_owned()[..], directive)
        );
    }
}

trait ToOwnedWords {
    fn map_to_owned(&self) -> Vec<String>;
}

impl ToOwnedWords for [&str] {
    fn map_to_owned(&self) -> Vec<String> {
        self.iter().map(|word| (*word).to_owned()).collect()
    }
}

#[test]
fn kubectl_offers_flags() {
    kubectl(&["--out"]).is(&["--output"], NOTHING);
    let offer = kubectl(&["--dry"]);
    offer.is(&["--dry-run"], NOTHING);
    assert!(offer.abouts[0].starts_with("Change nothing"), "{offer:?}");
    let first = kubectl(&[""]);
    for word in ["rbac", "completion", "version", "--namespace", "--yes"] {
        assert!(first.words.contains(&word.to_owned()), "{word}: {first:?}");
    }
    // A subcommand does not go with flags before it.
    let later = kubectl(&["--yes", ""]);
    assert!(!later.words.contains(&"rbac".to_owned()), "{later:?}");
    kubectl(&["rbac", "--service"]).is(&["--serviceaccount"], NOTHING);
}

#[test]
fn kubectl_offers_values() {
    let formats = ["table", "wide", "summary", "json", "yaml", "tsv", "name"];
    kubectl(&["--output", ""]).is(&formats, NOTHING);
    kubectl(&["-o", "y"]).is(&["yaml"], NOTHING);
    // The shells put what stands up to the = before it themselves.
    kubectl(&["--dry-run="]).is(&["none", "client", "server"], NOTHING);
    kubectl(&["-A", "--cascade=b"]).is(&["background"], NOTHING);
    kubectl(&["-oj"]).is(&["-ojson"], NOTHING);
    kubectl(&["--yes="]).is(&["true", "false"], NOTHING);
    kubectl(&["completion", ""]).is(&["bash", "zsh", "fish", "powershell"], NOTHING);
    kubectl(&["--keep", ""]).is(&[], NOTHING);
    for flag in ["--filename", "--kubeconfig", "--save-plan", "--plan", "-f"] {
        kubectl(&[flag, ""]).is(&[], FILES);
    }
    kubectl(&["--backup", ""]).is(&[], FOLDERS);
    let parts = ["status", "pods", "events", "logs", "logs-failed"];
    kubectl(&["--backup-with", ""]).is(&parts, NOTHING);
}

/// It has flags of its own, and those of a connection.
#[test]
fn what_restore_takes_is_offered() {
    asked(&["rest"]).is(&["restore"], NOTHING);
    asked(&["restore", ""]).is(&[], FOLDERS);
    asked(&["restore", "d", "--dry-run="]).is(&["none", "client", "server"], NOTHING);
    asked(&["restore", "d", "--ke"]).is(&[], NOTHING);
    kubectl(&["restore", "d", "-n", "kube-sys"]).is(&["kube-system"], NOTHING);
    kubectl(&["restore", "d", "--context", ""]).is(&[plane().context()], NOTHING);
}

/// A value that has to be in the same word is not offered as the next, nor is what contradicts what is there.
#[test]
fn nothing_is_offered_that_would_be_an_error() {
    for bare in ["--dry-run", "--yes", "-A"] {
        let offer = asked(&[bare, ""]);
        assert!(
            offer.words.iter().all(|word| word.starts_with("--")),
            "{offer:?}"
        );
    }
    asked(&["--yes", "--yes"]).is(&[], NOTHING);
    asked(&["--limit=5", "--chunk"]).is(&[], NOTHING);
    asked(&["--plan", "p", "--keep"]).is(&[], NOTHING);
    asked(&["--keep=2", "--plan"]).is(&[], NOTHING);
    asked(&["-L", "a", "--lab"]).is(&["--label"], NOTHING);
    asked(&["-Av", "--verb"]).is(&["--verbose"], NOTHING);
}

#[test]
fn every_flag_that_the_help_shows_is_offered_and_no_other() {
    let offer = asked(&["-"]);
    let offered: BTreeSet<String> = offer.words.into_iter().collect();
    let mut command = Cli::command();
    command.build();
    let mut shown = BTreeSet::new();
    for arg in command.get_arguments() {
        let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
        shown.extend(longs.iter().map(|long| format!("--{long}")));
        shown.extend(arg.get_short().map(|short| format!("-{short}")));
    }
    assert_eq!(offered, shown);
}

#[test]
fn kubectl_offers_what_the_cluster_has() {
    let space = Space::new();
    space.seed(&[
        space.job("g", "one", 1).label("only.example/here", "x"),
        space.job("g", "two", 2).label("job-name", "two"),
    ]);
    kubectl(&["-n", &space.name]).is(&[&space.name], NOTHING);
    kubectl(&[&format!("--namespace={}", space.name)]).is(&[&space.name], NOTHING);
    kubectl(&[&format!("-n{}", space.name)]).is(&[&format!("-n{}", space.name)], NOTHING);
    let keys = kubectl(&["-n", &space.name, "-L", ""]);
    keys.is(&["only.example/here", LABEL], NOTHING);
    assert_eq!(keys.abouts, ["on 1 Job", "on 2 Jobs"]);
    kubectl(&["rbac", "-n", &space.name, "--label=only"]).is(&["only.example/here"], NOTHING);
}

/// What may group Jobs, with the word before the key; the names of Jobs; and namespaces to leave out.
#[test]
fn kubectl_offers_groupings_and_names() {
    let space = Space::new();
    space.seed(&[space
        .job("g", "sync-1", 1)
        .annotation("example.com/team", "red")]);
    let groupings = kubectl(&["-n", &space.name, "--group-by", ""]);
    for word in [
        "application",
        "family",
        &format!("label:{LABEL}"),
        "annotation:example.com/team",
    ] {
        assert!(
            groupings.words.iter().any(|offered| offered == word),
            "{word}"
        );
    }
    let names = kubectl(&["explain", "-n", &space.name, ""]);
    assert!(names.words.iter().any(|offered| offered == "sync-1"));
    let namespaces = kubectl(&["-A", "--exclude-namespace", ""]);
    assert!(namespaces.words.contains(&space.name));
}

#[test]
fn kubectl_offers_what_the_kubeconfig_names() {
    let files = Files::new();
    let (cluster, user) = (files.cluster(), files.user("completer", &[]));
    let context = json!({"cluster": "c:1", "user": "u1"});
    let config = config(
        &[("c:1", &cluster), ("c2", &cluster)],
        &[("u1", &user), ("u2", &user)],
        &[
            ("arn:aws:one", context.clone()),
            ("evil\u{1b}[2J", context.clone()),
            ("two words", context),
        ],
        None,
    );
    let kubeconfig = files.write("config", &config.to_string());
    let kubeconfig = ["--kubeconfig", arg(&kubeconfig)];
    let offer = |words: &[&str]| kubectl(&[&kubeconfig[..], words].concat());
    // What would steer a terminal is left out.
    offer(&["--context", ""]).is(&["arn:aws:one", "two words"], NOTHING);
    offer(&["--context", "arn:aws:"]).is(&["arn:aws:one"], NOTHING);
    offer(&["--cluster", ""]).is(&["c:1", "c2"], NOTHING);
    offer(&["--user="]).is(&["u1", "u2"], NOTHING);
}

/// If no server answers, completion offers nothing, prints nothing and ends in time.
#[test]
fn what_cannot_be_had_is_not_offered() {
    let files = Files::new();
    let stranger = plane().kubeconfig_for("completes-nothing", &[]).unwrap();
    let nonsense = files.write("config", "{");
    let silent = Stub::silent();
    let closed = stub::closed();
    let everywhere: [&[&str]; 6] = [
        &["-s", &silent.url, "--request-timeout=0"],
        &["-s", &closed],
        &["--kubeconfig", arg(&stranger)],
        &["--kubeconfig", arg(&nonsense)],
        &["--kubeconfig=/nowhere"],
        &["--request-timeout=soon"],
    ];
    for at in everywhere {
        for flag in ["-n", "-L"] {
            asked(&[at, &[flag, ""]].concat()).is(&[], NOTHING);
        }
    }
    assert!(!silent.asked().is_empty());
    asked(&["--kubeconfig", arg(&nonsense), "--context", ""]).is(&[], NOTHING);
}

/// Whatever stands on the line, completing it is no run.
#[test]
fn completing_deletes_nothing() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let tool = space.tool(&["--yes"]);
    let line: Vec<&str> = tool.get_args().map(|arg| arg.to_str().unwrap()).collect();
    // With the last two it would be a run, if it were taken for one.
    for last in ["", "-v", "--cascade=background"] {
        asked(&[&line[..], &[last]].concat());
        kubectl(&[&line[..], &[last]].concat());
    }
    asked(&[]);
    space.holds(&["sync-1", "sync-2"]);
    assert!(audit::all(&space.name, "delete").is_empty());
}

/// Types lines into an interactive shell; each ends with a Tab and then shows what is expected.
fn in_shell(program: &str, args: &[&str], setup: &str, lines: &[(&str, &str)]) {
    let bin = bin();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a-folder")).unwrap();
    std::fs::write(folder.path().join("a-file"), "").unwrap();
    let files = Files::new();
    let context = |cluster: &str| json!({"cluster": cluster, "user": "u"});
    let contexts = [
        ("arn:aws:eks:one/prod", context("c")),
        ("two words", context("c")),
    ];
    let config = config(&[], &[], &contexts, None);
    let kubeconfig = files.write("config", &config.to_string());
    for (typed, expected) in lines {
        let mut command = Command::new(program);
        command
            .args(args)
            .env("HOME", folder.path())
            .env("PATH", path(&bin))
            .env("LANG", "C.UTF-8")
            .env("KUBECONFIG", &kubeconfig)
            .current_dir(folder.path());
        let mut terminal = Terminal::start(&command, 200);
        terminal.send(&format!("{setup}\necho rea''dy\n"));
        terminal.wait_for("ready");
        terminal.send(typed);
        terminal.send("\t");
        terminal.wait_for(expected);
        // Ctrl-U takes back what has been typed.
        terminal.send("\u{15}exit\n");
        terminal.finish();
    }
}

/// What each shell is to make of what is typed. The answer is told from what was typed by its end.
const TYPED: [(&str, &str); 7] = [
    ("kubectl-jobclean comp", "kubectl-jobclean completion"),
    ("kubectl-jobclean --dry-run=c", "--dry-run=client"),
    ("kubectl-jobclean -o summ", "-o summary"),
    ("kubectl-jobclean --mixed", "--mixed-groups"),
    ("kubectl-jobclean --backup a-fo", "--backup a-folder/"),
    ("kubectl-jobclean --filename a-fi", "--filename a-file"),
    (
        "kubectl-jobclean --context arn:aws:ek",
        "--context arn:aws:eks:one/prod",
    ),
];

#[test]
fn bash_completes() {
    let bash = |setup, lines: &[_]| {
        assert!(Path::new("/bin/bash").exists(), "there is no /bin/bash");
        let args = ["--norc", "--noprofile", "-i"];
        in_shell("/bin/bash", &args, setup, lines);
    };
    const LOAD: &str = "source <(kubectl-jobclean completion bash)";
    bash(LOAD, &TYPED);
    bash(
        LOAD,
        &[(
            "kubectl-jobclean -L 'a b' --context=two",
            r"--context=two\ words",
        )],
    );
    // Some take these out of the characters that part words.
    bash(&format!("{LOAD}; COMP_WORDBREAKS=' '"), &TYPED);
}

#[test]
#[ignore = "needs zsh; .ci/run has it"]
fn zsh_completes() {
    in_shell(
        "zsh",
        &["-f", "-i"],
        "autoload -U compinit; compinit -D; source <(kubectl-jobclean completion zsh)",
        &TYPED,
    );
}

#[test]
#[ignore = "needs fish; .ci/run has it"]
fn fish_completes() {
    in_shell(
        "fish",
        &["--no-config", "-i"],
        "kubectl-jobclean completion fish | source",
        &TYPED,
    );
}

#[test]
fn an_unknown_shell_is_refused() {
    for args in [
        &["completion"][..],
        &["completion", "tcsh"],
        &["completion", "bash", "--yes"],
    ] {
        let mut command = tool();
        command.args(args);
        let run = run(command).exits(2);
        assert_eq!(run.out, "");
    }
}
