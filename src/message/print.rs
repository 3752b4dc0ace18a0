//! Writing values: one description of the bytes serves both the exact writer and `Display`.

use core::fmt;

/// A value as the pieces of its strict form.
pub(crate) trait Pieces {
    /// Hands over the pieces in order. A piece never ends inside a character.
    fn pieces(&self, out: &mut dyn FnMut(&[u8]));
}

/// Formats numbers and addresses as pieces.
pub(crate) struct AsFmt<'f>(pub(crate) &'f mut dyn FnMut(&[u8]));

impl fmt::Write for AsFmt<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        (self.0)(s.as_bytes());
        Ok(())
    }
}

/// Pieces as text; bytes that are not UTF-8 come out as U+FFFD.
pub(crate) fn display(value: &dyn Pieces, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut result = Ok(());
    value.pieces(&mut |piece| {
        for chunk in piece.utf8_chunks() {
            if result.is_ok() {
                result = f.write_str(chunk.valid());
            }
            if result.is_ok() && !chunk.invalid().is_empty() {
                result = f.write_str("\u{fffd}");
            }
        }
    });
    result
}

/// Raw text with each fold as one space: a value is written on one line.
pub(crate) fn unfolded(raw: &[u8], out: &mut dyn FnMut(&[u8])) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        let blank = |b: &u8| super::scan::is_space(*b);
        let end = head
            .iter()
            .rposition(|b| !blank(b))
            .map_or(0, |n| n.saturating_add(1));
        out(head.get(..end).unwrap_or(head));
        out(b" ");
        let skip = tail.iter().position(|b| !blank(b)).unwrap_or(tail.len());
        rest = tail.get(skip..).unwrap_or(&[]);
    }
    out(rest);
}

/// Gives a type with [`Pieces`] its `write_to` and `Display`.
macro_rules! writes {
    ($type:ty) => {
        impl $type {
            /// Appends the strict form, byte for byte.
            pub fn write_to(&self, out: &mut impl bytes::BufMut) {
                $crate::message::print::Pieces::pieces(self, &mut |piece| out.put_slice(piece));
            }
        }

        /// The strict form; bytes that are not UTF-8 come out as U+FFFD, so write a message with
        /// `write_to`.
        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                $crate::message::print::display(self, f)
            }
        }
    };
}
pub(crate) use writes;
