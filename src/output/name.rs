//! `-o name`: what kubectl prints for it, for the Jobs to purge only.

use std::io::{self, Write};

use super::View;
use crate::text::harmless;

/// Write `job.batch/NAME` of every Job that is to be purged.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View) -> io::Result<()> {
    for job in view.plan().purges() {
        writeln!(out, "job.batch/{}", harmless(job.name()))?;
    }
    Ok(())
}
