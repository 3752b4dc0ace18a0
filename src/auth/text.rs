//! What stands between quotes, and headers made of it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::message::unquote;

/// The most bytes of a realm, nonce or opaque that are kept. Real ones have under 600.
const MAX_BYTES: usize = 4096;

/// A realm: the name of a protection space. Realms compare byte for byte (RFC 7616 3.3).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Realm(Box<[u8]>);

impl Realm {
    /// A realm from what it says, without quotes.
    pub fn new(realm: impl AsRef<[u8]>) -> Self {
        Self(realm.as_ref().into())
    }

    /// What it says.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A quoted string that a peer sent, kept as it came: a peer that does not undo escapes gets back
/// what it sent, byte for byte, while digests are made from what it says (RFC 7616 3.4.5).
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Quoted(Box<[u8]>);

impl Quoted {
    /// From the value of a parameter, with its quotes or without. `None` if it is too long or
    /// cannot stand on a line.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let inner = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        let raw = match inner {
            Some(inner) if memchr::memchr2(b'\r', b'\n', inner).is_none() => inner.to_vec(),
            Some(_) | None => escaped(&unquote(value)),
        };
        let fits = raw.len() <= MAX_BYTES && is_one_line(&raw);
        fits.then(|| Self(raw.into()))
    }

    /// From what it says. `None` as for [`read`](Self::read).
    pub(super) fn of(plain: &[u8]) -> Option<Self> {
        let raw = escaped(plain);
        let fits = raw.len() <= MAX_BYTES && is_one_line(&raw);
        fits.then(|| Self(raw.into()))
    }

    /// As it stands between the quotes.
    pub(super) fn raw(&self) -> &[u8] {
        &self.0
    }

    /// What it says.
    pub(super) fn plain(&self) -> Cow<'_, [u8]> {
        if self.0.contains(&b'\\') {
            Cow::Owned(unquote(&[b"\"", &*self.0, b"\""].concat()).into_owned())
        } else {
            Cow::Borrowed(&self.0)
        }
    }
}

impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Whether the text can stand in a header.
pub(super) fn is_one_line(text: &[u8]) -> bool {
    !text.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))
}

/// The value of a header: a scheme perhaps, then `name=value` pairs with commas between.
pub(super) struct Pairs {
    text: Vec<u8>,
    first: bool,
}

impl Pairs {
    /// Of the scheme Digest.
    pub(super) fn digest() -> Self {
        Self {
            text: b"Digest ".to_vec(),
            first: true,
        }
    }

    /// Without a scheme.
    pub(super) fn bare() -> Self {
        Self {
            text: Vec::new(),
            first: true,
        }
    }

    /// A pair whose value stands between quotes, from what it says.
    pub(super) fn quoted(self, name: &str, plain: impl AsRef<[u8]>) -> Self {
        let raw = escaped(plain.as_ref());
        self.quoted_raw(name, &raw)
    }

    /// A pair whose value stands between quotes, from what stands there.
    pub(super) fn quoted_raw(mut self, name: &str, raw: &[u8]) -> Self {
        self.name(name);
        self.text.push(b'"');
        self.text.extend_from_slice(raw);
        self.text.push(b'"');
        self
    }

    /// A pair whose value is a token.
    pub(super) fn token(mut self, name: &str, token: &str) -> Self {
        self.name(name);
        self.text.extend_from_slice(token.as_bytes());
        self
    }

    /// What `more` adds if there is a value.
    pub(super) fn maybe<T>(self, value: Option<T>, more: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => more(self, value),
            None => self,
        }
    }

    /// The value.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.text
    }

    fn name(&mut self, name: &str) {
        if !self.first {
            self.text.extend_from_slice(b", ");
        }
        self.first = false;
        self.text.extend_from_slice(name.as_bytes());
        self.text.push(b'=');
    }
}

fn escaped(plain: &[u8]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(plain.len());
    for &byte in plain {
        if matches!(byte, b'"' | b'\\') {
            raw.push(b'\\');
        }
        raw.push(byte);
    }
    raw
}
