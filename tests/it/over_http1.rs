//! What goes wrong with deletes that have a connection each.

use crate::support::proxy::Line;

const LINE: Line = Line::Http1;

#[path = "purge_chaos.rs"]
mod purge_chaos;
#[path = "purge_conflicts.rs"]
mod purge_conflicts;
#[path = "purge_faults.rs"]
mod purge_faults;
#[path = "purge_outage.rs"]
mod purge_outage;
#[path = "purge_parallel_runs.rs"]
mod purge_parallel_runs;
#[path = "purge_pressure.rs"]
mod purge_pressure;
#[path = "purge_signals.rs"]
mod purge_signals;
