//! Runs `go build`, which takes minutes and must not look dead meanwhile.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::binaries::NAMES;
use crate::error::{Error, Result};
use crate::process::{indent, last_lines, run_guarded};
use crate::tool::checkout;

/// Builds the tools that go.mod names into the folder `output`, with `scratch` for go's temporary files.
pub(crate) fn build_tools(flags: &[String], output: &Path, scratch: &Path) -> Result<()> {
    let there = Command::new("go")
        .arg("version")
        .stdin(Stdio::null())
        .output();
    if let Err(why) = there {
        return Err(Error::new(format!(
            "cannot run go, which builds the control plane: {why}\n\
             install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder that holds {}",
            NAMES.join(", ")
        )));
    }
    let go_build = |command: &mut Command| {
        // The slash tells go that this is a folder to put several programs into.
        command
            .args(["go", "build"])
            .args(flags)
            .arg("-o")
            .arg(output.join(""))
            .arg("tool");
        // go.mod is not only compiled in: `go` has to run where it lies.
        command.current_dir(checkout().join("tests/controlplane"));
        // What a user set for work of their own must not change what is built here.
        command
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .env("GO111MODULE", "on");
        command.env("GOTMPDIR", scratch);
        for name in ["GOOS", "GOARCH", "GOFLAGS", "GOEXPERIMENT"] {
            command.env_remove(name);
        }
    };
    let signs = LifeSigns::new();
    let (status, said) = run_guarded(go_build, || signs.show())?;
    signs.end();
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!(
        "go build failed ({status}); it needs Go 1.26 or newer and a module proxy within reach. Its last lines:\n{}",
        indent(&last_lines(&said, 15))
    )))
}

/// Shows that a long build is alive: one line that counts on a terminal, a line now and then elsewhere.
struct LifeSigns {
    since: Instant,
    terminal: bool,
}

impl LifeSigns {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    fn show(&self) {
        let seconds = self.since.elapsed().as_secs();
        if self.terminal {
            eprint!("\r  building for {seconds} s ");
        } else if seconds > 0 && seconds.is_multiple_of(30) {
            eprintln!("  building for {seconds} s");
        }
    }

    fn end(&self) {
        let seconds = self.since.elapsed().as_secs();
        eprintln!(
            "{}  go build took {seconds} s",
            if self.terminal { "\r" } else { "" }
        );
    }
}
