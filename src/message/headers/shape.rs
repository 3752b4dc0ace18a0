//! Shapes that many headers share: a word, a number or an address, and parameters behind it.

use super::super::params::Params;
use super::super::scan::{Cursor, ascii, digits_u32};
use super::super::value_error::{ValueError, ValueErrorKind};

/// `token *(;param)`.
pub(super) fn token(value: &[u8]) -> Result<(&str, Params<'_>), ValueError> {
    headed(value, |cursor| cursor.token())
}

/// `Call-ID *(;param)`: what stands before the first `;`.
pub(super) fn call_id(value: &[u8]) -> Result<(&str, Params<'_>), ValueError> {
    headed(value, |cursor| {
        let error = cursor.error(ValueErrorKind::Empty);
        let word = cursor.take_while(|b| b.is_ascii_graphic() && !matches!(b, b';' | b','));
        ascii(word).filter(|word| !word.is_empty()).ok_or(error)
    })
}

/// `1*DIGIT *(;param)`.
pub(super) fn seconds(value: &[u8]) -> Result<(u32, Params<'_>), ValueError> {
    headed(value, |cursor| {
        let start = *cursor;
        digits_u32(cursor.take_while(|b| b.is_ascii_digit())).map_err(|kind| start.error(kind))
    })
}

/// What `head` reads, and the parameters behind it.
pub(super) fn headed<'a, T>(
    value: &'a [u8],
    head: impl FnOnce(&mut Cursor<'a>) -> Result<T, ValueError>,
) -> Result<(T, Params<'a>), ValueError> {
    let mut cursor = Cursor::new(value);
    cursor.skip_lws();
    if cursor.is_at_end() {
        return Err(cursor.error(ValueErrorKind::Empty));
    }
    let head = head(&mut cursor)?;
    cursor.skip_lws();
    let params = Params::parse(cursor.rest()).map_err(|e| e.shifted(cursor.offset()))?;
    Ok((head, params))
}

/// A value that is a word with parameters: its type, reader, accessors and strict writer.
macro_rules! worded {
    ($(#[$doc:meta])* $type:ident by $read:path { $(#[$head_doc:meta])* $head:ident }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $type<'a> {
            $head: &'a str,
            params: Params<'a>,
        }

        impl<'a> $type<'a> {
            /// Reads a whole value.
            ///
            /// # Errors
            ///
            /// What is wrong, and where.
            pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
                let ($head, params) = $read(value)?;
                Ok(Self { $head, params })
            }

            $(#[$head_doc])*
            pub const fn $head(&self) -> &'a str {
                self.$head
            }

            /// The parameters.
            pub const fn params(&self) -> Params<'a> {
                self.params
            }

            /// Whether both have the same word and the same parameters in any order. Case does not
            /// count but in quoted strings (3261 7.3.1).
            pub fn equivalent(&self, other: &$type<'_>) -> bool {
                self.$head.eq_ignore_ascii_case(other.$head)
                    && self.params.equivalent(&other.params)
            }
        }

        impl Pieces for $type<'_> {
            fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
                out(self.$head.as_bytes());
                self.params.pieces(out);
            }
        }

        writes!($type<'_>);
        shape::debug!($type);
    };
}
pub(super) use worded;

/// A value that is an address whose parameters say more: its type, reader and strict writer.
macro_rules! addressed {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $type<'a> {
            address: NameAddr<'a>,
        }

        impl<'a> $type<'a> {
            /// Reads one value.
            ///
            /// # Errors
            ///
            /// What is wrong, and where.
            pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
                NameAddr::parse(value).map(|address| Self { address })
            }

            /// The address with all its parameters.
            pub const fn address(&self) -> NameAddr<'a> {
                self.address
            }
        }

        impl Pieces for $type<'_> {
            fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
                self.address.pieces(out);
            }
        }

        writes!($type<'_>);
        shape::debug!($type);
    };
}
pub(super) use addressed;

/// `Debug` as the type's name and what `Display` says.
macro_rules! debug {
    ($type:ident) => {
        impl core::fmt::Debug for $type<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }
    };
}
pub(super) use debug;
