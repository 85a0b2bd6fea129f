//! The first signal asks the run to stop, the second leaves at once.

use std::{sync::mpsc, thread};

use tokio::{runtime, sync::watch};

use crate::{error::Exit, purge::Stop, ui::TerminalModes};

/// Listen for SIGINT, SIGTERM and SIGHUP from now on.
pub fn listen(modes: TerminalModes) -> watch::Receiver<Option<Stop>> {
    let (send, receive) = watch::channel(None);
    let (ready, is_ready) = mpsc::channel::<()>();
    // On a thread of its own, which hears what comes while the run computes, or waits for whoever reads its output.
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        // Without one, signals keep their default, which ends the process.
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async move {
            let mut signals = Signals::new();
            drop(ready);
            let first = signals.next().await;
            send.send_replace(Some(first));
            let exit = match signals.next().await {
                Stop::Interrupt => Exit::Interrupted,
                Stop::Terminate => Exit::Terminated,
            };
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
            hangup: signal(SignalKind::hangup()).ok(),
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
