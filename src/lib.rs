//! Keeps the newest Job of every cleanup group and deletes the rest.
//!
//! A run is a story, and each step has a room: connect → list → plan → show → confirm → purge → report.
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | what a user can say |
//! | [`run`] | the story |
//! | [`session`] | its steps against one cluster |
//! | [`show`] | what a run shows on its way |
//! | [`job`] | a Job: only what a verdict needs; its state and name family |
//! | [`compact`] | small forms of what every Job has |
//! | [`group`] | what makes Jobs a group |
//! | [`retention`] | a policy judges one group: a verdict and its reasons for every Job |
//! | [`plan`] | all groups judged and counted |
//! | [`outcome`] | what became of a Job that was to be purged |
//! | [`wire`], [`intake`] | what Kubernetes sends, in protobuf or JSON, and how it becomes a Job |
//! | [`file`](mod@file) | Jobs from a file |
//! | [`saved`] | a plan in a file, to be carried out later |
//! | [`backup`] | a Job's manifest on disk before its delete |
//! | [`approval`] | what of a plan may be carried out |
//! | [`selector`] | label keys and selectors, as the API server reads them |
//! | [`cluster`] | kubeconfig and flags to a client; pages to a snapshot; one DELETE to an outcome |
//! | [`purge`] | carries a plan out: bounded, adaptive, cancellable |
//! | [`output`] | renders a plan or report to a writer |
//! | [`ui`] | the only place that touches the terminal |
//! | [`error`] | errors, hints, exit codes |
//!
//! Arrows, never reversed: `run → {cli, cluster, file, plan, output, ui, purge}`, `plan → retention → group → job`,
//! `purge → {cluster, plan}`, `{cluster, file} → intake → {wire, job}`, `output → {plan, purge's Report}`.
//! `job`, `group`, `retention`, `plan`, `outcome` and `selector` are pure: no kube, no tokio, no clap, no I/O, no clock.

pub mod approval;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod compact;
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
