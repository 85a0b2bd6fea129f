//! `cargo demo`: the tool's main job on a cluster that looks like one of IBM's, from before to after.

use std::collections::BTreeSet;
use std::io::{IsTerminal, stdin};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use controlplane::{Binaries, Context, ControlPlane, MAS_GROUP, Options, Result, build_tool};
use jiff::Timestamp;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Where kubectl's --cascade=foreground gets to: the garbage collector needs a moment.
const SETTLE: Duration = Duration::from_secs(15);

/// The exit code by which the tool says that the answer was no.
const DECLINED: u8 = 4;
/// The exit code of a shell for a program ended by SIGINT.
const INTERRUPTED: u8 = 130;

/// Runs the demo; its exit code is the tool's, and declining is a success.
pub fn run() -> Result<ExitCode> {
    let interrupt = Interrupt::install()?;
    Binaries::ensure()?;
    step("Build kubectl-jobclean");
    let tool = build_tool()?;
    step("Start etcd, kube-apiserver and kube-controller-manager on loopback");
    let since = Instant::now();
    let plane = ControlPlane::start(Options {
        context: "jobclean-demo".into(),
        ..Options::default()
    })?;
    println!(
        "up after {:.1} s at {}",
        since.elapsed().as_secs_f32(),
        plane.server_url()
    );
    let now = Timestamp::now();
    let jobs = plane.seed_samples(now)?;
    plane.serve_gitops_kinds()?;
    plane.seed_sample_applications(now)?;
    println!("{} sample Jobs written, the oldest 40 days old", jobs.len());
    let shell = Shell {
        plane: &plane,
        path: plane.path_with(tool.parent().unwrap_or(Path::new("/")))?,
    };

    step("What the cluster holds before");
    shell.run(&["get", "jobs", "--all-namespaces"])?;

    step(
        "Argo CD's applications, each family by itself; load-0 to load-3 are parts of one work (a dry run)",
    );
    let planned = shell.run(&["jobclean", "-n", "argocd-apps", "--dry-run=client"])?;

    step(
        "Git was rolled back: it still wants the second newest Job, so that one stays (a dry run)",
    );
    shell.run(&["jobclean", "-n", "storefront", "--dry-run=client"])?;
    let why = ["jobclean", "explain", "-n", "storefront", "migrate-b52e7d1"];
    shell.run(&why)?;

    step(
        "Purge by IBM's label, keeping 2 successes, 1 failure and what is younger than 30 minutes",
    );
    let before = terminating(&plane)?;
    let mut purge = vec!["jobclean", "--all-namespaces", "--label", MAS_GROUP];
    purge.extend([
        "--keep-succeeded",
        "2",
        "--keep-failed",
        "1",
        "--keep-within",
        "30m",
    ]);
    if !stdin().is_terminal() {
        // The tool cannot ask without a terminal.
        purge.push("--yes");
    }
    let purged = interrupt.left_to_the_tool(|| shell.run(&purge))?;
    if purged == DECLINED {
        println!("declined: nothing was deleted");
    }

    step("What the cluster holds after");
    settle(&plane, &before)?;
    shell.run(&["get", "jobs", "--all-namespaces"])?;

    step("Take the control plane down");
    drop(plane);
    println!("all gone");
    Ok(ExitCode::from(match (planned, purged) {
        (0, DECLINED) => 0,
        (0, code) => code,
        (code, _) => code,
    }))
}

fn step(title: &str) {
    println!("\n== {title}");
}

/// The way a user calls the tool: by kubectl, which finds it on the PATH.
struct Shell<'a> {
    plane: &'a ControlPlane,
    path: std::ffi::OsString,
}

impl Shell<'_> {
    /// Shows the command and runs it with our own stdin, stdout and stderr.
    fn run(&self, args: &[&str]) -> Result<u8> {
        println!("$ kubectl {}", args.join(" "));
        let mut command = Command::new(self.plane.kubectl());
        command
            .args(args)
            .env("PATH", &self.path)
            .env("KUBECONFIG", self.plane.kubeconfig());
        command
            .env("HOME", self.plane.home())
            .env("KUBERC", "off")
            .env_remove("KUBECACHEDIR");
        // The demo shows the defaults.
        command.env_remove("JOBCLEAN_LABEL");
        let code = code_of(command.status().context("cannot run kubectl")?);
        if code != 0 {
            println!("(exit code {code})");
        }
        Ok(code)
    }
}

fn code_of(status: ExitStatus) -> u8 {
    status
        .code()
        .map_or(INTERRUPTED, |code| u8::try_from(code).unwrap_or(1))
}

/// Ctrl-C ends the demo, and with it the servers, except while the tool runs: that has its own way to be interrupted,
/// and the servers must be there until it has printed what it did.
struct Interrupt {
    ends_us: Arc<AtomicBool>,
}

impl Interrupt {
    fn install() -> Result<Self> {
        let ends_us = Arc::new(AtomicBool::new(true));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&ends_us))
                .context("cannot listen to signals")?;
        }
        Ok(Self { ends_us })
    }

    fn left_to_the_tool<T>(&self, tool: impl FnOnce() -> T) -> T {
        self.ends_us.store(false, Ordering::SeqCst);
        let value = tool();
        self.ends_us.store(true, Ordering::SeqCst);
        value
    }
}

/// Jobs that have a deletionTimestamp, by uid.
fn terminating(plane: &ControlPlane) -> Result<BTreeSet<String>> {
    let list = plane.get_json("/apis/batch/v1/jobs")?;
    let jobs = list["items"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let deleted = jobs
        .iter()
        .map(|job| &job["metadata"])
        .filter(|metadata| !metadata["deletionTimestamp"].is_null());
    Ok(deleted
        .filter_map(|metadata| metadata["uid"].as_str().map(str::to_owned))
        .collect())
}

/// Waits for the garbage collector, though not for ever, nor for what was terminating `before`.
fn settle(plane: &ControlPlane, before: &BTreeSet<String>) -> Result<()> {
    let deadline = Instant::now() + SETTLE;
    while !terminating(plane)?.is_subset(before) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(300));
    }
    Ok(())
}
