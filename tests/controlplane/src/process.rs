//! Processes that cannot outlive us.
//!
//! Each server, and a build, runs under a small `sh` that reads a pipe whose other end only we hold. However we end (return,
//! panic, Ctrl-C, SIGKILL), the kernel closes that end, the shell reads end of file and kills it.
//! Nothing here needs a signal handler, a destructor that runs, or unsafe code.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crate::error::{Context, Result};

/// Runs `"$@"`, and kills it when we are gone. The reader is a subshell with a builtin, so nothing
/// lingers whichever side ends first; the guard's own end, with the process's exit code, tells us of the process's.
const PROCESS_GUARD: &str = r#"
exec 3<&0 </dev/null
"$@" 3<&- &
process=$!
( read -r _ <&3; kill -9 $process ) &
reader=$!
exec 3<&-
wait $process; code=$?
kill $reader 2>/dev/null
exit $code
"#;

/// Removes the folder `$1` once we are gone. The servers are killed at the same moment, so it tries for a while.
const FOLDER_GUARD: &str = r#"
read -r _
for _ in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf "$1"
  sleep 0.2
  [ -e "$1" ] || exit 0
done
"#;

/// A `sh` that waits for us to end, and the pipe by which it knows.
struct Guard {
    shell: Child,
    lifeline: Option<ChildStdin>,
}

impl Guard {
    fn spawn(
        script: &str,
        args: impl Fn(&mut Command),
        output: Stdio,
        errors: Stdio,
    ) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", script, "guard"]);
        args(&mut command);
        // A group of its own: Ctrl-C at the terminal goes to every process of the foreground group, and the servers
        // must still be there while a tool that caught it finishes its work.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors);
        let mut shell = command.spawn().context("cannot start sh")?;
        let lifeline = shell.stdin.take();
        Ok(Self { shell, lifeline })
    }

    fn release(&mut self) {
        self.lifeline = None;
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.shell.try_wait(), Ok(None))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.release();
        // An error here would mean that it was waited for already.
        let _ = self.shell.wait();
    }
}

/// A running server. Dropping it kills the server and waits until it is gone.
pub(crate) struct Server {
    guard: Guard,
    name: &'static str,
    log: PathBuf,
}

impl Server {
    /// Starts `program` with `args`, its output appended to `log`.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        args: &[String],
        log: PathBuf,
    ) -> Result<Self> {
        let open = || {
            File::options()
                .create(true)
                .append(true)
                .open(&log)
                .context(format_args!("cannot write {}", log.display()))
        };
        let pass = |command: &mut Command| {
            command.arg(program).args(args);
        };
        let guard = Guard::spawn(PROCESS_GUARD, pass, open()?.into(), open()?.into())?;
        Ok(Self { guard, name, log })
    }

    /// Whether the server has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.guard.has_ended()
    }

    /// Tells the server's end without waiting for it, so that several can go at once.
    pub(crate) fn release(&mut self) {
        self.guard.release();
    }

    /// The name and the last lines of the log, for an error.
    pub(crate) fn last_words(&self) -> String {
        format!(
            "the end of {}'s log:\n{}",
            self.name,
            indent(&tail(&self.log, 12))
        )
    }
}

/// Runs a program to its end, calling `waiting` about once a second; it is killed if we end first.
/// `configure` adds its name and arguments to the command, and sets its folder and environment.
/// Returns how it ended and what it said on stderr.
pub(crate) fn run_guarded(
    configure: impl Fn(&mut Command),
    waiting: impl Fn(),
) -> Result<(ExitStatus, String)> {
    let mut guard = Guard::spawn(PROCESS_GUARD, configure, Stdio::null(), Stdio::piped())?;
    let stderr = guard.shell.stderr.take();
    // Read all along: a full pipe would stop the program.
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut said));
        String::from_utf8_lossy(&said).into_owned()
    });
    let status = loop {
        let ended = guard
            .shell
            .try_wait()
            .context("cannot wait for a process")?;
        if let Some(status) = ended {
            break status;
        }
        waiting();
        thread::sleep(Duration::from_secs(1));
    };
    Ok((status, reader.join().unwrap_or_default()))
}

/// A folder that is removed when we end, in whatever way.
pub(crate) struct Folder {
    path: PathBuf,
    _guard: Guard,
}

impl Folder {
    /// Makes a new folder in `parent`.
    pub(crate) fn create(parent: &Path) -> Result<Self> {
        let cannot = format!("cannot make a folder in {}", parent.display());
        let folder = tempfile::Builder::new()
            .prefix("jobclean-")
            .tempdir_in(parent)
            .context(&cannot)?;
        let pass = |command: &mut Command| {
            command.arg(folder.path());
        };
        let guard = Guard::spawn(FOLDER_GUARD, pass, Stdio::null(), Stdio::null())?;
        Ok(Self {
            path: folder.keep(),
            _guard: guard,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The last `lines` lines of a file; empty if it cannot be read.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    let text = std::fs::read(file)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    last_lines(&text, lines)
}

/// The last `lines` lines of a text.
pub(crate) fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A text with every line moved in by two blanks.
pub(crate) fn indent(text: &str) -> String {
    text.lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
