//! The page says everything, and the programs that show pages have nothing to say against it.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use clap::CommandFactory;
use kubectl_jobclean::cli::Cli;

fn page() -> Vec<u8> {
    let mut page = Vec::new();
    manpage::write(&mut page).unwrap();
    page
}

/// What groff makes of the page, as plain text without anything broken or hyphenated; fails if it complains.
fn shown() -> String {
    let mut groff = Command::new("groff")
        .args([
            "-man",
            "-Tutf8",
            "-ww",
            "-P-c",
            "-P-b",
            "-P-o",
            "-P-u",
            "-rHY=0",
            "-rLL=400n",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| {
            panic!("groff does not run, please install it (groff-base on Debian): {why}")
        });
    groff.stdin.take().unwrap().write_all(&page()).unwrap();
    let output = groff.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The flags of a command, aliases included.
fn flags(command: &clap::Command) -> Vec<String> {
    let mut flags = Vec::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
        flags.extend(longs.iter().map(|long| format!("--{long}")));
        flags.extend(arg.get_short().map(|short| format!("-{short}")));
    }
    flags
}

#[test]
fn it_has_every_flag_and_value() {
    let shown = shown();
    let words: Vec<&str> = shown
        .split(|c: char| !(c.is_alphanumeric() || c == '-'))
        .collect();
    let mut command = Cli::command();
    command.build();
    let subcommands = command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help");
    for command in subcommands.chain([&command]) {
        for flag in flags(command) {
            assert!(words.contains(&flag.as_str()), "{flag} is not in\n{shown}");
        }
        for arg in command.get_arguments() {
            for value in arg.get_possible_values() {
                assert!(
                    words.contains(&value.get_name()),
                    "{} is not in\n{shown}",
                    value.get_name()
                );
            }
        }
    }
}

#[test]
fn it_reads_as_a_page() {
    let shown = shown();
    for line in [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "SELECTION",
        "SUBCOMMANDS",
        "NOTES",
        "       kubectl-jobclean - Keep the newest Job of every cleanup group and delete the rest",
        "       kubectl jobclean [OPTIONS]",
        "       kubectl jobclean completion <SHELL>",
        "       kubectl jobclean version",
    ] {
        assert!(
            shown.lines().any(|shown| shown.trim_end() == line),
            "{line:?} is not in\n{shown}"
        );
    }
    let mut lines = shown.lines().map(str::trim).filter(|line| !line.is_empty());
    let (first, last) = (lines.next().unwrap(), lines.next_back().unwrap());
    assert!(
        first.starts_with("KUBECTL-JOBCLEAN(1)") && first.contains("kubectl plugins"),
        "{first}"
    );
    assert!(
        last.starts_with("kubectl-jobclean ") && last.ends_with("KUBECTL-JOBCLEAN(1)"),
        "{last}"
    );
    for words in [
        "Job families",
        "Exit codes: 0 done",
        "JOBCLEAN_LABEL",
        "kubectl_complete-jobclean",
    ] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
}

#[test]
fn it_goes_to_a_file_or_to_stdout() {
    let program = env!("CARGO_BIN_EXE_manpage");
    let output = Command::new(program).output().unwrap();
    assert_eq!(output.stdout, page());
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubectl-jobclean.1");
    assert!(Command::new(program).arg(&path).status().unwrap().success());
    assert_eq!(fs::read(&path).unwrap(), page());
    let output = Command::new(program)
        .arg("/nowhere/page.1")
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).starts_with("error: cannot write the man page")
    );
}
