//! Transfer and the headers that name a dialog: Replaces, Join, Target-Dialog, Refer-Sub,
//! Referred-By.

use super::super::name_addr::NameAddr;
use super::super::params::Params;
use super::super::print::{Pieces, writes};
use super::super::scan::{Cursor, trim};
use super::super::value_error::{ValueError, ValueErrorKind};
use super::shape;

shape::worded! {
    /// Replaces: the dialog that the new one takes the place of (3891 6.1). The tags are those of
    /// the request's receiver: `to-tag` is its own.
    ///
    /// ```
    /// use drongo::message::Replaces;
    ///
    /// let replaces = Replaces::parse(b"98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff").unwrap();
    /// assert_eq!(replaces.call_id(), "98732@sip.example.com");
    /// assert_eq!((replaces.to_tag(), replaces.from_tag()), ("ff87ff", "r33th4x0r"));
    /// assert!(!replaces.early_only());
    /// ```
    Replaces by replaced {
        /// Call-ID of the dialog.
        call_id
    }
}

impl<'a> Replaces<'a> {
    /// `to-tag`; `0` stands for none (3891 3).
    pub fn to_tag(&self) -> &'a str {
        self.params.str("to-tag").unwrap_or_default()
    }

    /// `from-tag`; `0` stands for none (3891 3).
    pub fn from_tag(&self) -> &'a str {
        self.params.str("from-tag").unwrap_or_default()
    }

    /// Whether only an early dialog may be replaced.
    pub fn early_only(&self) -> bool {
        self.params.contains("early-only")
    }
}

shape::worded! {
    /// Join: the dialog to be joined (3911 7.1).
    Join by replaced {
        /// Call-ID of the dialog.
        call_id
    }
}

impl<'a> Join<'a> {
    /// `to-tag`; `0` stands for none.
    pub fn to_tag(&self) -> &'a str {
        self.params.str("to-tag").unwrap_or_default()
    }

    /// `from-tag`; `0` stands for none.
    pub fn from_tag(&self) -> &'a str {
        self.params.str("from-tag").unwrap_or_default()
    }
}

shape::worded! {
    /// Target-Dialog: a dialog that the sender knows, as the receiver sees it (4538 7).
    TargetDialog by target {
        /// Call-ID of the dialog.
        call_id
    }
}

impl<'a> TargetDialog<'a> {
    /// `local-tag`: the receiver's tag.
    pub fn local_tag(&self) -> &'a str {
        self.params.str("local-tag").unwrap_or_default()
    }

    /// `remote-tag`: the sender's tag.
    pub fn remote_tag(&self) -> &'a str {
        self.params.str("remote-tag").unwrap_or_default()
    }
}

shape::worded! {
    /// Refer-Sub: whether a REFER makes a subscription (4488 4).
    ///
    /// ```
    /// use drongo::message::ReferSub;
    ///
    /// assert!(!ReferSub::parse(b"false").unwrap().wanted());
    /// ```
    ReferSub by truth {
        /// `true` or `false`, as it came.
        value
    }
}

impl ReferSub<'_> {
    /// Whether the subscription is wanted.
    pub fn wanted(&self) -> bool {
        self.value.eq_ignore_ascii_case("true")
    }
}

shape::addressed! {
    /// Referred-By: who asked for this request (3892 3).
    ReferredBy
}

impl<'a> ReferredBy<'a> {
    /// `cid`: the Content-ID of the signed part that proves it, with its quotes if it has them.
    pub fn cid(&self) -> Option<&'a str> {
        self.address.params().str("cid")
    }
}

/// One URI in angle brackets, with parameters: the values of Alert-Info, Call-Info, Error-Info
/// (3261 20.4, 20.9, 20.18), Geolocation (6442 4.1) and Refer-Events-At (7614 4.6).
///
/// ```
/// use drongo::message::Reference;
///
/// let icon = Reference::parse(b"<http://a.example.com/alice.jpg> ;purpose=icon").unwrap();
/// assert_eq!(icon.purpose(), Some("icon"));
/// assert!(Reference::parse(b"http://a.example.com/alice.jpg").is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference<'a> {
    address: NameAddr<'a>,
}

impl<'a> Reference<'a> {
    /// Reads one value.
    ///
    /// # Errors
    ///
    /// [`Angle`](ValueErrorKind::Angle) without the brackets, or what else is wrong.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let start = Cursor::new(value);
        if !trim(value).starts_with(b"<") {
            return Err(start.error(ValueErrorKind::Angle));
        }
        NameAddr::parse(value).map(|address| Self { address })
    }

    /// The URI.
    pub const fn uri(&self) -> super::super::uri::Uri<'a> {
        self.address.uri()
    }

    /// The parameters behind the brackets.
    pub const fn params(&self) -> Params<'a> {
        self.address.params()
    }

    /// `purpose` of a Call-Info: `icon`, `info`, `card`, or another.
    pub fn purpose(&self) -> Option<&'a str> {
        self.address.params().str("purpose")
    }
}

impl Pieces for Reference<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        self.address.pieces(out);
    }
}

writes!(Reference<'_>);
shape::debug!(Reference);

/// A Call-ID with a `to-tag` and a `from-tag`.
fn replaced(value: &[u8]) -> Result<(&str, Params<'_>), ValueError> {
    with_tags(value, ["to-tag", "from-tag"])
}

/// A Call-ID with a `local-tag` and a `remote-tag`.
fn target(value: &[u8]) -> Result<(&str, Params<'_>), ValueError> {
    with_tags(value, ["local-tag", "remote-tag"])
}

fn with_tags<'a>(value: &'a [u8], tags: [&str; 2]) -> Result<(&'a str, Params<'a>), ValueError> {
    let (call_id, params) = shape::call_id(value)?;
    if tags.iter().all(|tag| params.str(tag).is_some()) {
        Ok((call_id, params))
    } else {
        Err(ValueError::new(ValueErrorKind::Param, value.len()))
    }
}

fn truth(value: &[u8]) -> Result<(&str, Params<'_>), ValueError> {
    let (word, params) = shape::token(value)?;
    if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") {
        Ok((word, params))
    } else {
        Err(ValueError::new(ValueErrorKind::Token, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_is_named_by_call_id_and_both_tags() {
        let text = b"12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only";
        let replaces = Replaces::parse(text).unwrap();
        assert!(replaces.early_only());
        assert_eq!(replaces.to_string().as_bytes(), text);
        let join = Join::parse(b"a(b)<c>@d ; from-tag=1; to-tag=2").unwrap();
        assert_eq!((join.call_id(), join.to_tag()), ("a(b)<c>@d", "2"));
        assert_eq!(join.from_tag(), "1");
        let replaces = Replaces::parse(b"a;from-tag=1;to-tag=0").unwrap();
        assert_eq!((replaces.to_tag(), replaces.from_tag()), ("0", "1"));
        let target = TargetDialog::parse(b"f@x;local-tag=kkaz-;remote-tag=6544").unwrap();
        assert_eq!((target.local_tag(), target.remote_tag()), ("kkaz-", "6544"));
        for wrong in [
            "",
            ";to-tag=1;from-tag=2",
            "a",
            "a;to-tag=1",
            "a b;to-tag=1;from-tag=2",
        ] {
            assert!(Replaces::parse(wrong.as_bytes()).is_err(), "{wrong}");
            assert!(Join::parse(wrong.as_bytes()).is_err(), "{wrong}");
            assert!(TargetDialog::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(Replaces::parse(b"a;to-tag=1;to-tag=2;from-tag=3").is_err());
    }

    #[test]
    fn refer_sub_is_true_or_false() {
        assert!(ReferSub::parse(b"True;x=y").unwrap().wanted());
        assert!(!ReferSub::parse(b" false ").unwrap().wanted());
        assert!(ReferSub::parse(b"no").is_err() && ReferSub::parse(b"").is_err());
    }

    #[test]
    fn referred_by_keeps_the_place_of_its_proof() {
        let by = b"<sip:r@ref.example>;cid=\"20398823.2UWQFN309shb3@ref.example\"";
        let by = ReferredBy::parse(by).unwrap();
        assert_eq!(by.cid(), Some("\"20398823.2UWQFN309shb3@ref.example\""));
        assert_eq!(by.address().uri().as_bytes(), b"sip:r@ref.example");
    }

    #[test]
    fn a_reference_stands_in_angle_brackets() {
        // 3261-20.4-01, 3261-20.9-01, 3261-20.18-01
        let alert = Reference::parse(b" <http://www.example.com/sounds/moo.wav> ; q=1").unwrap();
        assert_eq!(
            alert.uri().as_bytes(),
            b"http://www.example.com/sounds/moo.wav"
        );
        assert!(alert.params().contains("q"));
        for purpose in ["icon", "info", "card", "jingle"] {
            let text = alloc::format!("<http://wwww.example.com/a,b;c?d>;purpose={purpose}");
            let call = Reference::parse(text.as_bytes()).unwrap();
            assert_eq!(call.purpose(), Some(purpose));
            assert_eq!(call.uri().as_bytes(), b"http://wwww.example.com/a,b;c?d");
            assert_eq!(call.to_string(), text);
        }
        for wrong in [
            "sip:not-in-service@atlanta.com",
            "x <sip:a@b>",
            "<>",
            "<a",
            "",
        ] {
            assert!(Reference::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
