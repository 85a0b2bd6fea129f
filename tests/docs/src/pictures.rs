//! Pictures of the plugin at work: a shell in a terminal, the real kubectl, a real API server with the sample Jobs.

use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use controlplane::{Binaries, ControlPlane, Error, MAS_GROUP, Options, Result, build_tool};
use jiff::Timestamp;
use terminal::Terminal;
use vt100::Parser;

use crate::svg;

/// Wide enough for each name to stay on its line.
const COLUMNS: u16 = 104;
/// More than any picture needs.
const ROWS: u16 = 60;
/// What stands for the server's address, whose port is another one every time.
const ADDRESS: &str = "https://127.0.0.1:6443";

/// A session takes a few seconds; after this an age might have changed.
const FRESH: Duration = Duration::from_secs(50);
const ATTEMPTS: u32 = 3;

/// What was taken.
pub struct Taken {
    /// Pictures by file name.
    pub files: Vec<(String, String)>,
    /// The first picture as a block of text.
    pub text: String,
    /// The one of a rollback.
    pub rollback: String,
}

/// Starts a control plane, works in it as a person would, and takes the pictures.
pub fn take() -> Result<Taken> {
    Binaries::ensure()?;
    let tool = build_tool()?;
    let plane = ControlPlane::start(Options {
        context: "prod".into(),
        ..Options::default()
    })?;
    let studio = Studio {
        plane: &plane,
        path: plane.path_with(tool.parent().unwrap_or(Path::new("/")))?,
    };
    plane.serve_gitops_kinds()?;
    let [plan, purge, rollback] = studio.session()?;
    let mut files = Vec::new();
    for theme in &svg::THEMES {
        for (name, title, screen) in [
            (
                "plan",
                "A plan with a verdict and a reason for every Job, and the question whether to purge",
                &plan,
            ),
            (
                "purge",
                "A plan of all namespaces, a line for each group, the answer yes, and what became of the Jobs",
                &purge,
            ),
            (
                "rollback",
                "A plan after git was rolled back: the second newest Job, which git has again, is wanted and stays",
                &rollback,
            ),
        ] {
            files.push((
                format!("{name}-{}.svg", theme.name),
                svg::draw(screen.screen(), theme, title),
            ));
        }
    }
    let block = |text: &str| format!("```console\n{}\n```\n", text.trim_end());
    let text = plan.screen().contents();
    match text.contains(ADDRESS) {
        true => Ok(Taken {
            files,
            text: block(&text),
            rollback: block(rollback.screen().contents().trim_end_matches("$ ")),
        }),
        false => Err(Error::new(format!("not the screen that it was:\n{text}"))),
    }
}

struct Studio<'a> {
    plane: &'a ControlPlane,
    path: std::ffi::OsString,
}

impl Studio<'_> {
    /// All that is shown, within the minute in which no age changes: none is shown finer than that.
    fn session(&self) -> Result<[Parser; 3]> {
        for _ in 0..ATTEMPTS {
            let began = Instant::now();
            let now = Timestamp::now();
            self.plane.seed_samples(now)?;
            self.plane.seed_sample_applications(now)?;
            let screens = [self.plan()?, self.purge()?, self.rollback()?];
            if began.elapsed() < FRESH {
                return Ok(screens);
            }
        }
        Err(Error::new(
            "this machine is too busy: ages change while pictures are taken",
        ))
    }

    /// The question stands; then it is answered with no.
    fn plan(&self) -> Result<Parser> {
        let mut shell = self.shell();
        let export = format!("export JOBCLEAN_LABEL={MAS_GROUP}");
        enter(&mut shell, &export);
        shell.wait_for(&format!("$ {export}\n$"));
        let command = "kubectl jobclean -n mas-inst1-manage --keep-failed 1 --keep-within 30m";
        enter(&mut shell, command);
        let picture = self.develop(&shell, "[y/N/l]: ")?;
        shell.enter("n");
        // Not earlier: what is typed while a question ends is no answer, and lost.
        shell.wait_for("deleted.\n$");
        leave(shell);
        Ok(picture)
    }

    /// The question was answered with yes.
    fn purge(&self) -> Result<Parser> {
        let mut shell = self.shell();
        let command = format!("kubectl jobclean -A -o summary -L {MAS_GROUP}");
        enter(&mut shell, &command);
        shell.wait_for("[y/N/l]: ");
        shell.enter("y");
        shell.wait_for("to purge:");
        shell.wait_for("\n$");
        let picture = self.develop(&shell, "$ ")?;
        leave(shell);
        Ok(picture)
    }

    /// Git was rolled back.
    fn rollback(&self) -> Result<Parser> {
        let mut shell = self.shell();
        enter(
            &mut shell,
            "kubectl jobclean -n storefront --dry-run=client",
        );
        shell.wait_for("PURGE\n$");
        let picture = self.develop(&shell, "$ ")?;
        leave(shell);
        Ok(picture)
    }

    /// A shell that knows the cluster and nothing of ours.
    fn shell(&self) -> Terminal {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-i")
            .current_dir(self.plane.home())
            .env("PATH", &self.path)
            .env("HOME", self.plane.home())
            .env("KUBECONFIG", self.plane.kubeconfig())
            .env("KUBERC", "off")
            .env("PS1", "$ ");
        let mut shell = Terminal::start(&command, COLUMNS);
        shell.wait_for("$");
        shell
    }

    /// The screen once nothing follows these words, with an address that does not change.
    fn develop(&self, shell: &Terminal, last: &str) -> Result<Parser> {
        let began = Instant::now();
        let mut raw = String::new();
        while !raw.ends_with(last) {
            if began.elapsed() > FRESH {
                return Err(Error::new(format!("{last:?} never came:\n{raw}")));
            }
            thread::sleep(Duration::from_millis(20));
            raw = String::from_utf8_lossy(&shell.raw()).into_owned();
        }
        let size = |number| NonZero::new(number).unwrap_or(NonZero::<u16>::MIN);
        let mut picture = Parser::new(size(ROWS), size(COLUMNS), 0);
        picture.process(raw.replace(&self.plane.server_url(), ADDRESS).as_bytes());
        Ok(picture)
    }
}

fn enter(shell: &mut Terminal, line: &str) {
    shell.send(&format!("{line}\r"));
}

fn leave(mut shell: Terminal) {
    shell.send("exit\r");
    shell.finish();
}
