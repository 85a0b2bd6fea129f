//! A plan that is written into a file, and that nothing else happens then.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use crate::support::document;
use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::Proxy;
use crate::support::saved_plan::Saved;
use crate::support::tool::shell;
use crate::support::written_files::{entries, is_told, mode};
use crate::support::{ApiClient, LABEL, Space, audit, plane, run};

#[test]
fn it_is_the_plan_with_what_it_takes_to_trust_it() {
    let space = Space::three();
    let before = space.versions();
    let saved = Saved::of(&space, &[]);
    let mut document = saved.document();
    let fields = document.as_object_mut().unwrap();
    assert!(fields.remove("saved").unwrap().is_object());
    let mut plan = space
        .run(&["--dry-run=client", "-o", "json"])
        .exits(0)
        .json();
    for volatile in ["takenAt", "resourceVersion"] {
        assert!(document[volatile].is_string(), "{document:#}");
        plan[volatile] = document[volatile].clone();
    }
    assert_eq!(document, plan);
    assert_eq!(space.versions(), before);
    assert!(audit::all(&space.name, "delete").is_empty());
}

#[test]
fn only_its_user_may_read_it() {
    let (space, files) = (Space::three(), Files::new());
    let path = files.path("plan.json");
    for umask in ["umask 0", "umask 022"] {
        let script = format!("{umask}; exec \"$@\"");
        run(shell(&script, &space.tool(&["--save-plan", arg(&path)]))).exits(0);
        assert_eq!(mode(&path), 0o600, "{umask}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_was_there_is_replaced() {
    let (space, files) = (Space::three(), Files::new());
    let path = files.write("plan.json", &"old and longer than the plan\n".repeat(1000));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let before = files.path("before");
    fs::hard_link(&path, &before).unwrap();
    space.run(&["--save-plan", arg(&path)]).exits(0);
    let document = document::from_json(&fs::read_to_string(&path).unwrap());
    assert_eq!(document["kind"], "Plan");
    assert_eq!(mode(&path), 0o600);
    // A program that reads the old file at that moment reads all of it.
    assert!(fs::read_to_string(&before).unwrap().ends_with("plan\n"));
    assert_eq!(entries(path.parent().unwrap()), [before, path]);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

#[test]
fn nothing_to_purge_is_a_plan_too() {
    let space = Space::with(&[("sync-1", 1)]);
    let document = Saved::of(&space, &[]).document();
    assert_eq!(document["summary"]["purge"], 0);
    let document = Saved::of(&Space::new(), &[]).document();
    assert_eq!(document["summary"]["jobs"], 0);
}

/// stdout has at most the plan.
#[test]
fn what_it_prints_is_a_plan() {
    let (space, files) = (Space::three(), Files::new());
    let path = files.path("plan.json");
    let run = space
        .run(&["--save-plan", arg(&path), "-o", "json"])
        .exits(0);
    if !run.out.is_empty() {
        assert_eq!(run.json()["kind"], "Plan");
    }
    let run = space.run(&["--save-plan", arg(&path)]).exits(0);
    assert!(run.err.contains(arg(&path)), "{}", run.story());
}

#[test]
fn where_it_cannot_be_written_nothing_is_left() {
    let (space, files) = (Space::three(), Files::new());
    let file = files.write("file", "whole\n");
    let folder = files.path("folder");
    fs::create_dir(&folder).unwrap();
    let full = files.path("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("kept"), "kept\n").unwrap();
    let root = file.parent().unwrap();
    let before = entries(root);
    for target in [
        file.join("plan.json"),
        files.path("absent/plan.json"),
        folder,
        full,
        files.path(&"long".repeat(100)),
    ] {
        is_told(space.run(&["--save-plan", arg(&target)]), &target);
        assert_eq!(entries(root), before, "{}", target.display());
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "whole\n");
    space.run(&["--save-plan="]).exits(2);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

/// A disk that is full, as far as the tool can see: what was there before stays whole.
#[test]
fn a_plan_that_does_not_fit_is_not_written_at_all() {
    let (space, files) = (Space::three(), Files::new());
    let path = files.path("plan.json");
    let full = || {
        let tool = space.tool(&["--save-plan", arg(&path)]);
        is_told(
            run(shell(r#"trap '' XFSZ; ulimit -f 1; exec "$@""#, &tool)),
            &path,
        );
    };
    let root = path.parent().unwrap();
    full();
    assert_eq!(entries(root), [""; 0].map(PathBuf::from));
    fs::write(&path, "earlier\n").unwrap();
    full();
    assert_eq!(entries(root), std::slice::from_ref(&path));
    assert_eq!(fs::read_to_string(&path).unwrap(), "earlier\n");
}

#[test]
fn flags_that_contradict_are_mistakes() {
    let (space, files) = (Space::three(), Files::new());
    let path = files.path("plan.json");
    let saved = Saved::of(&space, &[]);
    let (backup, other) = (files.path("backup"), arg(&saved.path));
    for flag in [
        &["--yes"][..],
        &["-y"],
        &["--plan", other],
        &["--backup", arg(&backup)],
    ] {
        let args = [&["--save-plan", arg(&path)], flag].concat();
        let run = space.run(&args).exits(2);
        assert_eq!(run.out, "", "{}", run.story());
    }
    assert!(!path.exists() && !backup.exists());
    let file = files.write("jobs.json", "{}");
    for flag in [
        &["-L", LABEL][..],
        &["--label=other"],
        &["-n", &space.name],
        &["--namespace=other"],
        &["-A"],
        &["-l", "a=b"],
        &["-f", arg(&file)],
        &["--keep=1"],
        &["--keep=2"],
        &["--keep-succeeded=1"],
        &["--keep-failed=1"],
        &["--keep-within=1h"],
        &["--include-active"],
        &["--include-owned"],
        &["--mixed-groups=merge"],
        &["--mixed-groups=hold"],
        &["--save-plan", arg(&path)],
        &["--plan", other],
    ] {
        let run = saved.run(&[&["--yes"], flag].concat()).exits(2);
        assert_eq!(run.out, "", "{}", run.story());
        assert!(run.err.starts_with("error: "), "{}", run.story());
    }
    saved.run(&["--yes", "--plan="]).exits(2);
    assert!(!path.exists());
    assert!(audit::all(&space.name, "delete").is_empty());
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

/// What the environment says holds where nothing else is said; the plan says.
#[test]
fn the_environment_does_not_contradict() {
    let space = Space::three();
    let saved = Saved::of(&space, &[]);
    let mut command = saved.tool(&["--yes"]);
    command.env("JOBCLEAN_LABEL", "test.example/other");
    run(command).exits(0);
    space.holds(&["sync-3"]);
}

/// What is there and is no file is not replaced, and nothing is listed for it.
#[test]
fn only_a_file_is_replaced() {
    let (space, files) = (Space::three(), Files::new());
    let folder = files.path("folder");
    fs::create_dir(&folder).unwrap();
    let pipe = files.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let link = files.path("link");
    symlink(&pipe, &link).unwrap();
    let socket = files.path("socket");
    let _listening = UnixListener::bind(&socket).unwrap();
    let round = files.path("round");
    symlink(&round, &round).unwrap();
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| up.pass(request));
    // Not a device: to root, a tool that gets this wrong would replace it.
    for path in [&folder, &pipe, &link, &round, &socket] {
        let before = fs::symlink_metadata(path).unwrap().file_type();
        let args = ["--save-plan", arg(path)];
        let run = run(proxy.tool(&space.name, &args)).exits(1);
        assert_eq!(run.out, "", "{}", run.story());
        is_told(run, path);
        assert_eq!(
            fs::symlink_metadata(path).unwrap().file_type(),
            before,
            "{}",
            path.display()
        );
    }
    assert_eq!(proxy.seen().len(), 0);
    let run = space.run(&["--save-plan", "-"]).exits(2);
    run.complains(&["--save-plan", "-o json"]);
    space.run(&["--save-plan", ""]).exits(2);
}

/// A link says where plans are kept, and goes on saying it.
#[test]
fn a_link_is_followed_and_stays_a_link() {
    let (space, files) = (Space::three(), Files::new());
    fs::create_dir(files.path("plans")).unwrap();
    let target = files.path("plans/today.json");
    let (link, second) = (files.path("link.json"), files.path("second.json"));
    symlink("plans/today.json", &link).unwrap();
    symlink("link.json", &second).unwrap();
    // It leads nowhere first, and then to a plan that is replaced.
    for path in [&link, &second, &link] {
        space.run(&["--save-plan", arg(path)]).exits(0);
        assert!(fs::symlink_metadata(&target).unwrap().is_file());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::symlink_metadata(&second).unwrap().is_symlink());
        let text = fs::read_to_string(&target).unwrap();
        document::from_json(&text);
        assert_eq!(entries(&files.path("plans")), std::slice::from_ref(&target));
        fs::write(&target, "an old one").unwrap();
    }
}
