//! The tool against a real control plane, a file a subject, written from the contract of its command line.
//!
//! Every test has a namespace of its own and deletes nothing outside it; those that look at every namespace use a label
//! key of their own. A control plane that does not start fails every test that needs one.

mod architecture;
mod chaos;
mod company;
mod conflicts;
mod connection;
mod credentials;
mod delete_faults;
mod dry_run;
mod expired;
mod families;
mod family_laws;
mod file;
mod file_plan;
mod golden;
mod impersonation;
mod interrupt;
mod jobs;
mod kubectl;
mod laws;
mod list_retries;
mod listing;
mod outage;
mod output;
mod output_laws;
mod pressure;
mod proto;
mod purge;
mod question;
mod race;
mod rbac;
mod render;
mod retention;
mod signals;
mod stdout;
mod support;
mod tables;
mod terminal;
mod unreachable;
mod usage;
mod which_jobs;
mod wire;
