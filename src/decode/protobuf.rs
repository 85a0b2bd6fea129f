//! Protobuf read where it lies: texts are borrowed from the body, and what no verdict needs is stepped over.

use std::borrow::Cow;

use super::{
    DecodeError, Job, JobCondition, JobList, JobStatus, ListMeta, Map, ObjectMeta, OwnerReference,
    Status, StatusDetails, Text, Time, TypeMeta, size_of,
};

/// How protobuf is damaged. The text is a lowercase fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A field goes on after the end.
    #[error("a field is cut short")]
    CutShort,
    /// A field begins as none does.
    #[error("a field has an impossible key")]
    Key,
    /// A number does not end.
    #[error("a number is too long")]
    Number,
    /// A field that is known has another type here.
    #[error("a field has another type than it should")]
    Type,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotText,
    /// An object would take more memory than any object of a real server.
    #[error("an object in it is too long")]
    TooLong,
}

/// The value of a field, as far as the encoding tells.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A number of four or eight bytes, which nothing that is read here has.
    Fixed,
}

impl<'a> Value<'a> {
    pub(super) fn number(self) -> Result<u64, Damage> {
        match self {
            Value::Number(number) => Ok(number),
            _ => Err(Damage::Type),
        }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], Damage> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Damage::Type),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damage::NotText)
    }

    fn borrowed(self) -> Result<Option<Text<'a>>, Damage> {
        Ok(Some(Text(Cow::Borrowed(self.text()?))))
    }

    /// A text that Kubernetes does not check: anyone who may write a Job can store bytes there that are not UTF-8. They
    /// must not spoil the list for everyone else.
    pub(super) fn lossy(self) -> Result<Option<Text<'a>>, Damage> {
        Ok(Some(Text(String::from_utf8_lossy(self.bytes()?))))
    }

    fn owned(self) -> Result<Option<String>, Damage> {
        Ok(Some(self.text()?.to_owned()))
    }

    pub(super) fn message<M: Message<'a>>(self) -> Result<M, Damage> {
        M::read(self.bytes()?)
    }
}

/// The fields of a message, one after the other.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and value; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Damage> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Damage::CutShort)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            // Groups, which Kubernetes never had.
            _ => return Err(Damage::Key),
        };
        match key >> 3 {
            0 => Err(Damage::Key),
            number => Ok(Some((number, value))),
        }
    }

    pub(super) fn varint(&mut self) -> Result<u64, Damage> {
        let mut number = 0;
        for (place, byte) in self.0.iter().enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.0 = &self.0[place + 1..];
                return Ok(number);
            }
            if place == 9 {
                return Err(Damage::Number);
            }
        }
        Err(Damage::CutShort)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damage::CutShort)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// A message that is put together field by field. A field that comes twice counts as it came last.
pub(super) trait Message<'a>: Default {
    /// Take a field, or step over it if it is of no use.
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage>;

    /// Read a whole message.
    fn read(bytes: &'a [u8]) -> Result<Self, Damage> {
        let mut message = Self::default();
        let mut fields = Fields(bytes);
        while let Some((field, value)) = fields.next()? {
            message.set(field, value)?;
        }
        Ok(message)
    }
}

/// `k8s.io/apimachinery/pkg/runtime.Unknown`: the envelope of every protobuf body.
#[derive(Default)]
pub(super) struct Unknown<'a> {
    pub(super) type_meta: TypeMeta,
    pub(super) raw: Option<&'a [u8]>,
}

impl<'a> Message<'a> for Unknown<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.type_meta = value.message()?,
            2 => self.raw = Some(value.bytes()?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for TypeMeta {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.api_version = value.owned()?,
            2 => self.kind = value.owned()?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for ListMeta {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            2 => self.resource_version = value.owned()?,
            3 => self.continue_token = value.owned()?,
            4 => self.remaining_item_count = Some(value.number()?.cast_signed()),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for JobList<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.metadata = value.message()?,
            2 => self.items.push(read_item(value.bytes()?)?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Job<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.metadata = Some(value.message()?),
            3 => self.status = Some(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for ObjectMeta<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.name = value.borrowed()?,
            2 => self.generate_name = value.lossy()?,
            3 => self.namespace = value.borrowed()?,
            5 => self.uid = value.borrowed()?,
            6 => self.resource_version = value.borrowed()?,
            8 => self.creation_timestamp = Some(value.message()?),
            9 => self.deletion_timestamp = Some(value.message()?),
            11 => self.labels.add(value.message()?),
            12 => self.annotations.add(value.message::<LossyEntry>()?.0),
            13 => self.owner_references.push(value.message()?),
            14 => self.finalizers.extend(value.lossy()?),
            _ => {}
        }
        Ok(())
    }
}

/// One entry of a map.
#[derive(Default)]
pub(super) struct Entry<'a> {
    pub(super) key: Option<Text<'a>>,
    pub(super) value: Option<Text<'a>>,
}

impl<'a> Message<'a> for Entry<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.key = value.borrowed()?,
            2 => self.value = value.borrowed()?,
            _ => {}
        }
        Ok(())
    }
}

/// One entry of a map whose texts are not checked, see [`Value::lossy`].
#[derive(Default)]
struct LossyEntry<'a>(Entry<'a>);

impl<'a> Message<'a> for LossyEntry<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.0.key = value.lossy()?,
            2 => self.0.value = value.lossy()?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Map<'a> {
    fn add(&mut self, entry: Entry<'a>) {
        let (key, value) = (entry.key, entry.value);
        self.0
            .push((key.unwrap_or_default(), value.unwrap_or_default()));
    }
}

impl<'a> Message<'a> for OwnerReference<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.kind = value.lossy()?,
            3 => self.name = value.lossy()?,
            4 => self.uid = value.lossy()?,
            6 => self.controller = Some(value.number()? != 0),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for JobStatus<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.conditions.push(value.message()?),
            2 => self.start_time = Some(value.message()?),
            3 => self.completion_time = Some(value.message()?),
            5 => self.succeeded = Some(value.number()? as i32),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for JobCondition<'a> {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.kind = value.lossy()?,
            2 => self.status = value.lossy()?,
            4 => self.last_transition_time = Some(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Time {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        if field == 1 {
            // Two's complement, as protobuf writes an int64.
            self.seconds = Some(value.number()?.cast_signed());
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Status {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        let text = |value: Value<'a>| Ok(value.lossy()?.map(|text| text.0.into_owned()));
        match field {
            2 => self.status = text(value)?,
            3 => self.message = text(value)?,
            4 => self.reason = text(value)?,
            5 => self.details = Some(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for StatusDetails {
    fn set(&mut self, field: u64, value: Value<'a>) -> Result<(), Damage> {
        match field {
            1 => self.name = value.owned()?,
            3 => self.kind = value.owned()?,
            6 => self.uid = value.owned()?,
            _ => {}
        }
        Ok(())
    }
}

/// Read a Job of a list, and name it if it cannot be read: among thousands, one that a tenant has stored must be found.
pub(super) fn read_listed(bytes: &[u8]) -> Result<Job<'_>, DecodeError> {
    read_item(bytes).map_err(|damage| match damage {
        Damage::NotText => DecodeError::NotText(full_name(bytes)),
        other => other.into(),
    })
}

/// Read a Job of a list, of which it is known how long it is.
fn read_item(bytes: &[u8]) -> Result<Job<'_>, Damage> {
    Ok(Job {
        size: size_of(bytes.len()),
        ..Job::read(bytes)?
    })
}

/// `NAMESPACE/NAME` of a Job, whatever bytes they hold.
fn full_name(job: &[u8]) -> String {
    let field = |bytes, wanted| {
        let mut fields = Fields(bytes);
        let mut found: &[u8] = &[];
        while let Ok(Some((field, value))) = fields.next() {
            if let (true, Ok(bytes)) = (field == wanted, value.bytes()) {
                found = bytes;
            }
        }
        found
    };
    let meta = field(job, 1);
    let text = |wanted| String::from_utf8_lossy(field(meta, wanted));
    format!("{}/{}", text(3), text(1))
}
