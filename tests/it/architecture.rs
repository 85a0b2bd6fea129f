//! The map in `src/lib.rs`, held to by reading the sources: what is pure stays pure, arrows are not reversed, one place
//! touches the terminal.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::code::{siblings, uses, without_tests};

/// Files that decide what is deleted. They have no other input than their arguments.
const PURE: [&str; 10] = [
    "approval",
    "choice",
    "job",
    "group",
    "retention",
    "plan",
    "outcome",
    "remaining",
    "selector",
    "text",
];
/// Words that would give a pure file a cluster, a runtime, a command line, input and output, or a clock.
const IMPURE: [&str; 14] = [
    "kube",
    "k8s_openapi",
    "tokio",
    "clap",
    "io",
    "fs",
    "env",
    "net",
    "process",
    "thread",
    "SystemTime",
    "Instant",
    "now (",
    "fastrand",
];

/// What writes to or reads from the process's own terminal, wherever it leads.
const TERMINAL: [&str; 13] = [
    "stdin (",
    "stdout (",
    "stderr (",
    "print !",
    "println !",
    "eprint !",
    "eprintln !",
    "dbg !",
    "dialoguer",
    "indicatif",
    "termios",
    "is_terminal (",
    "ctrl_c (",
];
/// Who may use which of these. `file` reads `-`, `show` writes the plan: neither asks or draws.
const TERMINAL_USERS: [(&str, &[&str]); 5] = [
    ("ui", &TERMINAL),
    ("signals", &["ctrl_c ("]),
    ("main", &["stderr (", "eprintln !"]),
    ("show", &["stdout ("]),
    ("file", &["stdin ("]),
];

/// The arrows: what a module may use of its siblings. Modules that are not named here may use any but the [`STORY`].
const ARROWS: [(&str, &[&str]); 21] = [
    ("compact", &[]),
    ("job", &["compact"]),
    ("selector", &[]),
    ("text", &[]),
    ("wire", &[]),
    ("remaining", &["compact", "job", "outcome", "plan"]),
    ("choice", &["plan", "text"]),
    ("clock", &[]),
    ("duration", &[]),
    ("error", &[]),
    ("retry", &[]),
    ("group", &["job"]),
    ("retention", &["group", "job"]),
    ("outcome", &["retention"]),
    (
        "approval",
        &["compact", "group", "job", "outcome", "plan", "retention"],
    ),
    ("limit", &[]),
    ("plan", &["group", "job", "limit", "retention", "selector"]),
    ("intake", &["compact", "job", "selector", "wire"]),
    ("rbac", &["cluster"]),
    ("file", &["intake", "job", "selector", "wire"]),
    (
        "output",
        &[
            "compact",
            "group",
            "job",
            "outcome",
            "output",
            "plan",
            "purge",
            "remaining",
            "retention",
            "selector",
            "text",
        ],
    ),
];
/// Arrows that would turn back, between modules that may use much else.
const REVERSED: [(&str, &[&str]); 2] = [
    ("cluster", &["backup", "file", "output", "purge"]),
    ("purge", &["file", "output"]),
];
/// These tell the story or speak for it: only they use each other, and `main`.
const STORY: [&str; 7] = [
    "run",
    "session",
    "show",
    "ui",
    "cli",
    "signals",
    "completion",
];

/// The sources by module path, `cluster/list` for one, without their unit tests.
fn sources() -> BTreeMap<String, String> {
    let whole = files("src").into_iter();
    whole
        .map(|(module, text)| (module, without_tests(&text).to_owned()))
        .collect()
}

/// All of Rust below a folder by their paths, without what is built there.
fn files(folder: &str) -> BTreeMap<String, String> {
    fn collect(folder: &Path, prefix: &str, into: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|name| name.to_str());
            let module = format!("{prefix}{}", name.expect("a name"));
            if path.is_dir() && !path.ends_with("target") {
                collect(&path, &format!("{module}/"), into);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                into.insert(module, text);
            }
        }
    }
    let mut files = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    collect(&root.join(folder), "", &mut files);
    files
}

/// The top-level module that a file belongs to.
fn top(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

fn of_module<'a, T: ?Sized>(table: &[(&str, &'a T)], module: &str) -> Option<&'a T> {
    let mut rows = table.iter().filter(|(name, _)| *name == top(module));
    rows.next().map(|(_, allowed)| *allowed)
}

#[test]
fn what_decides_is_pure() {
    let sources = sources();
    for pure in PURE {
        let mut files = sources
            .iter()
            .filter(|(file, _)| top(file) == pure)
            .peekable();
        assert!(files.peek().is_some(), "there is no {pure}");
        for (file, code) in files {
            assert_eq!(uses(code, &IMPURE), BTreeSet::new(), "in {file}");
        }
    }
}

#[test]
fn arrows_are_never_reversed() {
    let sources = sources();
    for (module, _) in ARROWS.into_iter().chain(REVERSED) {
        assert!(sources.keys().any(|file| top(file) == module), "{module}");
    }
    for (module, code) in &sources {
        for sibling in siblings(code) {
            let sibling = sibling.as_str();
            let right = of_module(&ARROWS, module).is_none_or(|allowed| allowed.contains(&sibling))
                && of_module(&REVERSED, module).is_none_or(|never| !never.contains(&sibling))
                && (!STORY.contains(&sibling) || STORY.contains(&top(module)) || module == "main");
            assert!(right, "{module} uses {sibling}");
        }
    }
}

#[test]
fn one_place_touches_the_terminal() {
    for (module, code) in sources() {
        let allowed: BTreeSet<&str> = of_module(&TERMINAL_USERS, &module)
            .unwrap_or_default()
            .iter()
            .copied()
            .collect();
        let used = uses(&code, &TERMINAL);
        let beyond: Vec<_> = used.difference(&allowed).collect();
        assert!(beyond.is_empty(), "{module} uses {beyond:?}");
    }
}

#[test]
fn one_place_looks_at_the_clock() {
    for (module, code) in sources() {
        let used = uses(&code, &["Timestamp :: now", "Zoned :: now", "SystemTime"]);
        assert!(
            module == "clock" || used.is_empty(),
            "{module} uses {used:?}"
        );
    }
}

/// Each check would see what it looks for.
mod checks {
    use super::*;
    use crate::code::tokens;

    #[test]
    fn see_what_is_impure() {
        for (code, word) in [
            ("use std::{fs, path::Path};", "fs"),
            ("fn f() { let a = std::io::empty(); }", "io"),
            ("let at = Timestamp::now();", "now ("),
            ("let at = jiff::Zoned::now ( ) ;", "now ("),
            ("use std::time::{Duration, Instant};", "Instant"),
            ("async fn f(c: kube::Client) {}", "kube"),
            ("#[derive(clap::Parser)] struct A;", "clap"),
        ] {
            assert_eq!(uses(code, &IMPURE), BTreeSet::from([word]), "{code}");
        }
    }

    #[test]
    fn see_what_touches_a_terminal() {
        for (code, word) in [
            ("println!(\"{x}\");", "println !"),
            ("dbg! (x)", "dbg !"),
            ("write!(std::io::stderr().lock(), \"\")", "stderr ("),
            ("use dialoguer::Confirm;", "dialoguer"),
            ("if out.is_terminal() {}", "is_terminal ("),
        ] {
            assert_eq!(uses(code, &TERMINAL), BTreeSet::from([word]), "{code}");
        }
    }

    #[test]
    fn are_not_deceived_by_comments_texts_and_methods() {
        let code = r##"
            // println!("x"), and kube
            /* Instant */ /// tokio
            let a = "fs \" io"; let b = r#"env "net" "#; let c = '"'; let d = '\''; let e: &'static str = "io";
            fn f<'io_>(now: Timestamp) { command.stdin(x).stdout(y); out.stderr; writeln!(f, "") }
        "##;
        assert_eq!(uses(code, &IMPURE), BTreeSet::new());
        assert_eq!(uses(code, &TERMINAL), BTreeSet::new());
        assert!(tokens(code).contains(&"writeln".to_owned()));
    }

    #[test]
    fn see_every_arrow() {
        let code = "use crate::{\n a::{self, x::Y},\n b::C, d};\n fn f(x: crate::e::F, y: &crate::g::H) {} pub(crate) fn z() {}";
        let expected = ["a", "b", "d", "e", "g"].map(str::to_owned);
        assert_eq!(siblings(code), BTreeSet::from(expected));
    }

    #[test]
    fn leave_tests_out() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\n";
        assert_eq!(without_tests(text), "fn a() {}\n");
        assert_eq!(
            of_module(&ARROWS, "cluster/list"),
            of_module(&ARROWS, "cluster")
        );
        assert_eq!(of_module(&ARROWS, "main"), None);
    }
}
