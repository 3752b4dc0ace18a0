//! Reading a value from left to right: byte classes and a cursor. Nothing here looks at a byte
//! more than a fixed number of times.

use super::plain;
use super::value_error::{ValueError, ValueErrorKind};

/// Sets of bytes; each is a bit of [`CLASSES`].
pub(crate) mod class {
    /// `token` of 3261 25.1.
    pub(crate) const TOKEN: u8 = 1;
    /// What may stand in the name of a URI parameter, once its bytes are checked.
    pub(crate) const URI_NAME: u8 = 2;
    /// What may stand in a value without quotes, beyond ASCII too.
    pub(crate) const VALUE: u8 = 4;
    /// `unreserved` of 3261 25.1.
    pub(crate) const UNRESERVED: u8 = 8;
    /// What is read in a user part or a password, beyond the grammar too; not `%`.
    pub(crate) const USER: u8 = 16;
    /// What is read in the parameters of a URI, beyond the grammar too; not `%`.
    pub(crate) const URI_PARAMS: u8 = 32;
    /// What is read in the headers of a URI, beyond the grammar too; not `%`.
    pub(crate) const URI_HEADERS: u8 = 64;
}

/// The classes of each byte.
static CLASSES: [u8; 256] = classes();

/// Whether the byte is in the class.
#[expect(clippy::indexing_slicing, reason = "there is an entry for every byte")]
#[inline]
pub(crate) const fn is(b: u8, class: u8) -> bool {
    CLASSES[b as usize] & class != 0
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when compiling, where a slip is an error"
)]
const fn classes() -> [u8; 256] {
    let mut classes = [0_u8; 256];
    let mut b = 0_u8;
    loop {
        let alphanumeric = b.is_ascii_alphanumeric();
        let visible = b.is_ascii_graphic() || b >= 0x80;
        let mark = matches!(
            b,
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')'
        );
        let user = visible && !matches!(b, b'<' | b'>' | b'"' | b'@' | b'%');
        let token = matches!(
            b,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        );
        let uri_params = matches!(
            b,
            b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$' | b';' | b'='
        ) || matches!(b, b'{' | b'}' | b'|' | b'^' | b'`');
        let sets = [
            (alphanumeric || token, class::TOKEN),
            (
                b.is_ascii_graphic() && !matches!(b, b';' | b'='),
                class::URI_NAME,
            ),
            (visible && !matches!(b, b';' | b'"' | b','), class::VALUE),
            (alphanumeric || mark, class::UNRESERVED),
            (user, class::USER),
            (
                alphanumeric || mark || uri_params || b >= 0x80,
                class::URI_PARAMS,
            ),
            (user && b != b'#', class::URI_HEADERS),
        ];
        let mut i = 0_usize;
        while i < sets.len() {
            if sets[i].0 {
                classes[b as usize] |= sets[i].1;
            }
            i = i.wrapping_add(1);
        }
        if b == u8::MAX {
            return classes;
        }
        b = b.wrapping_add(1);
    }
}

pub(crate) fn is_token_byte(b: u8) -> bool {
    is(b, class::TOKEN)
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && plain::is_all(bytes, plain::set::TOKEN)
}

/// SP, HTAB and the two bytes of a fold.
pub(crate) const fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// Visible ASCII, or a byte of something beyond ASCII.
pub(crate) const fn is_visible(b: u8) -> bool {
    b.is_ascii_graphic() || b >= 0x80
}

/// Without white space at both ends.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let Some((&b, rest)) = bytes.split_first() {
        if !is_space(b) {
            break;
        }
        bytes = rest;
    }
    while let Some((&b, rest)) = bytes.split_last() {
        if !is_space(b) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// ASCII bytes as text; `None` if one of them is not ASCII.
pub(crate) fn ascii(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        core::str::from_utf8(bytes).ok()
    } else {
        None
    }
}

/// Decimal digits only. `Number` if there is another byte or none, `Overflow` past `u64`.
pub(crate) fn digits(bytes: &[u8]) -> Result<u64, ValueErrorKind> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return Err(ValueErrorKind::Number);
    }
    let mut n = 0_u64;
    for &b in bytes {
        let digit = u64::from(b.wrapping_sub(b'0'));
        n = n
            .checked_mul(10)
            .and_then(|n| n.checked_add(digit))
            .ok_or(ValueErrorKind::Overflow)?;
    }
    Ok(n)
}

/// The digits of a `u32`.
pub(crate) fn digits_u32(bytes: &[u8]) -> Result<u32, ValueErrorKind> {
    u32::try_from(digits(bytes)?).map_err(|_| ValueErrorKind::Overflow)
}

/// Where `part` begins inside `whole`, by length: `part` must be a tail of `whole`.
const fn offset_of_tail(whole: &[u8], tail: &[u8]) -> usize {
    whole.len().saturating_sub(tail.len())
}

/// A place in a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(whole: &'a [u8]) -> Self {
        Self { whole, rest: whole }
    }

    pub(crate) const fn offset(&self) -> usize {
        offset_of_tail(self.whole, self.rest)
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) const fn error(&self, kind: ValueErrorKind) -> ValueError {
        ValueError::new(kind, self.offset())
    }

    /// Takes `n` bytes, or all that are left.
    pub(crate) fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, tail) = self.rest.split_at_checked(n).unwrap_or((self.rest, &[]));
        self.rest = tail;
        head
    }

    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&b, rest)) if b == byte => {
                self.rest = rest;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes bytes as long as they are in the class.
    pub(crate) fn take_class(&mut self, class: u8) -> &'a [u8] {
        self.take_while(|b| is(b, class))
    }

    pub(crate) fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a [u8] {
        let n = self
            .rest
            .iter()
            .position(|&b| !keep(b))
            .unwrap_or(self.rest.len());
        self.take(n)
    }

    /// Skips linear white space: SP, HTAB, and CR LF where white space follows. A line break on
    /// its own is not skipped, so it can never be smuggled into a value.
    pub(crate) fn skip_lws(&mut self) {
        loop {
            match self.rest {
                [b' ' | b'\t', rest @ ..] | [b'\r', b'\n', rest @ ..]
                    if is_fold_or_space(self.rest) =>
                {
                    self.rest = rest
                }
                _ => return,
            }
        }
    }

    /// A token, or an error where it should begin.
    pub(crate) fn token(&mut self) -> Result<&'a str, ValueError> {
        let error = self.error(ValueErrorKind::Token);
        let token = self.take_class(class::TOKEN);
        if token.is_empty() {
            Err(error)
        } else {
            ascii(token).ok_or(error)
        }
    }

    /// A quoted string with its quotes; the cursor stands on the opening one.
    pub(crate) fn quoted(&mut self) -> Result<&'a [u8], ValueError> {
        let start = *self;
        let error = self.error(ValueErrorKind::Quote);
        if !self.eat(b'"') {
            return Err(error);
        }
        loop {
            self.take_while(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0));
            match self.rest {
                [b'"', ..] => {
                    self.take(1);
                    let n = offset_of_tail(start.rest, self.rest);
                    return start.rest.get(..n).ok_or(error);
                }
                [b'\\', b'\r' | b'\n', ..] => return Err(self.error(ValueErrorKind::Quote)),
                [b'\\', _, ..] => {
                    self.take(2);
                }
                [b'\r', b'\n', b' ' | b'\t', ..] => {
                    self.take(3);
                }
                _ => return Err(error),
            }
        }
    }
}

fn is_fold_or_space(bytes: &[u8]) -> bool {
    matches!(bytes, [b' ' | b'\t', ..] | [b'\r', b'\n', b' ' | b'\t', ..])
}
