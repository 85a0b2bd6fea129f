//! What moves on stderr, and what is said beside it: by the run, and by credential plugins, which may have the terminal to
//! themselves.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use dialoguer::console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::sync::watch;

use super::{Level, json};
use crate::{
    connection::console::{Console, Stdin},
    error::Stop,
    text::harmless,
};

/// The place of the spinner or bar, the same for all who write to stderr.
#[derive(Clone, Default)]
pub(super) struct Bar(Arc<Mutex<Shown>>);

#[derive(Default)]
struct Shown {
    bar: Option<ProgressBar>,
    /// Whether a plugin has the terminal, so that nothing may be drawn.
    is_left: bool,
}

impl Bar {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Write a line above it.
    pub(super) fn line(&self, text: &str) {
        // There is no way to report that stderr cannot be written.
        let write = || drop(writeln!(io::stderr().lock(), "{text}"));
        match &self.shown().bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Put one there.
    pub(super) fn start(&self, bar: ProgressBar, template: &str) {
        let mut shown = self.shown();
        bar.set_draw_target(if shown.is_left {
            ProgressDrawTarget::hidden()
        } else {
            target()
        });
        bar.set_style(
            ProgressStyle::with_template(template)
                .expect("templates are written by us")
                .with_key("rate", rate)
                .with_key("left", left)
                .progress_chars("=> "),
        );
        bar.enable_steady_tick(Duration::from_millis(100));
        shown.bar = Some(bar);
    }

    /// Do something to it, if there is one.
    pub(super) fn with(&self, change: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = &self.shown().bar {
            change(bar);
        }
    }

    /// Take it away.
    pub(super) fn finish(&self) {
        if let Some(bar) = self.shown().bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// How many a second, in whole numbers, once it is known.
fn rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    if state.pos() > 0 && state.per_sec() >= 0.5 {
        let _ = write!(out, ", {:.0} a second", state.per_sec());
    }
}

/// How long it will take, once something has been done from which that can be told.
fn left(state: &ProgressState, out: &mut dyn fmt::Write) {
    if state.pos() > 0 && state.eta() >= Duration::from_secs(1) {
        let _ = write!(out, ", {} s left", state.eta().as_secs());
    }
}

fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::stderr_with_hz(10)
}

/// The people in front of this process, as credential plugins find them.
pub(super) struct People {
    pub(super) stdin: Stdin,
    pub(super) bar: Bar,
    /// Whether what is said goes into a log that a program reads.
    pub(super) is_for_programs: bool,
    /// Becomes something when the run is asked to stop.
    pub(super) stop: watch::Receiver<Option<Stop>>,
}

impl Console for People {
    fn input(&self) -> Stdin {
        self.stdin
    }

    fn say(&self, line: &str) {
        let line = harmless(line);
        if self.is_for_programs {
            self.bar.line(&json(Level::Info, line, None));
        } else {
            self.bar.line(&line);
        }
    }

    fn warn(&self, text: &str) {
        let text = harmless(text);
        if self.is_for_programs {
            self.bar.line(&json(Level::Warning, text, None));
        } else {
            self.bar.line(&format!("warning: {text}"));
        }
    }

    fn leave(&self) {
        let mut shown = self.bar.shown();
        shown.is_left = true;
        if let Some(bar) = &shown.bar {
            // What is drawn stays where it is otherwise, and the plugin would go on behind it.
            bar.set_draw_target(ProgressDrawTarget::hidden());
            let _ = Term::stderr().clear_line();
        }
    }

    fn take_back(&self) {
        let mut shown = self.bar.shown();
        shown.is_left = false;
        if let Some(bar) = &shown.bar {
            bar.set_draw_target(target());
        }
    }

    fn is_stopping(&self) -> bool {
        self.stop.borrow().is_some()
    }
}
