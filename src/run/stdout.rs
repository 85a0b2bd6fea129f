//! Writing to stdout, which carries the plan or the report and nothing else.

use std::io::{self, BufWriter, Write};

use crate::error::{Error, io_words};

/// Write something to stdout as a whole.
pub fn write_out(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out).and_then(|()| out.flush())
}

/// Write something to stdout that is all that the run is for: if its reader has seen enough, as `head` may, it has done
/// its work.
///
/// # Errors
/// If it cannot be written.
pub fn write_only(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    match write_out(write) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(write_error(&error)),
        _ => Ok(()),
    }
}

pub fn write_error(error: &io::Error) -> Error {
    Error::failure(cannot_write(error))
}

/// That stdout cannot be written, and why: a fragment.
pub fn cannot_write(error: &io::Error) -> String {
    format!("cannot write to standard output: {}", io_words(error))
}
