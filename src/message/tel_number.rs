//! Writing `tel:` URIs (RFC 3966).

use alloc::string::String;
use alloc::vec::Vec;

use super::escape::{escape_where, is_unreserved};
use super::uri::UriBuf;
use super::{TelUri, ValueError, ValueErrorKind};

/// A telephone number to be written as a `tel:` URI: what must come first comes first, and what
/// must be escaped is (3966 3).
///
/// ```
/// use drongo::message::TelNumber;
///
/// let uri = TelNumber::global("+1-201-555-0123")?.param("tsp", Some("a+b")).ext("7042").build()?;
/// assert_eq!(uri.to_string(), "tel:+1-201-555-0123;ext=7042;tsp=a%2Bb");
/// let uri = TelNumber::local("7042", "example.com")?.build()?;
/// assert_eq!(uri.to_string(), "tel:7042;phone-context=example.com");
/// # Ok::<(), drongo::message::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TelNumber {
    number: String,
    /// `isub` or `ext`.
    first: Option<(&'static str, String)>,
    context: Option<String>,
    params: Vec<(String, Option<String>)>,
}

impl TelNumber {
    /// A number that is the same everywhere: `+`, country code, national number. The form to write
    /// whenever a number has one (3966 5.1.4).
    ///
    /// # Errors
    ///
    /// [`Telephone`](ValueErrorKind::Telephone) if it is not `+`, digits and visual separators.
    pub fn global(number: &str) -> Result<Self, ValueError> {
        match number.starts_with('+') {
            true => Self::new(number, None),
            false => Err(ValueError::new(ValueErrorKind::Telephone, 0)),
        }
    }

    /// A number that is valid only in `context`: a domain name, or the beginning of a global
    /// number. For one that has no global form, as an extension or a service number (3966 5.1.5).
    ///
    /// # Errors
    ///
    /// [`Telephone`](ValueErrorKind::Telephone) if it begins with `+`, has no digit, or the context
    /// is neither of the two.
    pub fn local(number: &str, context: &str) -> Result<Self, ValueError> {
        match number.starts_with('+') {
            true => Err(ValueError::new(ValueErrorKind::Telephone, 0)),
            false => Self::new(number, Some(context)),
        }
    }

    fn new(number: &str, context: Option<&str>) -> Result<Self, ValueError> {
        let number = Self {
            number: number.into(),
            first: None,
            context: context.map(Into::into),
            params: Vec::new(),
        };
        number.build()?;
        Ok(number)
    }

    /// Adds an extension, in place of an ISDN subaddress.
    #[must_use]
    pub fn ext(mut self, digits: &str) -> Self {
        self.first = Some(("ext", digits.into()));
        self
    }

    /// Adds an ISDN subaddress, in place of an extension.
    #[must_use]
    pub fn isub(mut self, address: &str) -> Self {
        self.first = Some(("isub", address.into()));
        self
    }

    /// Adds another parameter, its value not escaped yet.
    #[must_use]
    pub fn param(mut self, name: &str, value: Option<&str>) -> Self {
        self.params.push((name.into(), value.map(Into::into)));
        self
    }

    /// The URI.
    ///
    /// # Errors
    ///
    /// [`Telephone`](ValueErrorKind::Telephone), [`Token`](ValueErrorKind::Token) or
    /// [`DuplicateParam`](ValueErrorKind::DuplicateParam) for what no `tel:` URI may hold.
    pub fn build(&self) -> Result<UriBuf, ValueError> {
        let mut text = String::from("tel:");
        text.push_str(&self.number);
        if let Some((name, value)) = &self.first {
            push(&mut text, name, Some(value));
        }
        if let Some(context) = &self.context {
            // Its `+` is a delimiter, and nothing else in it needs an escape.
            text.push_str(";phone-context=");
            text.push_str(context);
        }
        let mut params: Vec<_> = self.params.iter().collect();
        params.sort_by_cached_key(|(name, _)| name.to_ascii_lowercase());
        for (name, value) in params {
            let reserved = ["isub", "ext", "phone-context"];
            let is_name = !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !reserved.iter().any(|own| own.eq_ignore_ascii_case(name));
            if !is_name {
                return Err(ValueError::new(ValueErrorKind::Token, text.len()));
            }
            push(&mut text, name, value.as_deref());
        }
        let read = TelUri::parse(text.as_bytes())?;
        let (first, context) = (self.first.as_ref(), self.context.as_deref());
        let is_extension = |value: &str| {
            let mut digits = value.bytes().filter(|b| !b"-.()".contains(b)).peekable();
            digits.peek().is_some() && digits.all(|b| b.is_ascii_digit())
        };
        let wrong = first.is_some_and(|(name, value)| match *name {
            "ext" => !is_extension(value),
            _ => value.is_empty(),
        });
        if wrong || read.number() != self.number || read.context() != context {
            return Err(ValueError::new(ValueErrorKind::Telephone, 4));
        }
        Ok(UriBuf::from_checked(text.into_bytes().into()))
    }
}

/// A parameter. In its value `+ ; = ?` would be delimiters (3966 3).
fn push(text: &mut String, name: &str, value: Option<&str>) {
    text.push(';');
    text.push_str(name);
    if let Some(value) = value {
        let plain = |b| is_unreserved(b) || b"[]/:&$".contains(&b);
        text.push('=');
        text.push_str(&escape_where(value.as_bytes(), plain));
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn text(number: TelNumber) -> String {
        let uri = number.build().unwrap();
        let read = TelUri::parse(uri.as_bytes()).unwrap();
        assert!(matches!(uri.as_uri(), crate::message::Uri::Tel(tel) if tel == read));
        uri.to_string()
    }

    #[test]
    fn parameters_come_in_the_order_of_the_rfc() {
        // 3966-3-03
        let local = TelNumber::local("7042", "+1-914-555").unwrap();
        let number = local.param("Tsp", Some("x")).param("a", None).isub("12");
        assert_eq!(
            text(number),
            "tel:7042;isub=12;phone-context=+1-914-555;a;Tsp=x"
        );
        let number = TelNumber::global("+1(201)555.0123").unwrap();
        let number = number.param("b", Some("2")).param("a", Some("1"));
        assert_eq!(
            text(number.ext("3-4")),
            "tel:+1(201)555.0123;ext=3-4;a=1;b=2"
        );
    }

    #[test]
    fn delimiters_are_escaped_in_values_only() {
        // 3966-3-04
        let number = TelNumber::global("+1").unwrap();
        let number = number.isub("a+b").param("x", Some("a;b=c?d+e%[/:&$]~"));
        assert_eq!(
            text(number),
            "tel:+1;isub=a%2Bb;x=a%3Bb%3Dc%3Fd%2Be%25[/:&$]~"
        );
    }

    #[test]
    fn local_number_has_a_context_and_a_global_one_a_plus() {
        // 3966-5.1-01, 3966-5.1-02
        for (number, context) in [
            ("7042", ""),
            ("7042", "+"),
            ("7042", "a b"),
            ("7042", "x;y=z"),
            ("+17042", "+1"),
            ("", "+1"),
            ("1;ext=2", "+1"),
        ] {
            assert!(
                TelNumber::local(number, context).is_err(),
                "{number} {context}"
            );
        }
        for number in ["12015550123", "+", "+12A", "+1;x=y", "+1 2"] {
            assert!(TelNumber::global(number).is_err(), "{number}");
        }
    }

    #[test]
    fn what_no_uri_may_hold_is_refused() {
        let number = || TelNumber::global("+1").unwrap();
        for wrong in [
            number().ext("12x"),
            number().ext(""),
            number().isub(""),
            number().param("", None),
            number().param("a=b", None),
            number().param("ext", Some("1")),
            number().param("phone-context", Some("+1")),
            number().param("a", None).param("A", None),
        ] {
            assert!(wrong.build().is_err(), "{wrong:?}");
        }
    }
}
