//! Signals while no program reads stdout.

use std::io::Read;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{PATIENCE, Space};

/// As with a pager that is left open: the plan does not fit into the pipe.
#[test]
fn the_second_signal_leaves_while_the_output_is_stuck() {
    let space = Space::new();
    let jobs: Vec<_> = (0..600)
        .map(|number| space.job("g", &format!("sync-{number}"), number))
        .collect();
    space.seed(&jobs);
    let mut tool = space.tool(&["--dry-run=client", "-o", "json"]);
    let mut child = tool
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut begun = [0];
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut begun).unwrap();
    let pid = Pid::from_child(&child);
    let deadline = Instant::now() + PATIENCE;
    // Signals that come faster than they are heard are one.
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it does not hear the signals");
        }
        let _ = kill_process(pid, Signal::TERM);
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(143));
}
