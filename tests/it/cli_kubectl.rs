//! As users call it: through kubectl.

use std::path::Path;
use std::process::Command;

use crate::support::tool::{PROGRAM, home};
use crate::support::{LABEL, Space, plane, run};

fn kubectl(args: &[&str]) -> Command {
    let folder = Path::new(PROGRAM).parent().unwrap();
    let mut command = Command::new(plane().kubectl());
    command
        .env_clear()
        .env("HOME", home())
        .env("PATH", plane().path_with(folder).unwrap())
        .env("KUBERC", "off")
        .arg("jobclean")
        .args(args);
    command
}

fn on(space: &Space, args: &[&str]) -> Command {
    let mut command = kubectl(args);
    command
        .env("KUBECONFIG", plane().kubeconfig())
        .args(["-n", &space.name, "-L", LABEL]);
    command
}

#[test]
fn help_comes_through() {
    run(kubectl(&["--help"]))
        .exits(0)
        .shows(&["Usage: kubectl jobclean", "--mixed-groups"]);
}

#[test]
fn kubectl_finds_it_as_a_plugin() {
    let mut command = kubectl(&[]);
    command = {
        let mut list = Command::new(command.get_program());
        list.env_clear();
        for (key, value) in command.get_envs() {
            list.env(key, value.unwrap());
        }
        list.args(["plugin", "list"]);
        list
    };
    // It warns of other files in cargo's folder, and fails for that.
    run(command).shows(&["/kubectl-jobclean\n"]);
}

#[test]
fn exit_codes_come_through() {
    let space = Space::three();
    run(on(&space, &["--dry-run=client"]))
        .exits(0)
        .shows(&["sync-1"]);
    run(on(&space, &["--context", "absent", "--yes"])).exits(1);
    run(on(&space, &["--no-such-flag", "--yes"])).exits(2);
    run(on(&space, &[])).exits(2);
    let lister = space.kubeconfig_for("lister", &["list"]);
    let mut denied = on(&space, &["--yes"]);
    denied.env("KUBECONFIG", lister);
    run(denied).exits(3);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
    run(on(&space, &["--yes", "--cascade=background"])).exits(0);
    space.holds(&["sync-3"]);
}

#[test]
fn a_refusal_in_a_terminal_comes_through() {
    let space = Space::with(&[("sync-1", 3), ("sync-2", 2)]);
    let mut command = on(&space, &[]);
    command.current_dir(home());
    let mut terminal = crate::support::Terminal::start(&command, 160);
    terminal.wait_for("Purge ");
    terminal.enter("n");
    terminal.finish().exits(4);
    space.holds(&["sync-1", "sync-2"]);
}
