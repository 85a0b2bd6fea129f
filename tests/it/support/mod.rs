//! What the tests share.

pub mod account;
pub mod audit;
pub mod document;
pub mod door;
pub mod front;
pub mod http;
pub mod kubeconfig;
pub mod pair;
pub mod plane;
pub mod plugin;
pub mod private;
pub mod proxy;
pub mod random;
pub mod running;
pub mod tool;
pub mod upstream;

use std::thread;
use std::time::{Duration, Instant};

pub use ::terminal::{self, Terminal};
pub use document::{jobs_of, outcomes, verdicts};
pub use plane::{LABEL, Space, everywhere, plane};
pub use tool::{Run, run, tool};
pub use upstream::Upstream;

/// Long enough for two busy cores; a test that waits longer has found something.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Waits for a condition, and fails when it does not come.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Checks all of these at once: failures that the tool first tries to get over take their time.
pub fn together<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            let check = &check;
            scope.spawn(move || check(case));
        }
    });
}
