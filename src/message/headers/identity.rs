//! Who calls, and who may know: Privacy, Identity.

use super::super::params::{Params, unquote};
use super::super::print::{Pieces, writes};
use super::super::scan::{Cursor, ascii, is_token, trim};
use super::super::uri::Uri;
use super::super::value_error::{ValueError, ValueErrorKind};
use super::shape;
use alloc::borrow::Cow;

/// Privacy: what the sender wants hidden, `id;critical` for example (3323 4.2).
///
/// ```
/// use drongo::message::Privacy;
///
/// let privacy = Privacy::parse(b"Header; id ;critical").unwrap();
/// assert!(privacy.contains("header") && privacy.contains("critical"));
/// assert_eq!(privacy.to_string(), "Header;id;critical");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Privacy<'a> {
    raw: &'a [u8],
}

impl<'a> Privacy<'a> {
    /// Reads a whole value. A comma separates as `;` does: it is often written so.
    ///
    /// # Errors
    ///
    /// [`Token`](ValueErrorKind::Token) at what is none.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let privacy = Self { raw: value };
        let mut at = 0_usize;
        for word in value.split(is_separator) {
            if !is_token(trim(word)) {
                return Err(ValueError::new(ValueErrorKind::Token, at));
            }
            at = at.saturating_add(word.len()).saturating_add(1);
        }
        Ok(privacy)
    }

    /// The words in order, as they came.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let words = self.raw.split(is_separator);
        words.filter_map(|word| ascii(trim(word)))
    }

    /// Whether this is among the words, without regard to case.
    pub fn contains(&self, word: &str) -> bool {
        self.iter().any(|other| other.eq_ignore_ascii_case(word))
    }
}

fn is_separator(b: &u8) -> bool {
    matches!(b, b';' | b',')
}

impl Pieces for Privacy<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        for (index, word) in self.iter().enumerate() {
            if index > 0 {
                out(b";");
            }
            out(word.as_bytes());
        }
    }
}

writes!(Privacy<'_>);
shape::debug!(Privacy);

/// Identity: a signature over who calls, and where its certificate is (8224 4).
///
/// ```
/// use drongo::message::Identity;
///
/// let identity = Identity::parse(b"eyJh.eyJk.sig;info=<https://cert.example.org/p.cer>;alg=ES256").unwrap();
/// assert_eq!(&*identity.signature(), b"eyJh.eyJk.sig");
/// assert_eq!(identity.info().unwrap().as_bytes(), b"https://cert.example.org/p.cer");
/// assert_eq!(identity.params().get("alg").unwrap().value, Some(&b"ES256"[..]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity<'a> {
    signature: &'a [u8],
    info: Option<Uri<'a>>,
    params: Params<'a>,
}

impl<'a> Identity<'a> {
    /// Reads one value. The form of RFC 4474, a quoted string alone, is read too.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value);
        cursor.skip_lws();
        let error = cursor.error(ValueErrorKind::Token);
        let signature = if cursor.peek() == Some(b'"') {
            cursor.quoted()?
        } else {
            let signed = cursor.take_while(|b| b.is_ascii_alphanumeric() || b"-_.+/=".contains(&b));
            Some(signed).filter(|s| !s.is_empty()).ok_or(error)?
        };
        cursor.skip_lws();
        let info = info(&mut cursor)?;
        let params = Params::parse(cursor.rest()).map_err(|e| e.shifted(cursor.offset()))?;
        Ok(Self {
            signature,
            info,
            params,
        })
    }

    /// The signature without quotes; a PASSporT, in full or in its compact form.
    pub fn signature(&self) -> Cow<'a, [u8]> {
        unquote(self.signature)
    }

    /// `info`, if it is the first parameter, as it must be: where the certificate is.
    pub const fn info(&self) -> Option<Uri<'a>> {
        self.info
    }

    /// The other parameters: `alg`, `ppt`.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }
}

/// `;info=<URI>`, which may hold `;` and `,`; nothing is taken if it is something else.
fn info<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Uri<'a>>, ValueError> {
    let mut ahead = *cursor;
    if !ahead.eat(b';') {
        return Ok(None);
    }
    ahead.skip_lws();
    if !ahead
        .take_while(|b| b.is_ascii_alphanumeric())
        .eq_ignore_ascii_case(b"info")
    {
        return Ok(None);
    }
    ahead.skip_lws();
    let equal = ahead.eat(b'=');
    ahead.skip_lws();
    let open = ahead.error(ValueErrorKind::Angle);
    if !equal || !ahead.eat(b'<') {
        return Err(open);
    }
    let base = ahead.offset();
    let raw = ahead.take_while(|b| b != b'>');
    if !ahead.eat(b'>') {
        return Err(open);
    }
    ahead.skip_lws();
    *cursor = ahead;
    Uri::parse(trim(raw)).map(Some).map_err(|e| e.shifted(base))
}

impl Pieces for Identity<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        super::super::print::unfolded(self.signature, out);
        if let Some(info) = self.info {
            out(b";info=<");
            out(info.as_bytes());
            out(b">");
        }
        self.params.pieces(out);
    }
}

writes!(Identity<'_>);
shape::debug!(Identity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privacy_is_a_list_of_words() {
        assert!(Privacy::parse(b"none").unwrap().contains("NONE"));
        assert_eq!(
            Privacy::parse(b"id, header").unwrap().to_string(),
            "id;header"
        );
        for wrong in ["", "id;", ";id", "id header", "id;;user"] {
            assert!(Privacy::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_identity_says_where_its_certificate_is() {
        let text = "sig==;info=<https://a.example/x;y,z>;alg=RS256;ppt=shaken";
        let identity = Identity::parse(text.as_bytes()).unwrap();
        assert_eq!(
            identity.info().unwrap().as_bytes(),
            b"https://a.example/x;y,z"
        );
        assert_eq!(identity.to_string(), text);
        let old = Identity::parse(b"\"CyI4+nAkHrH3ntmaxgr01TMxTmtjP7MASwliNRdupRI=\"").unwrap();
        assert_eq!((old.info(), old.signature().len()), (None, 44));
        for wrong in ["", ";info=<a:b>", "sig;info=a:b", "sig;info=<a:b", "a b"] {
            assert!(Identity::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
