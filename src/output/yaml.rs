//! `-o yaml`: the document as YAML.

use std::io::{self, Write};

use serde::Serialize;

use super::{
    Rows, View,
    document::{document, documents},
    escape::{Escapes, Escaping},
};

/// Write the document as YAML.
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

fn write_document(out: &mut dyn Write, document: &impl Serialize) -> io::Result<()> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut escaping = Escaping::new(out, Escapes::Yaml);
    let written = serde_saphyr::to_io_writer_with_options(&mut escaping, document, options);
    escaping.outcome(written)
}
