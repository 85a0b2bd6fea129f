//! `-o yaml`: the document as YAML.
//!
//! The serializer escapes what YAML cannot hold, but not the characters that reorder text on a terminal. It does escape
//! U+FFFF, always as `\\uFFFF` and always in double quotes. So such a character is handed to it as U+FFFF and four
//! hexadecimal digits, and the pair is put together again on its way out.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use super::{View, document::document};
use crate::text::is_unsafe;

const MARK: char = '\u{ffff}';
const ESCAPED_MARK: &str = "\\uFFFF";

/// Write the document as YAML.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View) -> io::Result<()> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut lines = Lines {
        out,
        line: Vec::new(),
        failed: None,
    };
    let written =
        serde_saphyr::to_io_writer_with_options(&mut lines, &document(view, mark), options);
    match (lines.failed.take(), written) {
        // The serializer does not tell of what kind it is.
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(io::Error::other(error)),
        (None, Ok(())) => lines.flush(),
    }
}

/// Mark every character that must not go out as it is, and the backslashes of a text that looks like an escaped mark.
fn mark(text: &str) -> Cow<'_, str> {
    let looks_marked = text.contains(ESCAPED_MARK);
    let to_mark = |c: char| is_unsafe(c) || c == MARK || (looks_marked && c == '\\');
    if !text.contains(to_mark) {
        return Cow::Borrowed(text);
    }
    let mut marked = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if to_mark(c) {
            // All of them lie in the basic plane.
            marked.push_str(&format!("{MARK}{:04x}", c as u32));
        } else {
            marked.push(c);
        }
    }
    Cow::Owned(marked)
}

/// Puts marks together, line by line: no mark spans two.
struct Lines<'a> {
    out: &'a mut dyn Write,
    line: Vec<u8>,
    /// Why a line could not be written.
    failed: Option<io::Error>,
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n")
                && let Err(error) = self.flush()
            {
                let kind = error.kind();
                self.failed = Some(error);
                return Err(kind.into());
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        match std::str::from_utf8(&line) {
            Ok(text) if text.contains(ESCAPED_MARK) => self
                .out
                .write_all(text.replace(ESCAPED_MARK, "\\u").as_bytes()),
            _ => self.out.write_all(&line),
        }
    }
}
