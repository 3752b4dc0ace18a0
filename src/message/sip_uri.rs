//! `sip:` and `sips:` URIs (3261 19.1).

use core::fmt;
use core::net::Ipv4Addr;

use super::escape::{check_part, same, same_folded};
use super::host::Host;
use super::params::{MAX_PARAMS, Param, Params};
use super::plain::{self, PlainHost};
use super::print::{Pieces, writes};
use super::scan::{class, digits};
use super::uri::UriBuf;
use super::value_error::{ValueError, ValueErrorKind};

/// A `sip:` or `sips:` URI: `sip:user:password@host:port;params?headers`.
///
/// It is kept and written as it came: nothing is decoded and encoded again. Equality and hash are
/// over the bytes, because the equivalence of RFC 3261 is not transitive and cannot serve as a
/// key; for that, ask [`equivalent`](Self::equivalent).
///
/// ```
/// use drongo::message::{Host, SipUri};
///
/// let uri = SipUri::parse(b"sip:alice;day=tuesday@atlanta.com;transport=tcp").unwrap();
/// assert_eq!(uri.user(), Some(&b"alice;day=tuesday"[..]));
/// assert_eq!(uri.host(), Host::Name("atlanta.com"));
/// assert_eq!(uri.transport(), Some("tcp"));
/// ```
#[derive(Clone, Copy)]
pub struct SipUri<'a> {
    raw: &'a [u8],
    secure: bool,
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    /// Its text is made when it is asked for.
    host: PlainHost<'a>,
    port: Option<u16>,
    params: Params<'a>,
    headers: Option<&'a [u8]>,
}

impl<'a> SipUri<'a> {
    /// Reads a whole URI.
    ///
    /// Beyond the grammar, a user part may hold any visible byte that does not end it (`#` of a
    /// feature code, text beyond ASCII).
    ///
    /// # Errors
    ///
    /// [`Scheme`](ValueErrorKind::Scheme) for another scheme, or what is wrong and where.
    #[inline]
    pub fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        match Self::plain(raw) {
            Some(uri) => Ok(uri),
            None => Self::parse_any(raw),
        }
    }

    /// The URI, if it is of the common form.
    #[inline]
    pub(crate) fn plain(raw: &'a [u8]) -> Option<Self> {
        let (uri, rest) = Self::plain_front(raw)?;
        rest.is_empty().then_some(uri)
    }

    /// The URI of the common form that the text begins with, and what is behind it, which may be
    /// anything but the begin of something that belongs to the URI.
    #[inline]
    pub(crate) fn plain_front(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (uri, rest) = PlainUri::scan(text)?;
        let raw = text.get(..text.len().saturating_sub(rest.len()))?;
        let uri = Self {
            raw,
            secure: uri.secure,
            user: uri.user,
            password: None,
            host: uri.host,
            port: uri.port,
            params: Params::of_uri(uri.params),
            headers: None,
        };
        Some((uri, rest))
    }

    /// The IPv4 address and the port of `sip:user@address:port`; of nothing that has more to it.
    #[inline]
    pub(crate) fn address(text: &[u8]) -> Option<(Ipv4Addr, Option<u16>)> {
        match scheme(text)? {
            (false, rest) => plain::v4_port(user(rest)?.1),
            (true, _) => None,
        }
    }

    /// Whether the front of the text, of that length, is a URI, and of the common form.
    pub(crate) fn is_plain(text: &[u8], len: usize) -> bool {
        Self::behind_plain(text).is_some_and(|rest| plain::has_read(text, len, rest))
    }

    /// What is behind the URI of the common form that the text begins with; see
    /// [`plain_front`](Self::plain_front).
    #[inline(always)]
    pub(crate) fn behind_plain(text: &[u8]) -> Option<&[u8]> {
        let (secure, rest) = scheme(text)?;
        let (_, host) = user(rest)?;
        plain_params(plain::behind_host_port(host)?, secure)
    }

    pub(super) fn parse_any(raw: &'a [u8]) -> Result<Self, ValueError> {
        let colon = memchr::memchr(b':', raw).unwrap_or(raw.len());
        let (scheme, rest) = raw.split_at_checked(colon).unwrap_or((raw, &[]));
        let secure = scheme.eq_ignore_ascii_case(b"sips");
        let Some(rest) = rest
            .get(1..)
            .filter(|_| secure || scheme.eq_ignore_ascii_case(b"sip"))
        else {
            return Err(ValueError::new(ValueErrorKind::Scheme, 0));
        };
        let tail_at = |tail: &[u8]| raw.len().saturating_sub(tail.len());

        let (user, password, rest) = split_userinfo(rest, tail_at(rest))?;
        let host_len = rest
            .iter()
            .position(|b| matches!(b, b';' | b'?'))
            .unwrap_or(rest.len());
        let (host_port, tail) = rest.split_at_checked(host_len).unwrap_or((rest, &[]));
        let (host, port) = parse_host_port(host_port).map_err(|e| e.shifted(tail_at(rest)))?;

        let params_len = memchr::memchr(b'?', tail).unwrap_or(tail.len());
        let (params, headers) = tail.split_at_checked(params_len).unwrap_or((tail, &[]));
        let params = Params::parse_uri_with(params, |param| check_param(param, secure))
            .map_err(|e| e.shifted(tail_at(tail)))?;
        let headers = headers.get(1..);
        if let Some(headers) = headers {
            check_headers(headers, tail_at(headers))?;
        }
        Ok(Self {
            raw,
            secure,
            user,
            password,
            host: PlainHost::of(host),
            port,
            params,
            headers,
        })
    }

    /// The whole URI as it came.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether the scheme is `sips`: TLS on each hop.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The user part as it came, escapes included.
    pub const fn user(&self) -> Option<&'a [u8]> {
        self.user
    }

    /// The password as it came. An empty one is not the same as none.
    pub const fn password(&self) -> Option<&'a [u8]> {
        self.password
    }

    /// The host.
    pub const fn host(&self) -> Host<'a> {
        self.host.host()
    }

    /// The port, if it is written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The URI parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// What follows the `?`, as it came.
    pub const fn headers(&self) -> Option<&'a [u8]> {
        self.headers
    }

    /// The `name=value` pairs after the `?`, as they came. The name `body` means the body
    /// (3261 19.1.1).
    pub fn header_pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        header_pairs(self.headers.unwrap_or(&[]))
    }

    /// `transport`, for example `tcp`. Compare it without case.
    pub fn transport(&self) -> Option<&'a str> {
        self.params.str("transport")
    }

    /// Whether `lr` is there, with a value or without: the host is a loose router.
    pub fn lr(&self) -> bool {
        self.params.contains("lr")
    }

    /// `maddr`: where to send instead of to the host.
    pub fn maddr(&self) -> Option<Host<'a>> {
        Host::parse(self.params.get("maddr")?.value?).ok()
    }

    /// `ttl`: time to live of a multicast packet.
    pub fn ttl(&self) -> Option<u8> {
        digits(self.params.get("ttl")?.value?)
            .ok()
            .and_then(|ttl| u8::try_from(ttl).ok())
    }

    /// `user`: `phone` if the user part is a telephone number.
    pub fn user_param(&self) -> Option<&'a str> {
        self.params.str("user")
    }

    /// `method`: the method of a request made from this URI.
    pub fn method_param(&self) -> Option<&'a str> {
        self.params.str("method")
    }

    /// `gr`: `Some(None)` as a flag (a temporary GRUU), `Some(Some(value))` with a value (a public
    /// one). A GRUU is opaque (5627).
    pub fn gr(&self) -> Option<Option<&'a [u8]>> {
        self.params.get("gr").map(|param| param.value)
    }

    /// The same resource, to be reached by secure hops only: the scheme becomes `sips` (3261 19.1).
    /// Allocates.
    ///
    /// # Errors
    ///
    /// [`InsecureTransport`](ValueErrorKind::InsecureTransport) if the URI says `transport=udp`.
    pub fn secured(&self) -> Result<UriBuf, ValueError> {
        let colon = memchr::memchr(b':', self.raw).unwrap_or_default();
        let rest = self.raw.get(colon..).unwrap_or_default();
        UriBuf::parse([b"sips", rest].concat())
    }

    /// The number in the user part as a `tel:` URI, whether `user=phone` says that it is one or not
    /// (3261 19.1.1): for who knows that users of this host have such names. `None` if it is none, or
    /// one that is valid somewhere only and does not say where. Allocates.
    ///
    /// ```
    /// use drongo::message::SipUri;
    ///
    /// let uri = SipUri::parse(b"sip:+1-201-555-0123;postd=pp22@gateway.example.com").unwrap();
    /// assert_eq!(uri.to_tel().unwrap().as_bytes(), b"tel:+1-201-555-0123;postd=pp22");
    /// assert!(SipUri::parse(b"sip:alice@example.com;user=phone").unwrap().to_tel().is_none());
    /// ```
    pub fn to_tel(&self) -> Option<UriBuf> {
        if self.password.is_some() {
            return None;
        }
        UriBuf::parse([b"tel:", self.user?].concat()).ok()
    }

    /// Whether both mean the same resource by the rules of 3261 19.1.4.
    ///
    /// The relation is not transitive: `sip:a@b` is equivalent to `sip:a@b;x=1` and to
    /// `sip:a@b;x=2`, which are not equivalent to each other.
    pub fn equivalent(&self, other: &SipUri<'_>) -> bool {
        self.secure == other.secure
            && same_option(self.user, other.user)
            && same_option(self.password, other.password)
            && self.host() == other.host()
            && self.port == other.port
            && params_agree(self.params, other.params)
            && params_agree(other.params, self.params)
            && same_headers(self.headers, other.headers)
    }
}

/// `sip:user@host:port;name=value`: without a password, escapes and headers, and without the
/// parameters that are checked.
struct PlainUri<'a> {
    secure: bool,
    user: Option<&'a [u8]>,
    host: PlainHost<'a>,
    port: Option<u16>,
    params: &'a [u8],
}

impl<'a> PlainUri<'a> {
    /// Reads the front of the text, and gives what is behind it.
    #[inline]
    fn scan(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (secure, rest) = scheme(text)?;
        let (user, host) = user(rest)?;
        let (host, port, params) = plain::host_port(host)?;
        let rest = plain_params(params, secure)?;
        let params = params.get(..params.len().saturating_sub(rest.len()))?;
        let uri = Self {
            secure,
            user,
            host,
            port,
            params,
        };
        Some((uri, rest))
    }
}

/// Whether it is the secure one, and what is behind its colon.
#[inline(always)]
fn scheme(text: &[u8]) -> Option<(bool, &[u8])> {
    let (scheme, rest) = text.split_first_chunk::<4>()?;
    match scheme.map(|b| b | 0x20) {
        // A colon has the bit already, but so has what becomes one.
        [b's', b'i', b'p', _] if scheme.ends_with(b":") => Some((false, rest)),
        [b's', b'i', b'p', b's'] => Some((true, rest.strip_prefix(b":")?)),
        _ => None,
    }
}

/// The user part, if there is one, and what is behind it.
#[inline(always)]
fn user(text: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (user, behind) = plain::run(text, plain::set::USER)?;
    match behind {
        [b'@', host @ ..] if !user.is_empty() => Some((Some(user), host)),
        [] | [b'>', ..] => Some((None, text)),
        _ if has_user(behind) => None,
        _ => Some((None, text)),
    }
}

/// What is behind parameters that need no check.
#[inline(always)]
fn plain_params(params: &[u8], secure: bool) -> Option<&[u8]> {
    if !params.starts_with(b";") {
        return Some(params);
    }
    plain::uri_params(params, |name, value| match name.len() {
        3 => !name.eq_ignore_ascii_case(b"ttl"),
        5 => !name.eq_ignore_ascii_case(b"maddr"),
        // There are no escapes in the value.
        9 if secure && name.eq_ignore_ascii_case(b"transport") => {
            !value.eq_ignore_ascii_case(b"udp")
        }
        _ => true,
    })
}

/// Whether there is an `@` before the URI ends, or the line.
fn has_user(text: &[u8]) -> bool {
    let found = memchr::memchr3(b'@', b'>', b'\r', text).and_then(|at| text.get(at));
    found == Some(&b'@')
}

impl PartialEq for SipUri<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for SipUri<'_> {}

impl core::hash::Hash for SipUri<'_> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

impl Pieces for SipUri<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        out(self.raw);
    }
}

writes!(SipUri<'_>);

impl fmt::Debug for SipUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SipUri({})", self.raw.escape_ascii())
    }
}

/// User, password and what follows the `@`.
type UserInfo<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, &'a [u8]);

fn split_userinfo(rest: &[u8], base: usize) -> Result<UserInfo<'_>, ValueError> {
    let Some(at) = memchr::memchr(b'@', rest) else {
        return Ok((None, None, rest));
    };
    let (info, host) = rest.split_at_checked(at).unwrap_or((rest, &[]));
    let colon = memchr::memchr(b':', info).unwrap_or(info.len());
    let (user, password) = info.split_at_checked(colon).unwrap_or((info, &[]));
    if user.is_empty() {
        return Err(ValueError::new(ValueErrorKind::User, base));
    }
    check_part(info, base, class::USER)?;
    Ok((Some(user), password.get(1..), host.get(1..).unwrap_or(&[])))
}

fn parse_host_port(bytes: &[u8]) -> Result<(Host<'_>, Option<u16>), ValueError> {
    if let Some(at) = bytes.iter().position(|&b| super::scan::is_space(b)) {
        return Err(ValueError::new(ValueErrorKind::UriByte, at));
    }
    Host::parse_with_port(bytes)
}

fn check_headers(headers: &[u8], base: usize) -> Result<(), ValueError> {
    check_part(headers, base, class::URI_HEADERS)?;
    if header_pairs(headers).nth(MAX_PARAMS).is_some() {
        return Err(ValueError::new(ValueErrorKind::TooManyParams, base));
    }
    Ok(())
}

fn header_pairs(headers: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers
        .split(|&b| b == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let equals = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let (name, value) = pair.split_at_checked(equals).unwrap_or((pair, &[]));
            (name, value.get(1..).unwrap_or(&[]))
        })
}

/// The parameters that this crate acts on must be right: a wrong `maddr` or `ttl` would send the
/// request elsewhere, and `sips` never goes over UDP (3261 19.1.1).
fn check_param(param: &Param<'_>, secure: bool) -> Result<(), ValueErrorKind> {
    let is = |name: &str| same_folded(param.name.as_bytes(), name.as_bytes());
    let value = param.value.unwrap_or(&[]);
    if is("maddr") {
        Host::parse(value).map_err(|e| e.kind)?;
    } else if is("ttl") {
        u8::try_from(digits(value)?).map_err(|_| ValueErrorKind::Overflow)?;
    } else if secure && is("transport") && same_folded(value, b"udp") {
        return Err(ValueErrorKind::InsecureTransport);
    }
    Ok(())
}

fn same_option(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Whether no parameter of `a` speaks against `b`: one in both must match, and `user`, `ttl`,
/// `method`, `maddr` and `transport` may not be in `a` alone.
fn params_agree(a: Params<'_>, b: Params<'_>) -> bool {
    const NEVER_IGNORED: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    a.iter().all(|param| match b.get(param.name) {
        Some(other) => a.is_named(&param, "lr") || same_value(param, other),
        None => !NEVER_IGNORED.iter().any(|name| a.is_named(&param, name)),
    })
}

fn same_value(a: Param<'_>, b: Param<'_>) -> bool {
    match (a.value, b.value) {
        (Some(a), Some(b)) => same_folded(a, b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Headers are never ignored: each must be in both, in any order.
fn same_headers(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    let (a, b) = (a.unwrap_or(&[]), b.unwrap_or(&[]));
    let all_in = |a, b| {
        header_pairs(a).all(|(name, value)| {
            header_pairs(b).any(|(n, v)| same_folded(name, n) && same(value, v))
        })
    };
    header_pairs(a).count() == header_pairs(b).count() && all_in(a, b) && all_in(b, a)
}

#[cfg(test)]
mod tests {
    use super::super::{escape_header, escape_param, escape_password, escape_user, percent_decode};
    use super::*;

    fn uri(text: &str) -> SipUri<'_> {
        SipUri::parse(text.as_bytes()).expect(text)
    }

    fn kind(text: &str) -> ValueErrorKind {
        SipUri::parse(text.as_bytes()).expect_err(text).kind
    }

    #[test]
    fn the_examples_of_the_rfc_fall_into_their_parts() {
        // 3261-19.1.1-01, 3261-19.1.3-01, 3261-19.1.3-02, 3261-19.1.3-03, 3261-19.1.3-04,
        // 3261-19.1.3-05, 3261-19.1.3-06, 3261-19.1.3-07, 3261-19.1.3-08
        assert_eq!(uri("sip:alice@atlanta.com").user(), Some(&b"alice"[..]));
        let a = uri("sip:alice:secretword@atlanta.com;transport=tcp");
        assert_eq!(
            (a.password(), a.transport()),
            (Some(&b"secretword"[..]), Some("tcp"))
        );
        let b = uri("sips:alice@atlanta.com?subject=project%20x&priority=urgent");
        let pairs: Vec<_> = b.header_pairs().collect();
        assert_eq!(
            pairs,
            [
                (&b"subject"[..], &b"project%20x"[..]),
                (&b"priority"[..], &b"urgent"[..])
            ]
        );
        assert_eq!(&*percent_decode(pairs[0].1), b"project x");
        let c = uri("sip:+1-212-555-1212:1234@gateway.com;user=phone");
        assert_eq!(c.user(), Some(&b"+1-212-555-1212"[..]));
        assert_eq!(
            (c.password(), c.user_param()),
            (Some(&b"1234"[..]), Some("phone"))
        );
        assert!(uri("sips:1212@gateway.com").is_secure());
        assert_eq!(
            uri("sip:alice@192.0.2.4").host(),
            Host::V4([192, 0, 2, 4].into())
        );
        let d = uri("sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com");
        assert_eq!((d.user(), d.method_param()), (None, Some("REGISTER")));
        assert_eq!(d.headers(), Some(&b"to=alice%40atlanta.com"[..]));
        let e = uri("sip:alice;day=tuesday@atlanta.com");
        assert_eq!(e.user(), Some(&b"alice;day=tuesday"[..]));
        assert!(e.params().is_empty());
    }

    #[test]
    fn the_user_part_ends_at_the_at_sign() {
        // 3261-19.1.1-02, 3261-19.1.1-03
        let a = uri("sip:user;par=u%40example.net@example.com");
        assert_eq!(
            &*percent_decode(a.user().unwrap()),
            b"user;par=u@example.net"
        );
        assert!(a.params().is_empty());
        assert_eq!(kind("sip:@host"), ValueErrorKind::User);
        assert_eq!(kind("sip::pw@host"), ValueErrorKind::User);
        assert!(SipUri::parse(b"sip:alice@atlanta.com;x=a@b").is_err());
        assert!(SipUri::parse(b"sip:alice@atlanta.com?x=a@b").is_err());
        assert_eq!(uri("sip:a;b?c/d@host").user(), Some(&b"a;b?c/d"[..]));
    }

    #[test]
    fn an_empty_password_is_not_a_missing_one() {
        // 3261-19.1.1-04
        assert_eq!(uri("sip:alice:@atlanta.com").password(), Some(&b""[..]));
        assert_eq!(uri("sip:alice@atlanta.com").password(), None);
    }

    #[test]
    fn the_torture_user_parts_are_read() {
        // From RFC 4475 3.1.1.2 and 3.1.1.3.
        let a = uri(
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.\
             (doesn't-it)@example.com",
        );
        assert_eq!(
            a.user(),
            Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..])
        );
        assert_eq!(
            a.password(),
            Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..])
        );
        let b = uri("sip:sips%3Auser%40example.com@example.net");
        assert_eq!(
            &*percent_decode(b.user().unwrap()),
            b"sips:user@example.com"
        );
        let c = uri("sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31");
        assert!(c.lr());
        let name = c.params().get("name").unwrap();
        assert_eq!(&*percent_decode(name.value.unwrap()), b"value%41");
    }

    #[test]
    fn parameters_occur_once_and_unknown_ones_are_kept() {
        // 3261-19.1.1-06, 3261-19.1.1-07
        assert_eq!(
            kind("sip:a@b;transport=tcp;Transport=udp"),
            ValueErrorKind::DuplicateParam
        );
        assert_eq!(kind("sip:a@b;x=1;%78=1"), ValueErrorKind::DuplicateParam);
        assert_eq!(kind("sip:a@b;;lr"), ValueErrorKind::Param);
        assert_eq!(kind("sip:a@b;lr="), ValueErrorKind::Param);
        let a = uri("sip:a@b;unknownparam;x=%41:[1]/+$&");
        assert_eq!(a.params().get("unknownparam").unwrap().value, None);
        assert_eq!(
            a.params().get("X").unwrap().value,
            Some(&b"%41:[1]/+$&"[..])
        );
        assert!(SipUri::parse(b"sip:a@b;x=\xc3\xa9").is_ok());
    }

    #[test]
    fn lr_is_a_flag_with_or_without_value() {
        // 3261-19.1.1-13
        assert!(uri("sip:a@b;lr").lr() && uri("sip:a@b;LR=on").lr() && !uri("sip:a@b;lrx").lr());
        assert!(uri("sip:a@b;lr").equivalent(&uri("sip:a@b;lr=on")));
    }

    #[test]
    fn gr_keeps_flag_and_value_apart() {
        assert_eq!(uri("sip:a@b").gr(), None);
        assert_eq!(uri("sip:a@b;gr").gr(), Some(None));
        assert_eq!(
            uri("sip:a@b;gr=urn:uuid:F8").gr(),
            Some(Some(&b"urn:uuid:F8"[..]))
        );
    }

    #[test]
    fn sips_does_not_go_over_udp() {
        // 3261-19.1.1-08, 3261-26.2.2-01, 3261-26.2.2-02
        assert_eq!(
            kind("sips:a@b;transport=UDP"),
            ValueErrorKind::InsecureTransport
        );
        assert_eq!(uri("sips:a@b;transport=tcp").transport(), Some("tcp"));
        assert_eq!(uri("sips:a@b;transport=sctp").transport(), Some("sctp"));
        assert_eq!(uri("sip:a@b;transport=tls").transport(), Some("tls"));
    }

    #[test]
    fn escapes_need_two_digits_and_stay_out_of_hosts() {
        // 3261-19.1.2-05, 3261-19.1.2-06, 3261-19.1.2-12
        for text in [
            "sip:a%@b",
            "sip:a%4@b",
            "sip:a%zz@b",
            "sip:a@b;x=%g1",
            "sip:a@b?x=%1",
        ] {
            assert_eq!(kind(text), ValueErrorKind::Escape, "{text}");
        }
        for text in ["sip:a@ex%61mple.com", "sip:a@b;maddr=ex%61mple.com"] {
            assert_eq!(kind(text), ValueErrorKind::Host, "{text}");
        }
    }

    #[test]
    fn each_component_escapes_what_its_grammar_excludes() {
        // 3261-19.1.2-01, 3261-19.1.2-03, 3261-19.1.2-04, 3261-19.1.2-07, 3261-19.1.2-08,
        // 3261-19.1.2-09, 3261-19.1.2-10
        assert_eq!(escape_user(b"j@s0n"), "j%40s0n");
        assert_eq!(escape_user(b"*#06#"), "*%2306%23");
        let all: Vec<u8> = (0x21_u8..=0x7e)
            .filter(|b| !b.is_ascii_alphanumeric())
            .collect();
        let raw = |text: &str| {
            let mut kept = String::new();
            let mut rest = text.chars();
            while let Some(c) = rest.next() {
                if c == '%' {
                    rest.next();
                    rest.next();
                } else {
                    kept.push(c);
                }
            }
            kept
        };
        assert_eq!(raw(&escape_user(&all)), "!$&'()*+,-./;=?_~");
        assert_eq!(raw(&escape_password(&all)), "!$&'()*+,-.=_~");
        assert_eq!(raw(&escape_param(&all)), "!$&'()*+-./:[]_~");
        assert_eq!(raw(&escape_header(&all)), "!'()*-._~");
        assert_eq!(escape_user(b" \x00\xff"), "%20%00%FF");
        for escaped in [escape_user(&all), escape_header(&all)] {
            assert_eq!(&*percent_decode(escaped.as_bytes()), &*all);
        }
    }

    #[test]
    fn a_port_is_a_number_up_to_65535() {
        // 3261-25.1-25
        assert_eq!(uri("sip:a@b:65535").port(), Some(65_535));
        for text in [
            "sip:a@b:65536",
            "sip:a@b:",
            "sip:a@b:x",
            "sip:a@b:-1",
            "sip:a@b:+5060",
        ] {
            assert_eq!(kind(text), ValueErrorKind::Port, "{text}");
        }
    }

    #[test]
    fn ipv6_needs_brackets_in_a_uri() {
        // 5118-4.3-01, 5118-4.4-01
        assert!(SipUri::parse(b"sip:2001:db8::10").is_err());
        let (a, b) = (
            uri("sip:[2001:db8::10:5070]"),
            uri("sip:[2001:db8::10]:5070"),
        );
        assert_eq!(
            (a.host().to_string().as_str(), a.port()),
            ("[2001:db8::10:5070]", None)
        );
        assert_eq!(
            (b.host().to_string().as_str(), b.port()),
            ("[2001:db8::10]", Some(5070))
        );
    }

    #[test]
    fn ttl_and_maddr_must_be_readable() {
        // 3261-25.1-26
        let a = uri("sip:a@b;maddr=239.255.255.1;ttl=15");
        assert_eq!(
            (a.ttl(), a.maddr()),
            (Some(15), Some(Host::V4([239, 255, 255, 1].into())))
        );
        for text in [
            "sip:a@b;ttl=256",
            "sip:a@b;ttl=x",
            "sip:a@b;ttl",
            "sip:a@b;maddr",
        ] {
            assert!(SipUri::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hash_sign_is_read_in_a_user_part_only() {
        assert_eq!(uri("sip:*#06#@b").user(), Some(&b"*#06#"[..]));
        for text in ["sip:a@b#c", "sip:a@b;x=#", "sip:a@b?x=#"] {
            assert!(SipUri::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_user_part_is_read_as_a_number_whatever_the_user_parameter_says() {
        // 3261-19.1.1-12
        for (text, tel) in [
            (
                "sip:+15551230042@edge.example.net",
                Some("tel:+15551230042"),
            ),
            ("sips:+15551230042@h;user=phone", Some("tel:+15551230042")),
            ("sip:+1-555@h;user=ip", Some("tel:+1-555")),
            (
                "sip:7042;phone-context=example.com@h",
                Some("tel:7042;phone-context=example.com"),
            ),
            ("sip:7042@h;user=phone", None),
            ("sip:alice@h;user=phone", None),
            ("sip:+1555:secret@h", None),
            ("sip:h", None),
        ] {
            let read = uri(text).to_tel().map(|tel| tel.to_string());
            assert_eq!(read.as_deref(), tel, "{text}");
        }
    }

    #[test]
    fn errors_say_where() {
        let at = |text: &str| SipUri::parse(text.as_bytes()).unwrap_err().offset;
        assert_eq!(at("sip:a b@c"), 5);
        assert_eq!(at("sips:ab%4@c"), 7);
        assert_eq!(at("sip:a@b;x=\x01"), 10);
        assert_eq!(at("sip:a@b?x=\x01"), 10);
    }
}
