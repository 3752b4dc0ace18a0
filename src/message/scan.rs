//! Reading a value from left to right: byte classes and a cursor. Nothing here looks at a byte
//! more than a fixed number of times.

use super::value_error::{ValueError, ValueErrorKind};

/// `token` of 3261 25.1.
pub(crate) const fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
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
        let token = self.take_while(is_token_byte);
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
