//! The map in `src/lib.rs`, held to by reading the `use` declarations of the sources: arrows between rooms are not
//! reversed, files do not go in circles, and what decides stays pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// What a room may use, besides `error`, `text` and `time`.
const ARROWS: [(&str, &[&str]); 12] = [
    (
        "run",
        &[
            "backup",
            "cli",
            "cluster",
            "connection",
            "decode",
            "gitops",
            "job",
            "output",
            "plan",
            "purge",
            "ui",
        ],
    ),
    (
        "cli",
        &[
            "backup",
            "cluster",
            "connection",
            "gitops",
            "job",
            "output",
            "plan",
        ],
    ),
    ("ui", &["connection", "job", "output", "plan"]),
    ("output", &["gitops", "job", "plan"]),
    ("purge", &["backup", "cluster", "gitops", "job", "plan"]),
    ("backup", &["job"]),
    ("cluster", &["connection", "decode", "gitops", "job"]),
    ("connection", &[]),
    ("decode", &["gitops", "job"]),
    ("plan", &["gitops", "job"]),
    ("gitops", &["job"]),
    ("job", &[]),
];
const EVERYWHERE: [&str; 3] = ["error", "text", "time"];

/// Rooms that decide what is deleted. They have no other input than their arguments.
const PURE: [&str; 3] = ["gitops", "job", "plan"];
const IMPURE: [&str; 14] = [
    "clap",
    "dialoguer",
    "fastrand",
    "http",
    "indicatif",
    "kube",
    "rustix",
    "tokio",
    "crate::time",
    "std::env",
    "std::fs",
    "std::io",
    "std::process",
    "std::thread",
];

/// The sources by the path of their module, without their tests.
fn sources() -> BTreeMap<String, String> {
    fn collect(folder: &Path, module: &str, sources: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let module = match name {
                "mod" => module.to_owned(),
                _ => format!("{module}::{name}"),
            };
            if path.is_dir() {
                collect(&path, &module, sources);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
                sources.insert(module, code.to_owned());
            }
        }
    }
    let mut sources = BTreeMap::new();
    collect(&controlplane::checkout().join("src"), "crate", &mut sources);
    sources
}

/// The paths that a tree such as `a::{b, c::{d, e}}` names.
fn expand(tree: &str, prefix: &str, paths: &mut Vec<String>) {
    let Some((head, rest)) = tree.split_once('{') else {
        paths.push(format!("{prefix}{}", tree.trim()));
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut from) = (0, 0);
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                let part = rest[from..at].trim();
                if !part.is_empty() {
                    expand(part, &prefix, paths);
                }
                from = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

/// Everything that a module names in its `use` declarations, by its whole path.
fn uses(module: &str, code: &str) -> Vec<String> {
    let parent = module
        .rsplit_once("::")
        .map_or("crate", |(parent, _)| parent);
    let mut paths = Vec::new();
    for declaration in code
        .split('\n')
        .zip(code.split_inclusive('\n').scan(0, |at, line| {
            *at += line.len();
            Some(*at - line.len())
        }))
    {
        let (line, at) = declaration;
        let line = line.trim_start().trim_start_matches("pub ");
        if line.starts_with("use ") {
            let tree = code[at..].split_once("use ").unwrap().1;
            expand(tree.split(';').next().unwrap(), "", &mut paths);
        }
    }
    let whole = |path: String| {
        let path = path.trim_end_matches("::self");
        match path.split_once("::") {
            Some(("self", rest)) => format!("{module}::{rest}"),
            Some(("super", rest)) => format!("{parent}::{rest}"),
            _ => path.to_owned(),
        }
    };
    paths.into_iter().map(whole).collect()
}

fn room(path: &str) -> &str {
    path.split("::").nth(1).unwrap_or_default()
}

#[test]
fn every_room_uses_only_what_the_map_allows() {
    let rooms: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    let (mut seen, mut reversed) = (BTreeSet::new(), Vec::new());
    for (module, code) in sources() {
        let Some((name, allowed)) = ARROWS.iter().find(|(name, _)| *name == room(&module)) else {
            continue;
        };
        seen.insert(*name);
        for path in uses(&module, &code) {
            let used = room(&path);
            let is_elsewhere = path.starts_with("crate::") && used != *name;
            if is_elsewhere && !EVERYWHERE.contains(&used) && !allowed.contains(&used) {
                reversed.push(format!("{module} uses {path}"));
            }
        }
    }
    assert_eq!(seen, rooms);
    assert!(reversed.is_empty(), "{reversed:#?}");
}

#[test]
fn what_everything_uses_knows_no_room() {
    let sources = sources();
    for module in EVERYWHERE.map(|name| format!("crate::{name}")) {
        for path in uses(&module, &sources[&module]) {
            let is_ours = path.starts_with("crate::");
            assert!(
                !is_ours || EVERYWHERE.contains(&room(&path)),
                "{module} uses {path}"
            );
        }
    }
}

#[test]
fn what_decides_is_pure() {
    for (module, code) in sources() {
        if !PURE.contains(&room(&module)) {
            continue;
        }
        for path in uses(&module, &code) {
            let is_impure =
                |impure: &&str| path == **impure || path.starts_with(&format!("{impure}::"));
            assert!(!IMPURE.iter().any(is_impure), "{module} uses {path}");
        }
        for clock in ["Timestamp::now()", "Instant::now()", "SystemTime"] {
            assert!(!code.contains(clock), "{module} looks at the clock");
        }
    }
}

#[test]
fn files_do_not_go_in_circles() {
    let sources = sources();
    let file_of = |path: &str| {
        let mut path = path;
        while !sources.contains_key(path) {
            path = path.rsplit_once("::")?.0;
        }
        Some(path.to_owned())
    };
    let mut arrows: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
    for (module, code) in &sources {
        let used = uses(module, code).into_iter();
        let used = used
            .filter(|path| path.starts_with("crate::"))
            .filter_map(|path| file_of(&path));
        // A module and what it is made of belong together.
        let is_family = |other: &String| {
            other.starts_with(module.as_str()) || module.starts_with(other.as_str())
        };
        arrows.insert(module, used.filter(|other| !is_family(other)).collect());
    }
    // Take away what uses nothing that is left or is not used by it, until only circles are left.
    loop {
        let used: BTreeSet<String> = arrows.values().flatten().cloned().collect();
        let before = arrows.len();
        arrows.retain(|module, uses| !uses.is_empty() && used.contains(*module));
        let left: BTreeSet<String> = arrows.keys().map(|module| (*module).clone()).collect();
        for uses in arrows.values_mut() {
            uses.retain(|other| left.contains(other));
        }
        if arrows.len() == before {
            break;
        }
    }
    assert!(arrows.is_empty(), "{arrows:#?}");
}
