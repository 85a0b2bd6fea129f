//! Documents without characters that could steer a terminal: each is written as an escape, so that no text is changed.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde::{Deserialize, Serialize, Serializer};
use serde_saphyr::DoubleQuoted;

use crate::text::{escaped, has_unsafe, is_plain, is_unsafe, json_escape};

/// A text of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'a, T: Into<Cow<'a, str>>> From<T> for Text<'a> {
    fn from(text: T) -> Text<'a> {
        Text(text.into())
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // YAML has escapes in double quotes alone. JSON has these in any case.
        if has_unsafe(&self.0) {
            DoubleQuoted(&self.0).serialize(serializer)
        } else {
            serializer.serialize_str(&self.0)
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Text<'_> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

/// How a format escapes a character.
#[derive(Debug, Clone, Copy)]
pub(super) enum Escapes {
    /// In units of UTF-16.
    Json,
    /// As one number.
    Yaml,
}

/// Writes the unsafe characters that a serializer leaves as they are as escapes.
pub(super) struct Escaping<'a> {
    out: &'a mut dyn Write,
    escapes: Escapes,
    /// The beginning of a character whose end has not come yet.
    held: Vec<u8>,
    /// Why it could not be written. A serializer does not tell of what kind an error is.
    failed: Option<io::Error>,
}

impl<'a> Escaping<'a> {
    pub(super) fn new(out: &'a mut dyn Write, escapes: Escapes) -> Escaping<'a> {
        Escaping {
            out,
            escapes,
            held: Vec::new(),
            failed: None,
        }
    }

    /// What writing came to, with the error of the writer where it failed.
    pub(super) fn outcome<E>(self, written: Result<(), E>) -> io::Result<()>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.failed
            .map_or_else(|| written.map_err(io::Error::other), Err)
    }

    fn write_text(&mut self, text: &str) -> io::Result<()> {
        // Line breaks between the fields are the serializer's own; in a text they are escaped already.
        let is_escaped = |c: char| is_unsafe(c) && c != '\n';
        let escape = |c: char| match self.escapes {
            Escapes::Yaml if c.len_utf16() > 1 => format!("\\U{:08x}", u32::from(c)),
            Escapes::Json | Escapes::Yaml => json_escape(c),
        };
        let text = escaped(text, is_escaped, escape);
        self.out.write_all(text.as_bytes())
    }
}

impl Write for Escaping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut whole = std::mem::take(&mut self.held);
        let joined = if whole.is_empty() {
            bytes
        } else {
            whole.extend_from_slice(bytes);
            &whole
        };
        // Line breaks are the serializer's own.
        let is_plain = joined.split(|byte| *byte == b'\n').all(is_plain);
        let written = if is_plain {
            self.out.write_all(joined)
        } else {
            let text = std::str::from_utf8(joined).unwrap_or_else(|cut| {
                let (text, held) = joined.split_at(cut.valid_up_to());
                self.held = held.to_vec();
                std::str::from_utf8(text).unwrap_or_default()
            });
            self.write_text(text)
        };
        written.map(|()| bytes.len()).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
