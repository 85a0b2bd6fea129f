//! A release, made here and used as its users will: unpacked, installed by krew and by cargo, run as a Pod would.
//!
//! What is missing for that fails the tests and is said: Go, musl-gcc, the target's standard library, and on Linux leave
//! to make a mount namespace (`unshare`).

mod archive;
mod binstall;
mod chart;
mod cron_job;
#[cfg(target_os = "linux")]
mod deploy;
mod install;
mod krew;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod memory;
mod support;
mod workflows;
