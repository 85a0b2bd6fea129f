//! `-o yaml`: the document as YAML.

use std::io::{self, Write};

use super::{
    Rows, View,
    document::document,
    escape::{Escapes, Escaping},
};

/// Write the document as YAML.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View, rows: Rows) -> io::Result<()> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut escaping = Escaping::new(out, Escapes::Yaml);
    let written = serde_saphyr::to_io_writer_with_options(
        &mut escaping,
        &document(view, rows, None),
        options,
    );
    escaping.outcome(written)
}
