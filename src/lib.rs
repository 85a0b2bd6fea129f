//! Keeps the newest Job of every cleanup group and deletes the rest.
//!
//! A run is a story, and [`run`] tells it: connect → list → plan → show → confirm → purge → report.
//!
//! | module | what it does |
//! |---|---|
//! | [`run`] | the story, and what it says on the way |
//! | [`cli`] | what a user can say; completion |
//! | [`ui`] | the terminal: messages, progress, questions, the picker, signals |
//! | [`output`] | plan and report as table, summary, names and document; saved plans |
//! | [`purge`] | carries an approved plan out and waits: events out, a report back |
//! | [`backup`] | a Job's backup on disk: written before its delete, read to restore the Job |
//! | [`cluster`] | what is asked about Jobs: list, get, delete, what remains, access; retries |
//! | [`connection`] | as whom and where, as kubectl: one request, one answer; knows no Jobs |
//! | [`decode`] | bytes to Jobs: protobuf and JSON of the API, JSON and YAML of a file |
//! | [`plan`] | groups, policy, verdicts, recheck, and the report as data |
//! | [`gitops`] | what git and Helm still want: the claims of Applications and Kustomizations on Jobs |
//! | [`job`] | a Job, its family, its labels, and which Jobs are asked for |
//! | [`error`], [`text`], [`time`] | errors and exit codes; text from elsewhere made harmless; the clock and durations |
//!
//! Each room may use those below it, `job`, `gitops`, `plan` and `decode` are pure: no kube, no tokio, no clap, no I/O, no clock;
//! the time is a parameter. `tests/pure/architecture.rs` holds the sources to this.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod backup;
pub mod error;
pub mod gitops;
pub mod job;
pub mod plan;
pub mod purge;

pub use self::purge::cleaner::Cleaner;

// Public for the plugin's own binary, tests and tools. Other programs must not rely on these.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod cluster;
#[doc(hidden)]
pub mod connection;
#[doc(hidden)]
pub mod decode;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod output;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod run;
#[doc(hidden)]
pub mod text;
#[doc(hidden)]
pub mod time;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod ui;
