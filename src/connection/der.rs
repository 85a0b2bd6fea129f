//! Certificates and keys in DER, read as far as rustls does not say what is to be known of them: whether a certificate is
//! valid now and for servers, whether it may sign others, and what kind of key it holds.
//!
//! Nothing here checks a signature.

use jiff::civil::DateTime;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const BOOLEAN: u8 = 0x01;
/// `[0]` of a certificate or a key, and `[3]` of a certificate.
const TAGGED_0: u8 = 0xa0;
const TAGGED_3: u8 = 0xa3;

/// Object identifiers, as they stand in DER.
mod oid {
    pub(crate) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    pub(crate) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    pub(crate) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    pub(crate) const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    pub(crate) const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
    pub(crate) const P224: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x21];
    pub(crate) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    pub(crate) const ED448: &[u8] = &[0x2b, 0x65, 0x71];
    pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
    pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
    pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
    pub(crate) const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
    /// The last of these is a byte that differs: `ecdsa-with-SHA256` is 2, `-SHA384` 3, `-SHA512` 4.
    pub(crate) const ECDSA_WITH_SHA2: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    pub(crate) const ECDSA_WITH_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
    pub(crate) const RSA_WITH_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05];
    pub(crate) const RSA_WITH_MD5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04];
}

/// Reads values one after the other.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value with its tag.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, value))
    }

    /// The next value, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (_, value) = ahead.next().filter(|(found, _)| *found == tag)?;
        *self = ahead;
        Some(value)
    }

    /// The next value, into which to read on.
    fn enter(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.take(tag).map(Reader)
    }
}

/// What a certificate says of itself. That it says so truly is for others to check.
pub struct Certificate<'a> {
    /// 1 to 3.
    pub version: u8,
    pub issuer: &'a [u8],
    pub subject: &'a [u8],
    /// In seconds since 1970.
    not_before: i64,
    not_after: i64,
    /// The SubjectPublicKeyInfo, without its tag and length.
    key: &'a [u8],
    /// `BasicConstraints`: whether it may sign others; `None` if it does not say.
    may_sign: Option<bool>,
    /// `ExtKeyUsage`, if it says.
    purposes: Option<Vec<&'a [u8]>>,
}

impl<'a> Certificate<'a> {
    /// Read one; `None` if it is not a certificate.
    pub fn parse(der: &'a [u8]) -> Option<Certificate<'a>> {
        let mut signed = Reader(der).enter(SEQUENCE)?.enter(SEQUENCE)?;
        let version = match signed.enter(TAGGED_0) {
            Some(mut version) => match version.take(INTEGER)? {
                [number @ 0..=2] => number + 1,
                _ => return None,
            },
            None => 1,
        };
        signed.take(INTEGER)?;
        signed.take(SEQUENCE)?;
        let issuer = signed.take(SEQUENCE)?;
        let mut validity = signed.enter(SEQUENCE)?;
        let subject = signed.take(SEQUENCE)?;
        let key = signed.take(SEQUENCE)?;
        let mut certificate = Certificate {
            version,
            issuer,
            subject,
            not_before: time(validity.next()?)?,
            not_after: time(validity.next()?)?,
            key,
            may_sign: None,
            purposes: None,
        };
        // Unique identifiers may stand before the extensions.
        while let Some((tag, value)) = signed.next() {
            if tag == TAGGED_3 {
                certificate.extend(Reader(value).enter(SEQUENCE)?)?;
            }
        }
        Some(certificate)
    }

    fn extend(&mut self, mut extensions: Reader<'a>) -> Option<()> {
        while let Some((_, extension)) = extensions.next() {
            let mut extension = Reader(extension);
            let id = extension.take(OID)?;
            extension.take(BOOLEAN);
            let mut value = Reader(extension.take(OCTET_STRING)?);
            if id == oid::BASIC_CONSTRAINTS {
                let may_sign = value.enter(SEQUENCE)?.take(BOOLEAN);
                self.may_sign = Some(may_sign.is_some_and(|value| value != [0]));
            } else if id == oid::EXTENDED_KEY_USAGE {
                let mut purposes = value.enter(SEQUENCE)?;
                let found = self.purposes.get_or_insert_default();
                while let Some(purpose) = purposes.take(OID) {
                    found.push(purpose);
                }
            }
        }
        Some(())
    }

    /// When it is good at this moment: in order, or not yet, or no longer.
    pub fn validity(&self, now: i64) -> Validity {
        if now < self.not_before {
            Validity::NotYet
        } else if now > self.not_after {
            Validity::Over
        } else {
            Validity::Good
        }
    }

    /// Whether its key may sign other certificates. What has no such extension yet, before version 3, may.
    pub fn may_sign(&self) -> bool {
        self.may_sign.unwrap_or(self.version < 3)
    }

    /// Whether it is meant for servers, or for nothing in particular.
    pub fn is_for_servers(&self) -> bool {
        let is_for_them = |purpose: &&[u8]| [oid::SERVER_AUTH, oid::ANY_PURPOSE].contains(purpose);
        let purposes = self.purposes.as_ref();
        purposes.is_none_or(|purposes| purposes.iter().any(is_for_them))
    }

    /// The public key itself, without what kind it is.
    pub fn public_key(&self) -> Option<&'a [u8]> {
        public_key(self.key)
    }

    /// The kind of its key.
    pub fn key_kind(&self) -> KeyKind {
        let mut info = Reader(self.key);
        let algorithm = info.enter(SEQUENCE);
        let key = info.take(BIT_STRING).and_then(|bits| bits.get(1..));
        let rsa = || {
            let modulus = Reader(key?).enter(SEQUENCE)?.take(INTEGER);
            modulus.map(bits)
        };
        kind(algorithm, rsa)
    }
}

/// Whether a moment is within a certificate's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    Good,
    NotYet,
    Over,
}

/// The key within the content of a SubjectPublicKeyInfo.
fn public_key(info: &[u8]) -> Option<&[u8]> {
    let mut info = Reader(info);
    info.take(SEQUENCE)?;
    info.take(BIT_STRING)
}

/// The key within a whole SubjectPublicKeyInfo.
pub fn key_of_info(info: &[u8]) -> Option<&[u8]> {
    public_key(Reader(info).take(SEQUENCE)?)
}

/// A moment in seconds since 1970.
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (tag, text.len()) {
        (UTC_TIME, 12) => {
            let year: i16 = text[..2].parse().ok()?;
            let century = if year < 50 { 2000 } else { 1900 };
            (century + year, &text[2..])
        }
        (GENERALIZED_TIME, 14) => (text[..4].parse().ok()?, &text[4..]),
        _ => return None,
    };
    let part = |at: usize| rest[at..at + 2].parse::<i8>().ok();
    let (month, day) = (part(0)?, part(2)?);
    let (hour, minute, second) = (part(4)?, part(6)?, part(8)?);
    let moment = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    Some(moment.duration_since(epoch).as_secs())
}

/// How a private key is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    Pkcs8,
    /// Of RSA.
    Pkcs1,
    /// Of an elliptic curve.
    Sec1,
}

/// Tell the forms of private keys apart, whatever name they go by in PEM.
pub fn key_form(der: &[u8]) -> Option<KeyForm> {
    let mut key = Reader(der).enter(SEQUENCE)?;
    key.take(INTEGER)?;
    match key.next()?.0 {
        SEQUENCE => Some(KeyForm::Pkcs8),
        INTEGER => Some(KeyForm::Pkcs1),
        OCTET_STRING => Some(KeyForm::Sec1),
        _ => None,
    }
}

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA of this many bits.
    Rsa(usize),
    /// On this curve.
    Curve(&'static str),
    /// None that is known here.
    Unknown,
}

impl KeyKind {
    /// That of a private key.
    pub fn of_private(der: &[u8]) -> KeyKind {
        let fields = || {
            let mut key = Reader(der).enter(SEQUENCE)?;
            key.take(INTEGER)?;
            Some(key)
        };
        let Some(mut key) = fields() else {
            return KeyKind::Unknown;
        };
        match key_form(der) {
            Some(KeyForm::Pkcs1) => key
                .take(INTEGER)
                .map_or(KeyKind::Unknown, |modulus| KeyKind::Rsa(bits(modulus))),
            Some(KeyForm::Pkcs8) => {
                let algorithm = key.enter(SEQUENCE);
                let rsa = || {
                    let mut key = Reader(key.take(OCTET_STRING)?).enter(SEQUENCE)?;
                    key.take(INTEGER)?;
                    key.take(INTEGER).map(bits)
                };
                kind(algorithm, rsa)
            }
            Some(KeyForm::Sec1) => {
                key.take(OCTET_STRING);
                let curve = key.enter(TAGGED_0).and_then(|mut curve| curve.take(OID));
                curve.map_or(KeyKind::Unknown, named_curve)
            }
            None => KeyKind::Unknown,
        }
    }

    /// The kind in words.
    pub fn words(self) -> String {
        match self {
            KeyKind::Rsa(bits) => format!("an RSA key of {bits} bits"),
            KeyKind::Curve(curve) => format!("a key on the curve {curve}"),
            KeyKind::Unknown => "a key of an unknown kind".to_owned(),
        }
    }
}

fn kind(algorithm: Option<Reader<'_>>, rsa: impl FnOnce() -> Option<usize>) -> KeyKind {
    let Some(mut algorithm) = algorithm else {
        return KeyKind::Unknown;
    };
    match algorithm.take(OID) {
        Some(oid::RSA) => rsa().map_or(KeyKind::Unknown, KeyKind::Rsa),
        Some(oid::EC) => algorithm.take(OID).map_or(KeyKind::Unknown, named_curve),
        Some(oid::ED25519) => KeyKind::Curve("Ed25519"),
        Some(oid::ED448) => KeyKind::Curve("Ed448"),
        _ => KeyKind::Unknown,
    }
}

fn named_curve(id: &[u8]) -> KeyKind {
    match id {
        oid::P224 => KeyKind::Curve("P-224"),
        oid::P256 => KeyKind::Curve("P-256"),
        oid::P384 => KeyKind::Curve("P-384"),
        oid::P521 => KeyKind::Curve("P-521"),
        _ => KeyKind::Unknown,
    }
}

/// The length of a number.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = &number[zeros..];
    number
        .first()
        .map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// The kind of key that an AlgorithmIdentifier, without its tag and length, names.
pub fn key_kind_of_algorithm(algorithm: &[u8]) -> KeyKind {
    kind(Some(Reader(algorithm)), || None)
}

/// The name of a signature's algorithm, if it is one that people meet.
pub fn signature_name(algorithm: &[u8]) -> Option<&'static str> {
    match Reader(algorithm).take(OID)? {
        [sha2 @ .., hash] if sha2 == oid::ECDSA_WITH_SHA2 => match hash {
            1 => Some("ECDSA with SHA-224"),
            2 => Some("ECDSA with SHA-256"),
            3 => Some("ECDSA with SHA-384"),
            4 => Some("ECDSA with SHA-512"),
            _ => None,
        },
        oid::ECDSA_WITH_SHA1 => Some("ECDSA with SHA-1"),
        oid::RSA_WITH_SHA1 => Some("RSA with SHA-1"),
        oid::RSA_WITH_MD5 => Some("RSA with MD5"),
        _ => None,
    }
}
