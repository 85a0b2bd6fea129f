//! The map in `src/lib.rs`, held to by reading the sources: what is pure stays pure, arrows are not reversed, one place
//! touches the terminal, no file grows without end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

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
const ARROWS: [(&str, &[&str]); 20] = [
    ("compact", &[]),
    ("job", &["compact"]),
    ("selector", &[]),
    ("text", &[]),
    ("wire", &[]),
    ("remaining", &["compact", "job", "outcome"]),
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
    ("plan", &["group", "job", "retention", "selector"]),
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

/// Lines of a file without its tests.
const LONGEST: usize = 400;

/// The sources by module path, `cluster/list` for one, without their unit tests.
fn sources() -> BTreeMap<String, String> {
    fn collect(folder: &Path, prefix: &str, into: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|name| name.to_str());
            let module = format!("{prefix}{}", name.expect("a name"));
            if path.is_dir() {
                collect(&path, &format!("{module}/"), into);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                into.insert(module, without_tests(&text).to_owned());
            }
        }
    }
    let mut sources = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    collect(&folder, "", &mut sources);
    sources
}

/// The top-level module that a file belongs to.
fn top(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

fn without_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod ")
        .map_or(text, |(code, _)| code)
}

/// The code's words and signs, without comments and without what stands in quotes.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest).or_else(|| quoted(rest)) {
            length
        } else if word > 0 {
            tokens.push(rest[..word].to_owned());
            word
        } else {
            let length = if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push(rest[..length].to_owned());
            }
            length
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of the raw string that the text begins with.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.bytes().take_while(|b| *b == b'#').count();
    let start = text.len() - after.len() + hashes;
    let body = text[start..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(start + 1 + body.find(&end)? + end.len())
}

/// The length of the string or character that the text begins with; a lifetime is neither.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    if quote == '\'' && !text.starts_with("'\\") && text.chars().nth(2) != Some('\'') {
        return None;
    }
    let mut escaped = false;
    let end = text[1..].char_indices().find(|(_, c)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map(|(at, _)| at + 2)
}

/// Those of `words`, each of one token or several, that stand in the code. A method of that name, and a field, do not
/// count: `command.stdin(…)` is not this process's.
fn uses<'a>(code: &str, words: &[&'a str]) -> BTreeSet<&'a str> {
    let tokens = tokens(code);
    words
        .iter()
        .copied()
        .filter(|word| {
            let word: Vec<&str> = word.split(' ').collect();
            tokens.windows(word.len()).enumerate().any(|(at, window)| {
                let before = at.checked_sub(1).map(|at| tokens[at].as_str());
                window == word && (before != Some(".") || word[0] == "is_terminal")
            })
        })
        .collect()
}

/// The sibling modules that the code names: `crate::x`, and each `x` of `crate::{x, …}`.
fn siblings(code: &str) -> BTreeSet<String> {
    let tokens = tokens(code);
    let mut found = BTreeSet::new();
    for (at, window) in tokens.windows(3).enumerate() {
        if window[0] != "crate" || window[1] != "::" {
            continue;
        }
        if window[2] != "{" {
            found.insert(window[2].clone());
            continue;
        }
        let mut depth = 0;
        let mut starts = false;
        for token in &tokens[at + 2..] {
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                name if depth == 1 && starts => {
                    found.insert(name.to_owned());
                }
                _ => {}
            }
            starts = depth == 1 && matches!(token.as_str(), "{" | ",");
            if depth == 0 {
                break;
            }
        }
    }
    found
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

#[test]
fn no_file_grows_without_end() {
    for (module, code) in sources() {
        let lines = code.lines().count();
        assert!(lines <= LONGEST, "{module} has {lines} lines");
    }
}

/// Each check would see what it looks for.
mod checks {
    use super::*;

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
