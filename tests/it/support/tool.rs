//! Runs the tool with nothing of the user's: no home, no kubeconfig, no proxy.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::document;

/// The label key of most tests.
pub const LABEL: &str = "test.example/group";

/// Long enough for two busy cores; a test that waits longer has found something.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// The folder that cargo keeps for integration tests.
pub fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A home without anything in it.
pub fn home() -> PathBuf {
    let home = scratch().join("empty-home");
    fs::create_dir_all(&home).unwrap();
    home
}

/// The tool's program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-jobclean");

/// The tool, to be given arguments.
pub fn tool() -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env_clear()
        .env("HOME", home())
        .current_dir(scratch());
    // Without it Windows finds no network.
    if cfg!(windows)
        && let Some(root) = std::env::var_os("SystemRoot")
    {
        command.env("SystemRoot", root);
    }
    command
}

/// A command below a shell that runs this script, in which `"$@"` is the command.
pub fn shell(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", script, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .current_dir(command.get_current_dir().unwrap());
    for (key, value) in command.get_envs() {
        shell.env(key, value.unwrap());
    }
    shell
}

/// What a program did.
#[derive(Debug)]
pub struct Run {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its stdout.
    pub out: String,
    /// Its stderr.
    pub err: String,
    command: String,
}

/// Runs it without anything on stdin.
pub fn run(command: Command) -> Run {
    run_with(command, None)
}

/// Runs it with `input` on stdin.
pub fn run_fed(command: Command, input: &str) -> Run {
    run_with(command, Some(input.to_owned()))
}

fn run_with(mut command: Command, input: Option<String>) -> Run {
    let said = format!("{command:?}");
    let stdin = if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        thread::spawn(move || {
            // A tool that does not read to the end is found out by what it prints.
            let _ = stdin.write_all(input.as_bytes());
        });
    }
    let out = reader(child.stdout.take().unwrap());
    let err = reader(child.stderr.take().unwrap());
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{said} does not end");
        }
        thread::sleep(Duration::from_millis(5));
    };
    Run {
        code: status.code(),
        out: out.join().unwrap(),
        err: err.join().unwrap(),
        command: said,
    }
}

fn reader(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

impl Run {
    /// All of it, for a failure.
    pub fn story(&self) -> String {
        let mut story = String::new();
        let _ = writeln!(story, "{}\nexit code {:?}", self.command, self.code);
        let _ = write!(story, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        story
    }

    /// Fails unless this is the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert!(
            self.code == Some(code),
            "exit code {code} expected\n{}",
            self.story()
        );
        self
    }

    /// Fails unless stderr holds all of these.
    #[track_caller]
    pub fn complains(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.err.contains(word),
                "{word:?} expected on stderr\n{}",
                self.story()
            );
        }
        self
    }

    /// Fails unless stdout holds all of these.
    #[track_caller]
    pub fn shows(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.out.contains(word),
                "{word:?} expected on stdout\n{}",
                self.story()
            );
        }
        self
    }

    /// Fails unless it ended before any delete with one clear line that holds `words`, and a hint.
    #[track_caller]
    pub fn fails_clearly(self, words: &[&str]) -> Self {
        let run = self.exits(1).complains(words);
        assert_eq!(run.out, "", "{}", run.story());
        let lines: Vec<&str> = run.err.lines().collect();
        let count = |prefix: &str| lines.iter().filter(|line| line.starts_with(prefix)).count();
        assert_eq!(count("error: "), 1, "{}", run.story());
        assert_eq!(count("hint: "), 1, "{}", run.story());
        assert_eq!(lines.len(), 2, "an error and a hint\n{}", run.story());
        for word in words {
            assert!(lines[0].contains(word), "{word:?}\n{}", run.story());
        }
        for debug in [
            "Error(", "Error {", "Some(", "Err(", "hyper", "Kind", " { ", "\\\"", "panicked",
        ] {
            assert!(!run.err.contains(debug), "{debug:?}\n{}", run.story());
        }
        run
    }

    /// stdout as JSON that is no document of the tool's, such as kubectl's.
    #[track_caller]
    pub fn foreign_json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}\n{}", self.story()))
    }

    /// The document on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(self.out.starts_with('{'), "no document\n{}", self.story());
        document::from_json(&self.out)
    }
}
