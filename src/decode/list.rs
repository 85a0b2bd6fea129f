//! A protobuf list read while it is coming, so that no page is ever held whole.

use super::{
    DecodeError, Job, ListMeta, MAGIC, TypeMeta, expect_job_list,
    protobuf::{Damage, Fields, Message, read_listed},
};

/// Reads the body of a protobuf JobList piece by piece.
///
/// What it has handed out counts only once [`ListReader::finish`] has found that the body was whole.
#[derive(Debug, Default)]
pub struct ListReader {
    place: Place,
    type_meta: TypeMeta,
    metadata: ListMeta,
    /// The beginning of something whose end has not come yet.
    held: Vec<u8>,
}

/// Where in the body the next byte stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before or in the mark that every body begins with.
    #[default]
    Mark,
    /// Among the envelope's fields, before the list.
    Before,
    /// In the list, this many bytes before its end.
    List(u64),
    /// Among the envelope's fields, after the list.
    After,
}

/// The keys of the envelope's `typeMeta` and `raw`, and of a list's `metadata` and `items`: the field's number, and that
/// a length follows.
const TYPE_META: u64 = 1 << 3 | 2;
const RAW: u64 = 2 << 3 | 2;
const METADATA: u64 = 1 << 3 | 2;
const ITEMS: u64 = 2 << 3 | 2;

/// The most bytes of one object. etcd takes 1.5 MB unless it is told otherwise, and 10 MB is what people tell it.
pub const OBJECT_MAX: usize = 16 << 20;

impl ListReader {
    /// Take the next piece of the body, and hand out the Jobs that it completes.
    ///
    /// # Errors
    /// If the body is damaged or no JobList, or if `on_job` fails.
    pub fn feed<E: From<DecodeError>>(
        &mut self,
        piece: &[u8],
        on_job: &mut dyn FnMut(Job<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut held = std::mem::take(&mut self.held);
        if held.is_empty() {
            let used = self.read(piece, on_job)?;
            held.extend_from_slice(&piece[used..]);
        } else {
            held.extend_from_slice(piece);
            let used = self.read(&held, on_job)?;
            held.drain(..used);
        }
        self.held = held;
        Ok(())
    }

    /// The token of the next page, as soon as it has come: it stands before the Jobs.
    pub fn continue_token(&self) -> Option<&str> {
        let token = self.metadata.continue_token.as_deref();
        token.filter(|token| !token.is_empty())
    }

    /// The list's metadata, now that the body has ended.
    ///
    /// # Errors
    /// If the body was cut short, or held no JobList.
    pub fn finish(self) -> Result<ListMeta, DecodeError> {
        match self.place {
            Place::Mark => Err(DecodeError::Magic),
            // A list has at least its metadata. A body that ends before it was cut short, and is not a list of nothing.
            Place::Before => expect_job_list(&self.type_meta).and(Err(DecodeError::NoObject)),
            Place::After if self.held.is_empty() => Ok(self.metadata),
            Place::List(_) | Place::After => Err(Damage::CutShort.into()),
        }
    }

    /// Read what is whole of these bytes; how many that are.
    fn read<E: From<DecodeError>>(
        &mut self,
        bytes: &[u8],
        on_job: &mut dyn FnMut(Job<'_>) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut rest = bytes;
        while let Some(after) = self.step(rest, on_job)? {
            rest = after;
        }
        Ok(bytes.len() - rest.len())
    }

    /// Read one thing; what comes after it, or `None` if it has not come whole.
    fn step<'a, E: From<DecodeError>>(
        &mut self,
        bytes: &'a [u8],
        on_job: &mut dyn FnMut(Job<'_>) -> Result<(), E>,
    ) -> Result<Option<&'a [u8]>, E> {
        if self.place == Place::Mark {
            return Ok(match bytes.strip_prefix(MAGIC) {
                Some(after) => {
                    self.place = Place::Before;
                    Some(after)
                }
                None if MAGIC.starts_with(bytes) => None,
                None => return Err(DecodeError::Magic.into()),
            });
        }
        if self.place == Place::List(0) {
            self.place = Place::After;
        }
        let Some(Opened { key, length, begun }) = open(bytes).map_err(DecodeError::from)? else {
            return Ok(None);
        };
        if (self.place, key) == (Place::Before, RAW) {
            expect_job_list(&self.type_meta)?;
            self.place = Place::List(length);
            return Ok(Some(begun));
        }
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= OBJECT_MAX)
            .ok_or(DecodeError::from(Damage::TooLong))?;
        let Some((value, after)) = begun.split_at_checked(length) else {
            return Ok(None);
        };
        match (self.place, key) {
            (Place::List(left), _) => {
                let used = (bytes.len() - after.len()) as u64;
                self.place = Place::List(
                    left.checked_sub(used)
                        .ok_or(DecodeError::from(Damage::CutShort))?,
                );
                match key {
                    METADATA => self.metadata = ListMeta::read(value).map_err(DecodeError::from)?,
                    ITEMS => on_job(read_listed(value)?)?,
                    _ => {}
                }
            }
            // A second list, or another kind for the one that has come.
            (Place::After, TYPE_META | RAW) => return Err(DecodeError::from(Damage::Key).into()),
            (_, TYPE_META) => {
                self.type_meta = TypeMeta::read(value).map_err(DecodeError::from)?;
            }
            _ => {}
        }
        Ok(Some(after))
    }
}

/// A field of which the key and length have come, and the beginning of what comes after them.
struct Opened<'a> {
    key: u64,
    length: u64,
    begun: &'a [u8],
}

/// Open a field; `None` if its key and length have not come whole.
fn open(bytes: &[u8]) -> Result<Option<Opened<'_>>, Damage> {
    let mut fields = Fields(bytes);
    let opened = fields.varint().and_then(|key| Ok((key, fields.varint()?)));
    match opened {
        // Neither the envelope nor a list has fields of any other type.
        Ok((key, _)) if key & 7 != 2 || key >> 3 == 0 => Err(Damage::Key),
        Ok((key, length)) => Ok(Some(Opened {
            key,
            length,
            begun: fields.0,
        })),
        Err(Damage::CutShort) => Ok(None),
        Err(damage) => Err(damage),
    }
}
