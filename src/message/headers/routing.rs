//! How a request came here, and why: Reason, History-Info, Diversion.

use alloc::borrow::Cow;

use super::super::name_addr::NameAddr;
use super::super::params::Params;
use super::super::print::{Pieces, writes};
use super::super::scan::digits_u32;
use super::super::value_error::ValueError;
use super::shape;

shape::worded! {
    /// One value of Reason: `Q.850;cause=16;text="Terminated"` (3326 2).
    ///
    /// ```
    /// use drongo::message::Reason;
    ///
    /// let reason = Reason::parse(br#"SIP ;cause=200 ;text="Call completed elsewhere""#).unwrap();
    /// assert_eq!((reason.protocol(), reason.cause()), ("SIP", Some(200)));
    /// assert_eq!(reason.text().as_deref(), Some(&b"Call completed elsewhere"[..]));
    /// ```
    Reason by shape::token {
        /// Whose codes these are, as it came: `SIP`, `Q.850`, or another. Compare without case.
        protocol
    }
}

impl<'a> Reason<'a> {
    /// `cause`: the code.
    pub fn cause(&self) -> Option<u32> {
        digits_u32(self.params.get("cause")?.value?).ok()
    }

    /// `text`, without its quotes.
    pub fn text(&self) -> Option<Cow<'a, [u8]>> {
        self.params.get("text")?.unquoted()
    }
}

shape::addressed! {
    /// One entry of History-Info: a target that the request was sent to (7044 5).
    ///
    /// ```
    /// use drongo::message::HistoryEntry;
    ///
    /// let entry = HistoryEntry::parse(b"<sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1").unwrap();
    /// assert_eq!((entry.index(), entry.rc()), (Some("1.1"), Some("1")));
    /// ```
    HistoryEntry
}

impl<'a> HistoryEntry<'a> {
    /// `index`: the place in the tree of targets, `1.2.1` for example.
    pub fn index(&self) -> Option<&'a str> {
        self.address.params().str("index")
    }

    /// `rc`: the index of the entry of which this is another contact.
    pub fn rc(&self) -> Option<&'a str> {
        self.address.params().str("rc")
    }

    /// `mp`: the index of the entry that was mapped to another user.
    pub fn mp(&self) -> Option<&'a str> {
        self.address.params().str("mp")
    }

    /// `np`: the index of the entry that was passed on unchanged.
    pub fn np(&self) -> Option<&'a str> {
        self.address.params().str("np")
    }
}

shape::addressed! {
    /// One value of Diversion: who sent the call elsewhere, and why (5806 4).
    Diversion
}

impl<'a> Diversion<'a> {
    /// `reason`, as it came: `user-busy`, `no-answer`, … ; with its quotes if it has them.
    pub fn reason(&self) -> Option<&'a str> {
        self.address.params().str("reason")
    }

    /// `counter`: how many diversions this stands for; one if it is not there (5806 9.2).
    pub fn counter(&self) -> Option<u32> {
        digits_u32(self.address.params().get("counter")?.value?).ok()
    }

    /// `privacy`, as it came: `full`, `name`, `uri`, `off`.
    pub fn privacy(&self) -> Option<&'a str> {
        self.address.params().str("privacy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_a_code_and_a_text() {
        let reason = Reason::parse(b"Q.850 ;cause=16 ;text=\"a \\\"b\\\"; c\"").unwrap();
        assert_eq!((reason.protocol(), reason.cause()), ("Q.850", Some(16)));
        assert_eq!(reason.text().as_deref(), Some(&b"a \"b\"; c"[..]));
        assert_eq!(Reason::parse(b"SIP").unwrap().cause(), None);
        assert!(Reason::parse(b";cause=1").is_err());
    }

    #[test]
    fn entries_of_the_history_say_where_they_belong() {
        let text = "\"Bob\" <sip:bob@example.com?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1;np=1";
        let entry = HistoryEntry::parse(text.as_bytes()).unwrap();
        assert_eq!(
            (entry.index(), entry.mp(), entry.np()),
            (Some("1.1"), Some("1"), Some("1"))
        );
        assert_eq!(entry.to_string(), text);
        let by = b"<tel:+19195551001>;reason=user-busy;counter=2;privacy=\"full\"";
        let by = Diversion::parse(by).unwrap();
        assert_eq!((by.reason(), by.counter()), (Some("user-busy"), Some(2)));
        assert_eq!(by.privacy(), Some("\"full\""));
    }
}
