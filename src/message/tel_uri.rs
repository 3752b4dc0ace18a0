//! `tel:` URIs (3966).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::fmt::Write as _;

use super::escape::escape_user;
use super::host::Host;
use super::params::{Param, Params};
use super::print::{Pieces, writes};
use super::scan::ascii;
use super::uri::UriBuf;
use super::value_error::{ValueError, ValueErrorKind};

/// A `tel:` URI: a global number with `+`, or a local one with its `phone-context`.
///
/// Equality and hash are over the bytes; [`equivalent`](Self::equivalent) compares by 3966 4.
///
/// ```
/// use drongo::message::TelUri;
///
/// let a = TelUri::parse(b"tel:+1-201-555-0123").unwrap();
/// let b = TelUri::parse(b"tel:+12015550123").unwrap();
/// assert!(a.is_global());
/// assert!(a != b && a.equivalent(&b));
/// ```
#[derive(Clone, Copy)]
pub struct TelUri<'a> {
    raw: &'a [u8],
    number: &'a str,
    params: Params<'a>,
}

impl<'a> TelUri<'a> {
    /// Reads a whole URI.
    ///
    /// # Errors
    ///
    /// [`Scheme`](ValueErrorKind::Scheme) for another scheme,
    /// [`Telephone`](ValueErrorKind::Telephone) for a number without digits, a local one without
    /// context, or `isub` together with `ext`; or what is wrong with the parameters.
    pub fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        let (scheme, rest) = raw.split_at_checked(4).unwrap_or((raw, &[]));
        if !scheme.eq_ignore_ascii_case(b"tel:") {
            return Err(ValueError::new(ValueErrorKind::Scheme, 0));
        }
        let number_len = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let (number, params) = rest.split_at_checked(number_len).unwrap_or((rest, &[]));
        let error = ValueError::new(ValueErrorKind::Telephone, 4);
        let number = ascii(number)
            .filter(|number| is_number(number))
            .ok_or(error)?;
        let params_at = number_len.saturating_add(4);
        let params =
            Params::parse_uri_with(params, |_| Ok(())).map_err(|e| e.shifted(params_at))?;
        let uri = Self {
            raw,
            number,
            params,
        };
        // RFC 3261 19.1.6 has a context of another form with a global number, where it says nothing.
        let without_context = !uri.is_global() && !uri.context().is_some_and(is_context);
        if without_context || (params.contains("isub") && params.contains("ext")) {
            return Err(error);
        }
        Ok(uri)
    }

    /// The whole URI as it came.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The number as it came, with its `+` and its visual separators.
    pub const fn number(&self) -> &'a str {
        self.number
    }

    /// The digits of the number, without `+` and visual separators. A local number may have `A` to
    /// `F`, `*` and `#` among them.
    pub fn digits(&self) -> impl Iterator<Item = char> + use<'a> {
        self.number
            .chars()
            .filter(|c| !is_separator(*c) && *c != '+')
    }

    /// Whether the number begins with `+`.
    pub fn is_global(&self) -> bool {
        self.number.starts_with('+')
    }

    /// `phone-context`: a domain, or the beginning of a global number. It says where a local number
    /// is valid; it is not a prefix to put before it.
    pub fn context(&self) -> Option<&'a str> {
        self.params.str("phone-context")
    }

    /// The parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// A parameter that must be understood and is not known to this crate: its name begins with
    /// `m-`. A URI that has one is not to be used (3966 5.4).
    pub fn unknown_mandatory(&self) -> Option<&'a str> {
        let mandatory = |name: &str| name.get(..2).is_some_and(|m| m.eq_ignore_ascii_case("m-"));
        self.params
            .iter()
            .map(|param| param.name)
            .find(|name| mandatory(name))
    }

    /// Whether both are the same number by 3966 4: case and visual separators do not count, and
    /// every parameter must be in both.
    pub fn equivalent(&self, other: &TelUri<'_>) -> bool {
        self.is_global() == other.is_global()
            && same_digits(self.number, other.number)
            && params_in(self.params, other.params)
            && params_in(other.params, self.params)
    }
}

impl TelUri<'_> {
    /// The same number as the user part of a SIP URI at `host`, by 3261 19.1.6: the whole number
    /// with its parameters, in lower case, `isub`, `ext` and `postd` before the others, those in the
    /// order of their names, and `user=phone`. Allocates.
    ///
    /// ```
    /// use drongo::message::{Host, TelUri};
    ///
    /// let tel = TelUri::parse(b"tel:+358-555-1234567;POSTD=pp22").unwrap();
    /// let sip = tel.to_sip(Host::Name("foo.com"));
    /// assert_eq!(sip.to_string(), "sip:+358-555-1234567;postd=pp22@foo.com;user=phone");
    /// ```
    pub fn to_sip(&self, host: Host<'_>) -> UriBuf {
        let rank = |param: &Param<'_>| match param.name.to_ascii_lowercase().as_str() {
            "isub" => 0_u8,
            "ext" => 1,
            "postd" => 2,
            _ => 3,
        };
        let mut params: Vec<Param<'_>> = self.params.iter().collect();
        params.sort_by_cached_key(|param| (rank(param), param.name.to_ascii_lowercase()));
        let mut user = Vec::from(self.number);
        for param in params {
            param.write_to(&mut user);
        }
        user.make_ascii_lowercase();
        // What is escaped already stays as it is.
        let mut text = String::from("sip:");
        for part in user.split_inclusive(|&b| b == b'%') {
            let (part, percent) = match part.strip_suffix(b"%") {
                Some(part) => (part, "%"),
                None => (part, ""),
            };
            text.push_str(&escape_user(part));
            text.push_str(percent);
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "@{host};user=phone");
        UriBuf::from_checked(text.into_bytes().into())
    }
}

impl PartialEq for TelUri<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for TelUri<'_> {}

impl core::hash::Hash for TelUri<'_> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

impl Pieces for TelUri<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        out(self.raw);
    }
}

writes!(TelUri<'_>);

impl fmt::Debug for TelUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TelUri({})", self.raw.escape_ascii())
    }
}

const fn is_separator(c: char) -> bool {
    matches!(c, '-' | '.' | '(' | ')')
}

fn is_number(number: &str) -> bool {
    let (digits, local) = match number.strip_prefix('+') {
        Some(digits) => (digits, false),
        None => (number, true),
    };
    let is_digit = |c: char| {
        c.is_ascii_digit() || (local && (c.is_ascii_hexdigit() || matches!(c, '*' | '#')))
    };
    digits.contains(is_digit) && digits.chars().all(|c| is_separator(c) || is_digit(c))
}

/// `+` and digits, or a domain name (3966 5.1.5).
fn is_context(context: &str) -> bool {
    if context.starts_with('+') {
        is_number(context)
    } else {
        matches!(Host::parse(context.as_bytes()), Ok(Host::Name(_)))
    }
}

fn same_digits(a: &str, b: &str) -> bool {
    let plain = |c: &char| !is_separator(*c);
    let fold = |c: char| c.to_ascii_lowercase();
    a.chars()
        .filter(plain)
        .map(fold)
        .eq(b.chars().filter(plain).map(fold))
}

fn params_in(a: Params<'_>, b: Params<'_>) -> bool {
    a.iter().all(|param| {
        b.get(param.name)
            .is_some_and(|other| same_param(&param, &other))
    })
}

fn same_param(a: &Param<'_>, b: &Param<'_>) -> bool {
    let is_number = a.name.eq_ignore_ascii_case("ext")
        || (a.name.eq_ignore_ascii_case("phone-context")
            && a.value.is_some_and(|value| value.starts_with(b"+")));
    match (a.value, b.value) {
        (Some(_), Some(_)) if is_number => match (a.value_str(), b.value_str()) {
            (Some(a), Some(b)) => same_digits(a, b),
            (Some(_) | None, _) => false,
        },
        (Some(a), Some(b)) => super::escape::same_folded(a, b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tel(text: &str) -> TelUri<'_> {
        TelUri::parse(text.as_bytes()).expect(text)
    }

    fn kind(text: &str) -> ValueErrorKind {
        TelUri::parse(text.as_bytes()).expect_err(text).kind
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // 3966-6-01, 3966-6-02, 3966-6-03
        assert!(tel("tel:+1-201-555-0123").is_global());
        assert_eq!(
            tel("tel:7042;phone-context=example.com").context(),
            Some("example.com")
        );
        let local = tel("tel:863-1234;phone-context=+1-914-555");
        assert_eq!(
            (local.is_global(), local.context()),
            (false, Some("+1-914-555"))
        );
        assert_eq!(local.digits().collect::<String>(), "8631234");
    }

    #[test]
    fn a_number_has_digits_and_a_local_one_a_context() {
        // 3966-3-01, 3966-3-05, 3966-3-06, 3966-3-07, 3966-5.1-03
        for text in [
            "tel:+", "tel:+-", "tel:", "tel:+12A", "tel:+*1", "tel:7042", "tel:+1 2",
        ] {
            assert_eq!(kind(text), ValueErrorKind::Telephone, "{text}");
        }
        assert_eq!(tel("tel:*#06#Ab;phone-context=+1").number(), "*#06#Ab");
    }

    #[test]
    fn a_parameter_occurs_once_and_isub_excludes_ext() {
        // 3966-3-02, 3966-5.3-01
        assert_eq!(kind("tel:+1;a=1;A=2"), ValueErrorKind::DuplicateParam);
        assert_eq!(kind("tel:+1;isub=1;ext=2"), ValueErrorKind::Telephone);
    }

    #[test]
    fn comparison_follows_its_own_rules() {
        // 3966-4-01, 3966-4-02, 3966-4-03, 3966-4-04, 3966-4-05, 3966-4-06
        let same = [
            ("tel:+1-(201)-555.0123", "TEL:+12015550123"),
            (
                "tel:ab1;phone-context=EXAMPLE.com",
                "tel:AB1;phone-context=example.com",
            ),
            ("tel:1;phone-context=+1-914", "tel:1;phone-context=+1914"),
            ("tel:+1;ext=12-34", "tel:+1;ext=1234"),
            ("tel:+1;b=1;a=2", "tel:+1;A=2;B=1"),
        ];
        let different = [
            ("tel:+12015550123", "tel:12015550123;phone-context=+1"),
            ("tel:+1", "tel:+2"),
            ("tel:+1;ext=12", "tel:+1;ext=13"),
            ("tel:1;phone-context=+1", "tel:1;phone-context=+2"),
            ("tel:+1", "tel:+1;x=1"),
            ("tel:+1;x=1", "tel:+1;x=2"),
            ("tel:1;phone-context=a-b.com", "tel:1;phone-context=ab.com"),
        ];
        for (a, b) in same {
            assert!(
                tel(a).equivalent(&tel(b)) && tel(b).equivalent(&tel(a)),
                "{a} {b}"
            );
        }
        for (a, b) in different {
            assert!(
                !tel(a).equivalent(&tel(b)) && !tel(b).equivalent(&tel(a)),
                "{a} {b}"
            );
        }
    }

    #[test]
    fn a_number_becomes_the_user_part_of_a_sip_uri() {
        // 3261-19.1.6-01, 3261-19.1.6-02, 3261-19.1.6-03, 3261-19.1.6-04, 3261-19.1.1-11
        let sip = |text: &'static str| {
            let sip = tel(text).to_sip(Host::Name("foo.com"));
            assert!(sip.as_uri().as_sip().is_some(), "{text}");
            sip.to_string()
        };
        let first = "sip:+358-555-1234567;postd=pp22@foo.com;user=phone";
        assert_eq!(sip("tel:+358-555-1234567;postd=pp22"), first);
        assert_eq!(sip("tel:+358-555-1234567;POSTD=PP22"), first);
        assert_eq!(
            sip("tel:+358-555-1234567;tsp=a.b;phone-context=5"),
            "sip:+358-555-1234567;phone-context=5;tsp=a.b@foo.com;user=phone"
        );
        assert_eq!(
            sip("tel:+1;a=1;EXT=2;b"),
            "sip:+1;ext=2;a=1;b@foo.com;user=phone"
        );
        assert_eq!(
            sip("tel:*#06#;phone-context=+1;x=[:%41"),
            "sip:*%2306%23;phone-context=+1;x=%5B%3A%41@foo.com;user=phone"
        );
    }

    #[test]
    fn equality_and_hash_are_over_the_bytes() {
        use core::hash::{BuildHasher as _, BuildHasherDefault};

        let hasher = BuildHasherDefault::<siphasher::sip::SipHasher13>::default();
        let hash = |text| hasher.hash_one(tel(text));
        assert_eq!(hash("tel:+1-2"), hash("tel:+1-2"));
        assert_ne!(hash("tel:+1-2"), hash("tel:+12"));
        assert_ne!(tel("tel:+1-2"), tel("tel:+12"));
    }

    #[test]
    fn a_mandatory_parameter_is_told() {
        assert_eq!(tel("tel:+1;x=1;m-new=2").unknown_mandatory(), Some("m-new"));
        assert_eq!(tel("tel:+1;mm-new=2").unknown_mandatory(), None);
    }
}
