//! `-o json`: the document as indented JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::{
    Rows, View,
    document::{Extras, document, documents},
    escape::{Escapes, Escaping},
};

/// Write the document as JSON.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View, rows: Rows) -> io::Result<()> {
    write_document(out, &document(view, rows, None))
}

/// Write the documents of several clusters as one.
///
/// # Errors
/// If the writer fails.
pub fn write_all(out: &mut dyn Write, views: &[View], rows: Rows) -> io::Result<()> {
    write_document(out, &documents(views, rows))
}

/// Write the document as JSON with what carrying it out later needs.
///
/// # Errors
/// If the writer fails.
pub(super) fn write_saved(out: &mut dyn Write, view: View, extras: Extras) -> io::Result<()> {
    write_document(out, &document(view, Rows::All, Some(extras)))
}

fn write_document(out: &mut dyn Write, document: &impl Serialize) -> io::Result<()> {
    let mut escaping = Escaping::new(&mut *out, Escapes::Json);
    let written = serde_json::to_writer_pretty(&mut escaping, document);
    escaping.outcome(written)?;
    writeln!(out)
}
