//! Keeps the newest Job of every cleanup group and deletes the rest.
//!
//! A run is a story, and each step has a room: connect → list → plan → show → confirm → purge → report.
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | what a user can say |
//! | [`run`], [`session`] | the story, and its steps against one cluster |
//! | [`show`], [`ui`] | what a run shows on its way; the only place that touches the terminal |
//! | [`signals`] | the first signal asks the run to stop, the second leaves |
//! | [`job`], [`compact`] | a Job: only what a verdict needs, its state and name family; in little memory |
//! | [`group`] | what makes Jobs a group |
//! | [`retention`] | a policy judges one group: a verdict and its reasons for every Job |
//! | [`plan`], [`limit`] | all groups judged and counted; how much a plan may purge |
//! | [`choice`] | which groups of a plan to purge, as somebody picks them |
//! | [`approval`] | what of a plan still holds later and may be carried out |
//! | [`saved`] | a plan in a file, to be carried out later |
//! | [`outcome`] | what became of a Job that was to be purged |
//! | [`remaining`] | what is left of a purge while it is waited for |
//! | [`wire`], [`intake`] | what Kubernetes sends, in protobuf or JSON, and how it becomes a Job |
//! | [`file`](mod@file) | Jobs from a file |
//! | [`selector`], [`duration`] | label keys, selectors and lengths of time, as kubectl's users write them |
//! | [`cluster`] | kubeconfig and flags to a client; pages to a snapshot; one DELETE to what it came to |
//! | [`retry`], [`clock`] | how often to try again; the one place that looks at the clock of the wall |
//! | [`backup`] | a Job's manifest on disk before its delete |
//! | [`purge`] | carries an approved plan out: bounded, adaptive, cancellable |
//! | [`completion`] | what may stand at the cursor of a command line, for shells and for kubectl |
//! | [`rbac`] | the least role that a run can do with |
//! | [`output`], [`text`] | renders a plan or report to a writer, and the JSON Schema of it; text from elsewhere made harmless |
//! | [`error`] | errors, hints, exit codes |
//!
//! Arrows, never reversed:
//!
//! - `run → session → {cli, cluster, file, plan, approval, saved, output, show, ui, purge}`
//! - `approval → plan → retention → group → job`
//! - `completion → {cli, cluster, show}`, `cli → rbac → cluster`
//! - `purge → {cluster, approval, backup}`, `cluster → {approval, intake, plan}`, `{cluster, file} → intake → {wire, job}`
//! - `saved → output → {plan, purge's Report}`
//!
//! `job`, `group`, `retention`, `plan`, `choice`, `approval`, `outcome`, `remaining`, `selector` and `text` are pure: no kube, no tokio, no clap,
//! no I/O, no clock; the time is a parameter. `tests/it/architecture.rs` holds the sources to this.

pub mod approval;
pub mod backup;
pub mod choice;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod compact;
pub mod completion;
pub mod duration;
pub mod error;
pub mod file;
pub mod group;
pub mod intake;
pub mod job;
pub mod limit;
pub mod outcome;
pub mod output;
pub mod plan;
pub mod purge;
pub mod rbac;
pub mod remaining;
pub mod retention;
pub mod retry;
pub mod run;
pub mod saved;
pub mod selector;
pub mod session;
pub mod show;
pub mod signals;
pub mod text;
pub mod ui;
pub mod wire;
