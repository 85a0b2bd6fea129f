//! The first signal asks the run to stop, the second leaves at once.

use std::{sync::mpsc, thread};

use tokio::{runtime, sync::watch};

use super::TerminalModes;
use crate::error::{Exit, Stop};

/// Listen for SIGINT, SIGTERM and SIGHUP from now on. Where SIGHUP was ignored at the start it stays so: nohup means that
/// the run goes on without its terminal.
pub fn listen(modes: TerminalModes) -> watch::Receiver<Option<Stop>> {
    let (send, receive) = watch::channel(None);
    let (ready, is_ready) = mpsc::channel::<()>();
    // On a thread of its own, which hears signals while the run computes or waits for the reader of its output.
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        // Without one, signals keep their default, which ends the process.
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async move {
            let mut signals = Signals::new();
            drop(ready);
            let first = signals.next().await;
            send.send_replace(Some(first));
            let exit = Exit::from(signals.next().await);
            modes.restore();
            std::process::exit(exit.code().into());
        });
    });
    // Nothing is ever sent: it ends when the other side is dropped.
    let _ = is_ready.recv();
    receive
}

#[cfg(unix)]
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Signals {
        use tokio::signal::unix::{SignalKind, signal};
        // A signal that cannot be caught keeps its default, which ends the process.
        Signals {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
            hangup: (!is_hangup_ignored())
                .then(|| signal(SignalKind::hangup()).ok())
                .flatten(),
        }
    }

    async fn next(&mut self) -> Stop {
        async fn wait(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = wait(&mut self.interrupt) => Stop::Interrupt,
            () = wait(&mut self.terminate) => Stop::Terminate,
            () = wait(&mut self.hangup) => Stop::Terminate,
        }
    }
}

/// Whether the parent process had this one ignore SIGHUP. Only Linux tells without unsafe code.
#[cfg(target_os = "linux")]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status");
    status.is_ok_and(|status| ignores_hangup(&status))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_hangup_ignored() -> bool {
    false
}

/// Whether SIGHUP is among the ignored signals that the kernel lists.
#[cfg(target_os = "linux")]
fn ignores_hangup(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is the first, and so the lowest bit.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Signals {
        Signals
    }

    async fn next(&mut self) -> Stop {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Stop::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_whether_hangups_are_ignored() {
        for (mask, expected) in [
            ("0000000000000001", true),
            ("0000000000001001", true),
            ("0000000000001000", false),
            ("fffffffffffffffe", false),
            ("", false),
        ] {
            let status = format!("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
            assert_eq!(ignores_hangup(&status), expected, "{mask}");
        }
        assert!(!ignores_hangup(""));
    }
}
