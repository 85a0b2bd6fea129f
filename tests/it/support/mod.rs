//! What the tests share.

pub mod account;
pub mod api_client;
pub mod audit;
pub mod backups;
pub mod canary;
pub mod control_plane;
pub mod document;
pub mod exposition;
pub mod files;
pub mod gitops;
pub mod group_list;
pub mod hostile_text;
pub mod job_file;
pub mod journals;
pub mod kubeconfig;
pub mod kubelet;
pub mod listener;
pub mod own_control_plane;
pub mod plugin;
pub mod proto;
pub mod proxy;
pub mod random;
pub mod running;
pub mod samples;
pub mod saved_plan;
pub mod side_by_side;
pub mod stub;
pub mod tool;
pub mod written_files;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

pub use ::terminal::{self, Terminal};
pub use api_client::ApiClient;
pub use control_plane::{Space, everywhere, plane};
pub use document::{jobs_of, outcomes, verdicts};
pub use tool::{LABEL, PATIENCE, Run, run, tool};

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

/// The last document that was printed to a terminal.
#[track_caller]
pub fn printed_document(left: &terminal::Left) -> Value {
    let printed = left.raw.replace("\r\n", "\n");
    let (begin, end) = (printed.rfind("{\n  \"apiVersion\""), printed.rfind("\n}\n"));
    let document = begin
        .zip(end)
        .and_then(|(begin, end)| printed.get(begin..end + 2));
    document::from_json(document.unwrap_or_else(|| panic!("no document\n{}", left.text)))
}
