//! Authentication: the values of WWW-Authenticate, Proxy-Authenticate, Authorization,
//! Proxy-Authorization and Authentication-Info (RFC 3261 20.6, 20.7, 20.27, 20.28, 20.44; 7616;
//! 8760). A comma in them separates parameters, never values: each row is one value.

use alloc::borrow::Cow;

use super::super::params::{MAX_PARAMS, Param};
use super::super::print::{Pieces, unfolded, writes};
use super::super::scan::{Cursor, class, is_token, is_token_byte};
use super::super::value_error::{ValueError, ValueErrorKind};
use super::shape;

/// A challenge: one row of WWW-Authenticate or Proxy-Authenticate.
///
/// ```
/// use drongo::message::Challenge;
///
/// let row = br#"Digest realm="a \"b\"", nonce="84f1", qop="auth,auth-int", stale=FALSE"#;
/// let challenge = Challenge::parse(row).unwrap();
/// assert!(challenge.is_digest() && !challenge.stale());
/// assert_eq!(challenge.realm().as_deref(), Some(&br#"a "b""#[..]));
/// assert!(challenge.offers_qop("auth-int"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Challenge<'a> {
    scheme: &'a str,
    params: AuthParams<'a>,
}

/// Credentials: one row of Authorization or Proxy-Authorization.
///
/// ```
/// use drongo::message::Credentials;
///
/// let row = b"Digest username=\"bob\", realm=\"biloxi.com\", nonce=\"dcd9\",\r\n \
///     uri=\"sip:bob@biloxi.com\", qop=auth, nc=00000001, cnonce=\"0a4f\", response=\"6629\"";
/// let credentials = Credentials::parse(row).unwrap();
/// assert_eq!(credentials.username().as_deref(), Some(&b"bob"[..]));
/// assert_eq!(credentials.nc(), Some(1));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credentials<'a> {
    scheme: &'a str,
    params: AuthParams<'a>,
}

/// What a server says after it has let a client in: one row of Authentication-Info.
///
/// ```
/// use drongo::message::AuthInfo;
///
/// let info = AuthInfo::parse(br#"nextnonce="47364c23432d2e131a5fb210812c", qop=auth"#).unwrap();
/// assert_eq!(info.next_nonce().as_deref(), Some(&b"47364c23432d2e131a5fb210812c"[..]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuthInfo<'a> {
    params: AuthParams<'a>,
}

/// `name=value` pairs with commas between; no name occurs twice.
///
/// A scheme that is not Digest may say something else; then there is no pair, and
/// [`as_bytes`](Self::as_bytes) has what was said.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuthParams<'a> {
    raw: &'a [u8],
    pairs: bool,
    /// Whether the grammar of Digest says where quotes belong.
    digest: bool,
}

impl<'a> AuthParams<'a> {
    /// Reads pairs.
    fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        let mut names = [""; MAX_PARAMS];
        let mut slots = names.iter_mut();
        let mut cursor = Cursor::new(raw);
        let mut count = 0_usize;
        while let Some(param) = next_pair(&mut cursor)? {
            let slot = slots
                .next()
                .ok_or(cursor.error(ValueErrorKind::TooManyParams))?;
            *slot = param.name;
            count = count.saturating_add(1);
        }
        if count == 0 {
            return Err(cursor.error(ValueErrorKind::Empty));
        }
        let names = names.get_mut(..count).unwrap_or(&mut []);
        let folded = |name: &'a str| name.bytes().map(|b| b.to_ascii_lowercase());
        names.sort_unstable_by(|a, b| folded(a).cmp(folded(b)));
        if names.is_sorted_by(|a, b| folded(a).lt(folded(b))) {
            Ok(Self {
                raw,
                pairs: true,
                digest: true,
            })
        } else {
            Err(ValueError::new(ValueErrorKind::DuplicateParam, 0))
        }
    }

    /// What stands behind the scheme, as it came.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut cursor = Cursor::new(if self.pairs { self.raw } else { &[] });
        core::iter::from_fn(move || next_pair(&mut cursor).ok().flatten())
    }

    /// The value of that name without quotes and escapes. Names compare without case.
    pub fn get(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.iter()
            .find(|param| param.name.eq_ignore_ascii_case(name))?
            .unquoted()
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name)
            .is_some_and(|found| found.eq_ignore_ascii_case(value.as_bytes()))
    }

    fn write(&self, qop_quoted: bool, out: &mut dyn FnMut(&[u8])) {
        if !self.digest {
            return unfolded(self.raw, out);
        }
        for (index, param) in self.iter().enumerate() {
            if index > 0 {
                out(b", ");
            }
            write_pair(&param, qop_quoted, out);
        }
    }
}

macro_rules! getters {
    ($($(#[$doc:meta])* $method:ident = $name:literal,)*) => {
        $($(#[$doc])*
        pub fn $method(&self) -> Option<Cow<'a, [u8]>> {
            self.params.get($name)
        })*

        /// All parameters.
        pub const fn params(&self) -> AuthParams<'a> {
            self.params
        }
    };
}

macro_rules! schemed {
    ($type:ident) => {
        /// Reads one row.
        ///
        /// Parameters may be quoted or not, whichever the grammar says. Those of a scheme other
        /// than Digest are kept as they came.
        ///
        /// # Errors
        ///
        /// What is wrong, and where.
        pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
            let (scheme, params) = scheme_and_params(value)?;
            Ok(Self { scheme, params })
        }

        /// The scheme, as it came. Schemes compare without case.
        pub const fn scheme(&self) -> &'a str {
            self.scheme
        }

        /// Whether the scheme is Digest.
        pub fn is_digest(&self) -> bool {
            self.scheme.eq_ignore_ascii_case("Digest")
        }
    };
}

impl<'a> Challenge<'a> {
    schemed!(Challenge);

    getters! {
        /// `realm`: for what the password is asked.
        realm = "realm",
        /// `nonce`.
        nonce = "nonce",
        /// `opaque`, to be sent back. It may be empty.
        opaque = "opaque",
        /// `algorithm`; MD5 if it is not there.
        algorithm = "algorithm",
        /// `domain`: URIs with white space between.
        domain = "domain",
    }

    /// Whether only the nonce was too old: the password need not be asked for again.
    pub fn stale(&self) -> bool {
        self.params.is("stale", "true")
    }

    /// Whether there is a `qop`. Without, it is a challenge of RFC 2069.
    pub fn has_qop(&self) -> bool {
        self.params.get("qop").is_some()
    }

    /// Whether `qop` offers this, without regard to case.
    pub fn offers_qop(&self, qop: &str) -> bool {
        self.params.get("qop").is_some_and(|list| {
            list.split(|&b| b == b',')
                .any(|one| one.trim_ascii().eq_ignore_ascii_case(qop.as_bytes()))
        })
    }
}

impl<'a> Credentials<'a> {
    schemed!(Credentials);

    getters! {
        /// `username`.
        username = "username",
        /// `realm`, as it was in the challenge.
        realm = "realm",
        /// `nonce`, as it was in the challenge.
        nonce = "nonce",
        /// `uri`: the Request-URI when the response was made.
        uri = "uri",
        /// `response`, in hexadecimal digits.
        response = "response",
        /// `algorithm`; MD5 if it is not there.
        algorithm = "algorithm",
        /// `cnonce`.
        cnonce = "cnonce",
        /// `opaque`.
        opaque = "opaque",
        /// `qop`.
        qop = "qop",
    }

    /// `nc`: how often the nonce was used. `None` too if it is not eight hexadecimal digits.
    pub fn nc(&self) -> Option<u32> {
        nonce_count(&self.params)
    }
}

impl<'a> AuthInfo<'a> {
    /// Reads one row.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        AuthParams::parse(value).map(|params| Self { params })
    }

    getters! {
        /// `nextnonce`: to be used next time.
        next_nonce = "nextnonce",
        /// `qop`.
        qop = "qop",
        /// `rspauth`: the proof that the server knows the password too.
        response_auth = "rspauth",
        /// `cnonce`, as it was in the credentials.
        cnonce = "cnonce",
    }

    /// `nc`, as it was in the credentials.
    pub fn nc(&self) -> Option<u32> {
        nonce_count(&self.params)
    }
}

impl Pieces for Challenge<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        out(self.scheme.as_bytes());
        out(b" ");
        self.params.write(true, out);
    }
}

impl Pieces for Credentials<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        out(self.scheme.as_bytes());
        out(b" ");
        self.params.write(false, out);
    }
}

impl Pieces for AuthInfo<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        self.params.write(false, out);
    }
}

impl Pieces for AuthParams<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        self.write(false, out);
    }
}

writes!(Challenge<'_>);
writes!(Credentials<'_>);
writes!(AuthInfo<'_>);
writes!(AuthParams<'_>);
shape::debug!(Challenge);
shape::debug!(Credentials);
shape::debug!(AuthInfo);
shape::debug!(AuthParams);

fn scheme_and_params(value: &[u8]) -> Result<(&str, AuthParams<'_>), ValueError> {
    let mut cursor = Cursor::new(value);
    cursor.skip_lws();
    let scheme = cursor.token()?;
    let end = cursor.offset();
    cursor.skip_lws();
    let base = cursor.offset();
    let digest = scheme.eq_ignore_ascii_case("Digest");
    if base == end && !cursor.is_at_end() {
        return Err(cursor.error(ValueErrorKind::Unexpected));
    }
    match AuthParams::parse(cursor.rest()) {
        Ok(params) => Ok((scheme, AuthParams { digest, ..params })),
        Err(error) if digest => Err(error.shifted(base)),
        Err(_) if cursor.is_at_end() => Err(cursor.error(ValueErrorKind::Empty)),
        Err(_) => Ok((
            scheme,
            AuthParams {
                raw: opaque(cursor)?,
                pairs: false,
                digest: false,
            },
        )),
    }
}

/// What a scheme says that has no pairs: anything but a line break or NUL.
fn opaque(cursor: Cursor<'_>) -> Result<&[u8], ValueError> {
    let mut rest = cursor;
    loop {
        rest.take_while(|b| !matches!(b, b'\r' | b'\n' | 0));
        let before = rest.offset();
        rest.skip_lws();
        if rest.is_at_end() {
            return Ok(super::super::scan::trim(cursor.rest()));
        }
        if rest.offset() == before {
            return Err(rest.error(ValueErrorKind::Unexpected));
        }
    }
}

/// The next `name=value` with the comma behind it; empty elements are skipped.
fn next_pair<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Param<'a>>, ValueError> {
    loop {
        cursor.skip_lws();
        if !cursor.eat(b',') {
            break;
        }
    }
    if cursor.is_at_end() {
        return Ok(None);
    }
    let name = cursor.token()?;
    cursor.skip_lws();
    let error = cursor.error(ValueErrorKind::Param);
    if !cursor.eat(b'=') {
        return Err(error);
    }
    cursor.skip_lws();
    let value = if cursor.peek() == Some(b'"') {
        cursor.quoted()?
    } else {
        cursor.take_class(class::VALUE)
    };
    if value.is_empty() {
        return Err(cursor.error(ValueErrorKind::Param));
    }
    cursor.skip_lws();
    if !cursor.is_at_end() && cursor.peek() != Some(b',') {
        return Err(cursor.error(ValueErrorKind::Unexpected));
    }
    Ok(Some(Param {
        name,
        value: Some(value),
    }))
}

/// Eight hexadecimal digits; upper case is read too, since some send it.
fn nonce_count(params: &AuthParams<'_>) -> Option<u32> {
    let text = params.get("nc")?;
    let text = core::str::from_utf8(&text).ok()?;
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// Writes a pair with the quotes that the grammar asks for (3261 25.1, 7616 3.3-3.5).
fn write_pair(param: &Param<'_>, qop_quoted: bool, out: &mut dyn FnMut(&[u8])) {
    const QUOTED: [&str; 10] = [
        "realm",
        "nonce",
        "opaque",
        "domain",
        "username",
        "uri",
        "response",
        "cnonce",
        "nextnonce",
        "rspauth",
    ];
    const BARE: [&str; 4] = ["algorithm", "stale", "nc", "userhash"];
    let named = |names: &[&str]| names.iter().any(|n| param.name.eq_ignore_ascii_case(n));
    let is_qop = param.name.eq_ignore_ascii_case("qop");
    let (quoted, bare) = (
        named(&QUOTED) || (is_qop && qop_quoted),
        named(&BARE) || (is_qop && !qop_quoted),
    );
    out(param.name.as_bytes());
    out(b"=");
    let value = param.value.unwrap_or_default();
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""));
    match inner {
        None if quoted || !value.iter().copied().all(is_token_byte) => quote(value, out),
        None => out(value),
        Some(inner) if bare && is_token(inner) => out(inner),
        Some(_) => unfolded(value, out),
    }
}

/// A value that came without quotes, with them.
fn quote(value: &[u8], out: &mut dyn FnMut(&[u8])) {
    out(b"\"");
    for (index, part) in value.split(|&b| b == b'\\').enumerate() {
        if index > 0 {
            out(b"\\\\");
        }
        out(part);
    }
    out(b"\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(text: &str) -> Challenge<'_> {
        Challenge::parse(text.as_bytes()).expect(text)
    }

    fn credentials(text: &str) -> Credentials<'_> {
        Credentials::parse(text.as_bytes()).expect(text)
    }

    #[test]
    fn commas_and_folds_separate_parameters_not_credentials() {
        // 3261-20.7-01, 3261-20.7-03
        let folded = "Digest username = \"Alice\" ,\r\n realm=\"atlanta.com\",\r\n\t\
            nonce=\"84a4cc6f3082121f32b42a2187831a9e\",uri=\"sip:a,b@c\" , response\r\n =\r\n \"7587\"";
        let credentials = credentials(folded);
        let names: Vec<_> = credentials.params().iter().map(|p| p.name).collect();
        assert_eq!(names, ["username", "realm", "nonce", "uri", "response"]);
        assert_eq!(credentials.uri().as_deref(), Some(&b"sip:a,b@c"[..]));
        assert_eq!(credentials.response().as_deref(), Some(&b"7587"[..]));
    }

    #[test]
    fn an_unknown_scheme_keeps_what_it_says() {
        // 3261-20.7-02
        for text in [
            "NoOneKnowsThisScheme opaque-data=here",
            "Bearer dGhpcyBpcyBub3Q=.x/y+z==",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ] {
            let credentials = credentials(text);
            assert!(!credentials.is_digest());
            let (scheme, rest) = text.split_once(' ').unwrap();
            assert_eq!(credentials.scheme(), scheme);
            assert_eq!(credentials.params().as_bytes(), rest.as_bytes());
            assert_eq!(credentials.to_string(), text);
        }
        let pair = credentials("NoOneKnowsThisScheme opaque-data=here");
        assert_eq!(
            pair.params().get("opaque-data").as_deref(),
            Some(&b"here"[..])
        );
    }

    #[test]
    fn stale_is_read_in_any_case_without_quotes() {
        // 3261-20.44-01
        for (text, stale) in [
            ("FALSE", false),
            ("false", false),
            ("true", true),
            ("TRUE", true),
        ] {
            let text = format!("Digest realm=\"a\", nonce=\"b\", stale={text}");
            assert_eq!(challenge(&text).stale(), stale, "{text}");
        }
        assert!(!challenge("Digest nonce=\"x\"").stale());
    }

    #[test]
    fn domain_is_a_list_in_quotes_and_opaque_may_be_empty() {
        // 3261-20.44-02
        let challenge = challenge("Digest realm=\"a\",domain=\"sip:a.com sips:b,c\",opaque=\"\"");
        let domain = challenge.domain().unwrap();
        let uris: Vec<_> = domain.split(|&b| b == b' ').collect();
        assert_eq!(uris, [&b"sip:a.com"[..], b"sips:b,c"]);
        assert_eq!(challenge.opaque().as_deref(), Some(&b""[..]));
        assert_eq!(challenge.to_string().matches("opaque=\"\"").count(), 1);
    }

    #[test]
    fn the_nonce_count_is_eight_hexadecimal_digits() {
        // 3261-25.1-36, 3261-25.1-45
        assert_eq!(credentials("Digest nc=0000000a").nc(), Some(10));
        assert_eq!(credentials("Digest nc=0000000A").nc(), Some(10));
        let upper = credentials("Digest response=\"6629FAE4\"");
        assert_eq!(upper.response().as_deref(), Some(&b"6629FAE4"[..]));
        for wrong in ["1", "000000001", "0000000g", "+0000001"] {
            let text = format!("Digest nc={wrong}");
            assert_eq!(credentials(&text).nc(), None, "{wrong}");
        }
    }

    #[test]
    fn quotes_are_written_where_the_grammar_has_them() {
        // 3261-25.1-37, 3261-25.1-38
        let loose = "qop=auth, algorithm=\"MD5\", stale=\"true\", nc=\"00000001\", nonce=a=b";
        let strict = "Digest qop=\"auth\", algorithm=MD5, stale=true, nc=00000001, nonce=\"a=b\"";
        let text = format!("Digest {loose}");
        assert_eq!(challenge(&text).to_string(), strict);
        assert!(challenge(&text).offers_qop("AUTH") && challenge(&text).stale());
        assert_eq!(challenge(&text).algorithm().as_deref(), Some(&b"MD5"[..]));
        let strict = strict.replace("\"auth\"", "auth");
        assert_eq!(
            credentials(&text.replace("=auth", "=\"auth\"")).to_string(),
            strict
        );
        let list = challenge("Digest qop=\"auth,auth-int\"");
        assert_eq!(list.to_string(), "Digest qop=\"auth,auth-int\"");
        assert_eq!(
            credentials("Digest nonce=a\\b").to_string(),
            "Digest nonce=\"a\\\\b\""
        );
    }

    #[test]
    fn authentication_info_has_no_scheme() {
        // 3261-25.1-39
        let info =
            AuthInfo::parse(b"qop=\"auth\",rspauth=\"12\" , cnonce=\"a\", nc=0000001f").unwrap();
        assert_eq!((info.nc(), info.params().iter().count()), (Some(31), 4));
        assert_eq!(info.response_auth().as_deref(), Some(&b"12"[..]));
        assert_eq!(
            info.to_string(),
            "qop=auth, rspauth=\"12\", cnonce=\"a\", nc=0000001f"
        );
        assert!(AuthInfo::parse(b"Digest nextnonce=\"a\"").is_err());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for wrong in [
            "",
            "Digest",
            "Digest ",
            "Digest realm",
            "Digest realm=",
            "Digest realm=\"a",
            "Digest a=b c=d",
            "Digest a=1, A=2",
            "Digest realm=\"x\", Digest realm=\"y\"",
            "Digest=a",
            "\"Digest\" a=b",
            "Other",
            "Other a\rb",
        ] {
            assert!(Challenge::parse(wrong.as_bytes()).is_err(), "{wrong}");
            assert!(Credentials::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let many = |n: usize| {
            format!(
                "Digest {}",
                (0..n).map(|i| format!("a{i}=b,")).collect::<String>()
            )
        };
        assert_eq!(
            challenge(&many(MAX_PARAMS)).params().iter().count(),
            MAX_PARAMS
        );
        let error = Challenge::parse(many(MAX_PARAMS + 1).as_bytes()).unwrap_err();
        assert_eq!(error.kind, ValueErrorKind::TooManyParams);
    }
}
