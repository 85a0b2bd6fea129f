//! JSON read while it comes, value by value, so that no text is ever held whole.

use std::{io::Read, mem};

use memchr::{memchr_iter, memrchr};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Deserializer, value::RawValue};

use super::{
    FileError,
    slim::{is_blank, printed, slim},
};
use crate::decode::{Item, TypeMeta, size_of};

/// Bytes to read at a time. What is held is a few times this much, or a few times the longest value that is looked at
/// as a whole.
pub(super) const CHUNK: usize = 256 * 1024;

/// Takes an item of a list, and its text.
pub(super) type TakeItem<'t> =
    dyn FnMut(Result<Item<'_>, Misfit>, &str) -> Result<(), FileError> + 't;

/// An item of a list that is not as a Job is.
pub(super) struct Misfit {
    /// What it says to be.
    pub(super) type_meta: TypeMeta,
    /// Why it is no Job.
    pub(super) why: FileError,
}

/// A stream of JSON, and how far it has been read.
pub(super) struct Stream<'r> {
    /// Of one type whatever it is, so that what reads from it is in the program once.
    input: Box<dyn Read + 'r>,
    /// What has come and is not yet behind: its first `at` bytes are.
    text: String,
    at: usize,
    /// What has come and is no text: the first bytes of a character, or of what is no character at all.
    bytes: Vec<u8>,
    /// Room for an item without what no verdict needs.
    slim: String,
    has_ended: bool,
    /// Where in the whole `text` begins, for error messages.
    lines: usize,
    column: usize,
}

impl<'r> Stream<'r> {
    pub(super) fn new(input: impl Read + 'r) -> Stream<'r> {
        Stream {
            input: Box::new(input),
            text: String::new(),
            at: 0,
            bytes: Vec::new(),
            slim: String::new(),
            has_ended: false,
            lines: 0,
            column: 0,
        }
    }

    /// What has come and has not been read yet.
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Where in the whole it stands: lines, and bytes of the last one, that are behind.
    fn place(&self) -> (usize, usize) {
        let passed = &self.text.as_bytes()[..self.at];
        match memrchr(b'\n', passed) {
            None => (self.lines, self.column + passed.len()),
            Some(last) => {
                let ended = memchr_iter(b'\n', passed).count();
                (self.lines + ended, passed.len() - last - 1)
            }
        }
    }

    /// Let more come; at least as much as there is already, so that a long value is not looked at too often.
    fn fill(&mut self) -> Result<(), FileError> {
        (self.lines, self.column) = self.place();
        let mut bytes = mem::take(&mut self.text).into_bytes();
        bytes.drain(..self.at);
        self.at = 0;
        let left = bytes.len();
        let wanted = CHUNK.max(left);
        bytes.append(&mut self.bytes);
        let come = (&mut self.input)
            .take(wanted as u64)
            .read_to_end(&mut bytes)?;
        let is_last = come < wanted;
        self.text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                // What is wrong before it is said first.
                if valid == left && error.utf8_error().error_len().is_some() {
                    return Err(FileError::NotText);
                }
                if valid == left && is_last {
                    return Err(self.invalid("it ends too early", 1, 1));
                }
                let mut bytes = error.into_bytes();
                self.bytes = bytes.split_off(valid);
                String::from_utf8(bytes).unwrap_or_default()
            }
        };
        self.has_ended = is_last && self.bytes.is_empty();
        Ok(())
    }

    /// The next byte that is no white space, which stays unread; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, FileError> {
        loop {
            let bytes = self.rest().as_bytes();
            match bytes.iter().position(|byte| !is_blank(*byte)) {
                Some(blanks) => {
                    let found = bytes[blanks];
                    self.at += blanks;
                    return Ok(Some(found));
                }
                None => self.at = self.text.len(),
            }
            if self.has_ended {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    /// Whether the next bytes are these, which are then behind.
    pub(super) fn passes(&mut self, expected: &str) -> Result<bool, FileError> {
        while self.rest().len() < expected.len() && !self.has_ended {
            self.fill()?;
        }
        let is_there = self.rest().starts_with(expected);
        self.at += if is_there { expected.len() } else { 0 };
        Ok(is_there)
    }

    /// Step over this byte, and over white space before it.
    pub(super) fn expect(&mut self, expected: u8) -> Result<(), FileError> {
        match self.peek()? {
            Some(found) if found == expected => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.invalid(&format!("expected `{}`", char::from(expected)), 1, 1)),
            None => Err(self.invalid("it ends too early", 1, 1)),
        }
    }

    /// Whether another member follows in an object or array that `end` closes. Commas are behind then, and so is the end.
    pub(super) fn goes_on(&mut self, end: u8, is_first: bool) -> Result<bool, FileError> {
        match self.peek()? {
            Some(found) if found == end => {
                self.at += 1;
                Ok(false)
            }
            _ if is_first => Ok(true),
            _ => self.expect(b',').map(|()| true),
        }
    }

    /// Read a value.
    pub(super) fn value<T: DeserializeOwned>(&mut self) -> Result<T, FileError> {
        loop {
            if let Some((value, used)) = parse(self.rest(), self.has_ended) {
                let value = value.map_err(|error| self.explain(&error))?;
                self.at += used;
                return Ok(value);
            }
            self.fill()?;
        }
    }

    /// Read an object of a list, which may borrow from the text, and give it to `take` with its text.
    pub(super) fn item(&mut self, take: &mut TakeItem<'_>) -> Result<(), FileError> {
        let why = loop {
            let rest = &self.text[self.at..];
            if let Some(extent) = slim(rest, &mut self.slim)
                && let Ok(mut item) = serde_json::from_str::<Item<'_>>(&self.slim)
            {
                item.size = size_of(extent.printed());
                take(Ok(item), &rest[..extent.length])?;
                self.at += extent.length;
                return Ok(());
            }
            // It goes on behind what has come, or something in it is wrong, which the whole text tells best.
            match parse::<Item<'_>>(rest, self.has_ended) {
                Some((Ok(mut item), used)) => {
                    let text = &rest[..used];
                    item.size = size_of(printed(text));
                    take(Ok(item), text)?;
                    self.at += used;
                    return Ok(());
                }
                Some((Err(error), _)) if error.is_data() => break malformed(&error),
                Some((Err(error), _)) => return Err(self.explain(&error)),
                None => self.fill()?,
            }
        };
        // It may be of another kind, which has other members by the same names.
        let whole: Box<RawValue> = self.value()?;
        let type_meta = serde_json::from_str(whole.get()).unwrap_or_default();
        take(Err(Misfit { type_meta, why }), whole.get())
    }

    /// Everything from the beginning of this line on, with the lines before it left empty.
    pub(super) fn rest_of_it(&mut self) -> Result<Vec<u8>, FileError> {
        let begin = self.text[..self.at].rfind('\n').map_or(0, |last| last + 1);
        let (lines, _) = self.place();
        let mut whole = vec![b'\n'; lines];
        whole.extend_from_slice(&self.text.as_bytes()[begin..]);
        whole.append(&mut self.bytes);
        self.input.read_to_end(&mut whole)?;
        (self.at, self.has_ended) = (0, true);
        self.text.clear();
        Ok(whole)
    }

    /// What is left of this line, which stays unread.
    pub(super) fn line(&mut self) -> Result<&str, FileError> {
        while !self.rest().contains('\n') && !self.has_ended {
            self.fill()?;
        }
        Ok(self.rest().split('\n').next().unwrap_or_default())
    }

    fn explain(&self, error: &serde_json::Error) -> FileError {
        if error.is_data() {
            malformed(error)
        } else {
            self.invalid(&message(error), error.line(), error.column())
        }
    }

    /// What is wrong at a place that is counted from where the stream stands.
    pub(super) fn invalid(&self, what: &str, line: usize, column: usize) -> FileError {
        let (lines, columns) = self.place();
        let column = if line > 1 { column } else { columns + column };
        FileError::Json(format!("{what} at line {} column {column}", lines + line))
    }
}

/// Parse the value that a text begins with, and how long it is; `None` if it may go on after the text.
fn parse<'t, T: Deserialize<'t>>(
    text: &'t str,
    is_all: bool,
) -> Option<(serde_json::Result<T>, usize)> {
    // Half a number is another number, or none.
    let text = if is_all {
        text
    } else {
        text.trim_end_matches(|c: char| c.is_ascii_digit() || "+-.eE".contains(c))
    };
    let mut values = Deserializer::from_str(text).into_iter();
    let value = values.next();
    let used = values.byte_offset();
    match value {
        Some(Ok(value)) if is_all || used < text.len() => Some((Ok(value), used)),
        Some(Err(error)) if is_all || !error.is_eof() => Some((Err(error), used)),
        None if is_all => Some((Err(serde::de::Error::custom("it ends too early")), used)),
        _ => None,
    }
}

/// What a value is instead of what it should be. Lines and columns within a part mean nothing to a reader of the file.
pub(super) fn malformed(error: &serde_json::Error) -> FileError {
    FileError::Malformed(message(error))
}

fn message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    if message.starts_with("EOF ") {
        return "it ends too early".to_owned();
    }
    match message.split_once("expected struct ") {
        Some((found, _)) => format!("{found}expected an object"),
        None => message.replace("expected a map", "expected an object"),
    }
}
