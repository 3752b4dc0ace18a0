//! Parameters: the `;name=value` tails of header values and of URIs.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use super::escape::{Unit, Units, check_part, same_folded};
use super::plain::small_hash;
use super::print::{Pieces, unfolded, writes};
use super::scan::{Cursor, ascii, class, is_space};
use super::value_error::{ValueError, ValueErrorKind};
use crate::limits::Limits;

/// The most parameters that one value may have.
pub const MAX_PARAMS: usize = Limits::DEFAULT.params;

/// The parameters of a header value or of a URI, as they came.
///
/// A name occurs once: a value in which one occurs twice is refused (3261 7.3.1, 19.1.1). Equality
/// and hash are over the bytes.
///
/// ```
/// use drongo::message::Params;
///
/// let params = Params::parse(b";Tag=a; text=\"x;y\" ;lr").unwrap();
/// assert_eq!(params.get("tag").unwrap().value, Some(&b"a"[..]));
/// assert_eq!(&*params.get("text").unwrap().unquoted().unwrap(), b"x;y");
/// assert_eq!(params.get("LR").unwrap().value, None);
/// assert!(Params::parse(b";tag=a;TAG=b").is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Params<'a> {
    raw: &'a [u8],
    /// In a URI, `%` begins an escape; in a header, it is a letter like any other.
    in_uri: bool,
}

/// One parameter. It is written with its `;`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a parameter is a name and perhaps a value"
)]
pub struct Param<'a> {
    /// The name as it came. Names compare without case.
    pub name: &'a str,
    /// The value as it came, with its quotes if it has them.
    pub value: Option<&'a [u8]>,
}

impl<'a> Params<'a> {
    /// No parameters.
    pub const EMPTY: Self = Self {
        raw: &[],
        in_uri: false,
    };

    /// Reads the parameters of a header value: everything from the first `;`, or nothing.
    ///
    /// White space around `;` and `=` is accepted. Names are tokens; a value is a quoted string or
    /// a run of visible bytes, beyond ASCII too.
    ///
    /// # Errors
    ///
    /// [`Param`](ValueErrorKind::Param), [`Quote`](ValueErrorKind::Quote),
    /// [`DuplicateParam`](ValueErrorKind::DuplicateParam),
    /// [`TooManyParams`](ValueErrorKind::TooManyParams), or
    /// [`Unexpected`](ValueErrorKind::Unexpected).
    pub fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        Self::parse_with(raw, |_| Ok(()))
    }

    /// As [`parse`](Self::parse), and shows each parameter to `see`, which may refuse it.
    pub(crate) fn parse_with(
        raw: &'a [u8],
        see: impl FnMut(&Param<'a>) -> Result<(), ValueErrorKind>,
    ) -> Result<Self, ValueError> {
        let params = Self { raw, in_uri: false };
        params.check(see)?;
        Ok(params)
    }

    /// The parameters of a header, which have been read.
    pub(crate) const fn of_header(raw: &'a [u8]) -> Self {
        Self { raw, in_uri: false }
    }

    /// The parameters of a URI, which have been read.
    pub(crate) const fn of_uri(raw: &'a [u8]) -> Self {
        Self { raw, in_uri: true }
    }

    /// Reads the parameters of a URI, in which white space and quotes have no place, and shows each
    /// to `see`, which may refuse it.
    pub(crate) fn parse_uri_with(
        raw: &'a [u8],
        see: impl FnMut(&Param<'a>) -> Result<(), ValueErrorKind>,
    ) -> Result<Self, ValueError> {
        check_part(raw, 0, class::URI_PARAMS)?;
        let params = Self { raw, in_uri: true };
        params.check(see)?;
        Ok(params)
    }

    /// The bytes as they came, from the first `;`.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether there is no parameter.
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The parameters in order.
    pub const fn iter(&self) -> ParamIter<'a> {
        ParamIter {
            cursor: Cursor::new(self.raw),
            names: self.names(),
        }
    }

    /// The parameter of that name, without regard to case.
    pub fn get(&self, name: &str) -> Option<Param<'a>> {
        // To find out that there are none costs more in the iterator.
        match self.is_empty() {
            true => None,
            false => self.iter().find(|param| self.is_named(param, name)),
        }
    }

    /// Whether there is a parameter of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value of the parameter of that name, as text.
    pub(crate) fn str(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.value_str()
    }

    /// Whether both have the same names with the same values, in any order. Names compare without
    /// case; so do values, but for quoted ones (3261 7.3.1).
    pub fn equivalent(&self, other: &Params<'_>) -> bool {
        let all_in = |a: &Params<'_>, b: &Params<'_>| {
            a.iter().all(|param| {
                b.get(param.name)
                    .is_some_and(|other| param.same_value(&other))
            })
        };
        all_in(self, other) && all_in(other, self)
    }

    /// Whether the parameters that both have are equal; one in only one of them does not count.
    pub(crate) fn agree(&self, other: &Params<'_>) -> bool {
        self.iter().all(|param| {
            other
                .get(param.name)
                .is_none_or(|theirs| param.same_value(&theirs))
        })
    }

    /// The class of bytes in a name.
    const fn names(&self) -> u8 {
        if self.in_uri {
            class::URI_NAME
        } else {
            class::TOKEN
        }
    }

    pub(crate) fn is_named(&self, param: &Param<'_>, name: &str) -> bool {
        param.name.eq_ignore_ascii_case(name)
            || (self.in_uri
                && (param.name.contains('%') || name.contains('%'))
                && same_folded(param.name.as_bytes(), name.as_bytes()))
    }

    /// Reads all parameters once, and refuses what `see` refuses and duplicates.
    fn check(
        &self,
        mut see: impl FnMut(&Param<'a>) -> Result<(), ValueErrorKind>,
    ) -> Result<(), ValueError> {
        let mut cursor = Cursor::new(self.raw);
        let mut seen = 0_u64;
        let mut may_repeat = false;
        for _ in 0..=MAX_PARAMS {
            cursor.skip_lws();
            if cursor.is_at_end() {
                return if may_repeat {
                    self.check_duplicates()
                } else {
                    Ok(())
                };
            }
            let start = cursor;
            let param = next_param(&mut cursor, self.names())?;
            see(&param).map_err(|kind| start.error(kind))?;
            let bit = 1_u64 << small_hash(param.name.as_bytes()).unwrap_or(0);
            may_repeat |= seen & bit != 0 || (self.in_uri && param.name.contains('%'));
            seen |= bit;
        }
        Err(cursor.error(ValueErrorKind::TooManyParams))
    }

    /// Looks for names that occur twice; asked only if the small hashes leave it open. It sorts, so
    /// that no choice of names makes it slow.
    fn check_duplicates(&self) -> Result<(), ValueError> {
        let mut names = [""; MAX_PARAMS];
        let mut count = 0_usize;
        for (slot, param) in names.iter_mut().zip(self.iter()) {
            *slot = param.name;
            count = count.saturating_add(1);
        }
        let names = names.get_mut(..count).unwrap_or(&mut []);
        names.sort_unstable_by(|a, b| self.compare_names(a, b));
        let distinct = names.is_sorted_by(|a, b| self.compare_names(a, b).is_lt());
        if distinct {
            Ok(())
        } else {
            Err(ValueError::new(ValueErrorKind::DuplicateParam, 0))
        }
    }

    fn compare_names(&self, a: &str, b: &str) -> Ordering {
        if self.in_uri {
            let folded = |name| Units(name).map(Unit::folded);
            folded(a.as_bytes()).cmp(folded(b.as_bytes()))
        } else {
            let folded = |b: u8| b.to_ascii_lowercase();
            a.bytes().map(folded).cmp(b.bytes().map(folded))
        }
    }
}

impl<'a> Param<'a> {
    /// The value as text, if it is ASCII; with its quotes if it has them.
    pub fn value_str(&self) -> Option<&'a str> {
        self.value.and_then(ascii)
    }

    /// Whether the values are equal: without case, but for quoted ones.
    fn same_value(&self, other: &Param<'_>) -> bool {
        match (self.value, other.value) {
            (Some(a), Some(b)) if a.starts_with(b"\"") => a == b,
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// The value without quotes and escapes.
    pub fn unquoted(&self) -> Option<Cow<'a, [u8]>> {
        self.value.map(unquote)
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = Param<'a>;
    type IntoIter = ParamIter<'a>;

    fn into_iter(self) -> ParamIter<'a> {
        self.iter()
    }
}

/// The parameters of a value, in order.
#[derive(Clone, Debug)]
pub struct ParamIter<'a> {
    cursor: Cursor<'a>,
    names: u8,
}

impl<'a> Iterator for ParamIter<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        // The whole was read once without error when the value was parsed.
        self.cursor.skip_lws();
        next_param(&mut self.cursor, self.names).ok()
    }
}

/// What a quoted string says: without the quotes, escapes undone, each fold one space. Other
/// values come back as they are. Allocates only if there is an escape or a fold.
///
/// ```
/// use drongo::message::unquote;
///
/// assert_eq!(&*unquote(br#""J \"R\" \\""#), br#"J "R" \"#);
/// assert_eq!(&*unquote(b"token"), b"token");
/// ```
pub fn unquote(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = raw
        .strip_prefix(b"\"")
        .and_then(|raw| raw.strip_suffix(b"\""))
    else {
        return Cow::Borrowed(raw);
    };
    let Some(first) = memchr::memchr3(b'\\', b'\r', b'\n', inner) else {
        return Cow::Borrowed(inner);
    };
    let (head, mut rest) = inner.split_at_checked(first).unwrap_or((inner, &[]));
    let mut text = Vec::with_capacity(inner.len());
    text.extend_from_slice(head);
    loop {
        rest = match rest {
            [] => return Cow::Owned(text),
            [b'\\', b, tail @ ..] => {
                text.push(*b);
                tail
            }
            [b'\r' | b'\n', tail @ ..] => {
                text.push(b' ');
                let blank = tail
                    .iter()
                    .position(|&b| !is_space(b))
                    .unwrap_or(tail.len());
                tail.get(blank..).unwrap_or(&[])
            }
            [b, tail @ ..] => {
                text.push(*b);
                tail
            }
        };
    }
}

/// `;name` or `;name=value`, with a name of that class; the cursor stands on the `;`.
fn next_param<'a>(cursor: &mut Cursor<'a>, names: u8) -> Result<Param<'a>, ValueError> {
    if !cursor.eat(b';') {
        return Err(cursor.error(ValueErrorKind::Unexpected));
    }
    cursor.skip_lws();
    let error = cursor.error(ValueErrorKind::Param);
    let name = cursor.take_class(names);
    // Both classes of names are ASCII.
    let name = core::str::from_utf8(name).ok();
    let name = name.filter(|name| !name.is_empty()).ok_or(error)?;
    cursor.skip_lws();
    if !cursor.eat(b'=') {
        return Ok(Param { name, value: None });
    }
    cursor.skip_lws();
    let error = cursor.error(ValueErrorKind::Param);
    let value = if cursor.peek() == Some(b'"') {
        cursor.quoted()?
    } else {
        cursor.take_class(class::VALUE)
    };
    if value.is_empty() {
        Err(error)
    } else {
        Ok(Param {
            name,
            value: Some(value),
        })
    }
}

impl Pieces for Params<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        for param in self.iter() {
            param.pieces(out);
        }
    }
}

impl Pieces for Param<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        out(b";");
        out(self.name.as_bytes());
        if let Some(value) = self.value {
            out(b"=");
            unfolded(value, out);
        }
    }
}

writes!(Param<'_>);

writes!(Params<'_>);

impl fmt::Debug for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Params({})", self.raw.escape_ascii())
    }
}

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{}={}", self.name, value.escape_ascii()),
            None => f.write_str(self.name),
        }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "numbers of the test itself")]
mod tests {
    use super::*;

    fn kind(raw: &[u8]) -> ValueErrorKind {
        Params::parse(raw).unwrap_err().kind
    }

    #[test]
    fn values_are_tokens_hosts_quoted_strings_or_absent() {
        // 3261-25.1-17, 3261-25.1-18, 3261-25.1-07, 3261-25.1-11
        let params =
            Params::parse(b";lr ; a = b;h=[2001:db8::1]:5060\r\n ;q=\"x;y=,<z>\\\"\";z=\"\"")
                .unwrap();
        let names: Vec<_> = params.iter().map(|param| param.name).collect();
        assert_eq!(names, ["lr", "a", "h", "q", "z"]);
        assert_eq!(params.get("A").unwrap().value, Some(&b"b"[..]));
        assert_eq!(
            params.get("h").unwrap().value_str(),
            Some("[2001:db8::1]:5060")
        );
        assert_eq!(
            &*params.get("q").unwrap().unquoted().unwrap(),
            b"x;y=,<z>\""
        );
        assert_eq!(&*params.get("z").unwrap().unquoted().unwrap(), b"");
        assert_eq!(
            params.to_string(),
            ";lr;a=b;h=[2001:db8::1]:5060;q=\"x;y=,<z>\\\"\";z=\"\""
        );
    }

    #[test]
    fn a_name_occurs_once_whatever_its_case() {
        // 3261-7.3.1-14, 3261-7.3.1-15
        assert_eq!(kind(b";Tag=a;tag=b"), ValueErrorKind::DuplicateParam);
        assert_eq!(kind(b";a;b;c;d;e;A"), ValueErrorKind::DuplicateParam);
        // These have the same small hash and are not the same name.
        assert_eq!(small_hash(b"acb"), small_hash(b"axb"));
        assert!(Params::parse(b";acb;axb").is_ok());
        assert_eq!(kind(b";acb;axb;ACB"), ValueErrorKind::DuplicateParam);
    }

    #[test]
    fn empty_parameters_and_values_are_malformed() {
        // 3261-25.1-19, 3261-25.1-20
        for raw in [
            &b";"[..],
            b";;a",
            b";a;",
            b";a;;b",
            b";=b",
            b";a=",
            b";a= ;b",
            b";a=,",
            b";\"a\"",
        ] {
            assert_eq!(kind(raw), ValueErrorKind::Param, "{}", raw.escape_ascii());
        }
        for raw in [
            &b"a"[..],
            b";a b",
            b";a=b c",
            b";a,b",
            b";a=\"b\"c",
            b";a=b\"c\"",
            b";a\0",
        ] {
            assert_eq!(
                kind(raw),
                ValueErrorKind::Unexpected,
                "{}",
                raw.escape_ascii()
            );
        }
    }

    #[test]
    fn a_quoted_string_ends_with_its_own_quote() {
        // 3261-25.1-09
        for raw in [
            &b";a=\""[..],
            b";a=\"b",
            b";a=\"b\\\"",
            b";a=\"\r\nb\"",
            b";a=\"\\\r\"",
        ] {
            assert_eq!(kind(raw), ValueErrorKind::Quote, "{}", raw.escape_ascii());
        }
        assert!(Params::parse(b";a=\"\\\0\"").is_ok());
    }

    #[test]
    fn bytes_beyond_ascii_are_kept() {
        // 3261-25.1-13
        let params = Params::parse(b";x=\"\xff\xc3\xa9\";y=\xe9").unwrap();
        assert_eq!(
            params.get("x").unwrap().value,
            Some(&b"\"\xff\xc3\xa9\""[..])
        );
        let mut out = Vec::new();
        params.write_to(&mut out);
        assert_eq!(out, b";x=\"\xff\xc3\xa9\";y=\xe9");
    }

    #[test]
    fn a_percent_sign_in_a_header_parameter_is_a_letter() {
        // 3261-25.1-02
        assert!(!Params::parse(b";%6Cr").unwrap().contains("lr"));
        let twice = Params::parse_uri_with(b";l%61;%6Ca", |_| Ok(())).unwrap_err();
        assert_eq!(twice.kind, ValueErrorKind::DuplicateParam);
        assert!(
            Params::parse_uri_with(b";%6Cr", |_| Ok(()))
                .unwrap()
                .contains("lr")
        );
    }

    #[test]
    fn unquoting_undoes_escapes_once_and_folds() {
        // 3261-25.1-12
        assert_eq!(&*unquote(br#""\\\"\\n""#), br#"\"\n"#);
        assert_eq!(&*unquote(b"\"a\r\n\t b\""), b"a b");
        assert!(matches!(unquote(b"\"plain\""), Cow::Borrowed(b"plain")));
        assert_eq!(&*unquote(b"\""), b"\"");
    }

    #[test]
    fn no_more_parameters_than_the_limit() {
        let row = |n: usize| (0..n).map(|i| format!(";p{i}")).collect::<String>();
        assert!(Params::parse(row(MAX_PARAMS).as_bytes()).is_ok());
        assert_eq!(
            kind(row(MAX_PARAMS + 1).as_bytes()),
            ValueErrorKind::TooManyParams
        );
    }

    #[test]
    fn equivalence_ignores_order_and_the_case_of_what_is_not_quoted() {
        // 3261-7.3.1-17, 3261-7.3.1-18
        let same = |a: &[u8], b: &[u8]| {
            let (a, b) = (Params::parse(a).unwrap(), Params::parse(b).unwrap());
            assert_eq!(a.equivalent(&b), b.equivalent(&a));
            a.equivalent(&b)
        };
        assert!(same(b";a=B;c", b";C;A=b"));
        assert!(!same(b";a=\"B\"", b";a=\"b\""));
        assert!(!same(b";a", b";a=1"));
        assert!(!same(b";a", b";a;b"));
        assert!(!same(b";a", b";b"));
    }
}
