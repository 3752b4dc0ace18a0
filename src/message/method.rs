//! Request methods.

use core::fmt;

use super::scan::{ascii, is_token};
use super::value_error::{ValueError, ValueErrorKind};

/// A request method. Methods are case-sensitive: `invite` is [`Other`](Self::Other) (3261 7.1).
///
/// The enum is exhaustive on purpose. It lists every method of the IANA registry, `Other` is its
/// open end, and a dispatcher that matches on it should be told by the compiler what it forgot.
/// Make an `Other` with [`parse`](Self::parse) only, so that it never holds a listed name.
///
/// ```
/// use drongo::message::Method;
///
/// assert_eq!(Method::parse(b"INVITE"), Ok(Method::Invite));
/// assert_eq!(Method::parse(b"invite"), Ok(Method::Other("invite")));
/// assert!(Method::parse(b"IN VITE").is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Method<'a> {
    /// Starts or changes a session (3261 13, 14).
    Invite,
    /// Acknowledges a final response to INVITE (3261 13, 17).
    Ack,
    /// Ends a session (3261 15).
    Bye,
    /// Asks to stop a pending request (3261 9).
    Cancel,
    /// Asks for capabilities (3261 11).
    Options,
    /// Binds an address of record to contacts (3261 10).
    Register,
    /// Acknowledges a reliable provisional response (3262).
    Prack,
    /// Changes a session without a re-INVITE (3311).
    Update,
    /// Carries application data inside a dialog (6086).
    Info,
    /// Carries an instant message (3428).
    Message,
    /// Asks to contact a third party (3515).
    Refer,
    /// Asks for notifications (6665).
    Subscribe,
    /// Carries a notification (6665).
    Notify,
    /// Publishes event state (3903).
    Publish,
    /// A method that is not in this list.
    Other(&'a str),
}

impl<'a> Method<'a> {
    /// Reads a method from exactly its bytes.
    ///
    /// # Errors
    ///
    /// [`Token`](ValueErrorKind::Token) if the bytes are not a token.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ValueError> {
        if let Some(known) = Self::of_known(bytes) {
            return Ok(known);
        }
        match ascii(bytes) {
            Some(name) if is_token(bytes) => Ok(Self::Other(name)),
            Some(_) | None => Err(ValueError::new(ValueErrorKind::Token, 0)),
        }
    }

    /// The method of exactly these bytes, if it has a name here.
    #[inline]
    pub(crate) fn of_known(bytes: &[u8]) -> Option<Method<'static>> {
        Some(match bytes {
            b"INVITE" => Method::Invite,
            b"ACK" => Method::Ack,
            b"BYE" => Method::Bye,
            b"CANCEL" => Method::Cancel,
            b"OPTIONS" => Method::Options,
            b"REGISTER" => Method::Register,
            b"PRACK" => Method::Prack,
            b"UPDATE" => Method::Update,
            b"INFO" => Method::Info,
            b"MESSAGE" => Method::Message,
            b"REFER" => Method::Refer,
            b"SUBSCRIBE" => Method::Subscribe,
            b"NOTIFY" => Method::Notify,
            b"PUBLISH" => Method::Publish,
            _ => return None,
        })
    }

    /// The same, if it is one of those that have a name here: it borrows nothing.
    pub(crate) const fn known(&self) -> Option<Method<'static>> {
        Some(match *self {
            Self::Invite => Method::Invite,
            Self::Ack => Method::Ack,
            Self::Bye => Method::Bye,
            Self::Cancel => Method::Cancel,
            Self::Options => Method::Options,
            Self::Register => Method::Register,
            Self::Prack => Method::Prack,
            Self::Update => Method::Update,
            Self::Info => Method::Info,
            Self::Message => Method::Message,
            Self::Refer => Method::Refer,
            Self::Subscribe => Method::Subscribe,
            Self::Notify => Method::Notify,
            Self::Publish => Method::Publish,
            Self::Other(_) => return None,
        })
    }

    /// The method as it stands on the wire.
    pub const fn as_str(&self) -> &'a str {
        match *self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Info => "INFO",
            Self::Message => "MESSAGE",
            Self::Refer => "REFER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Publish => "PUBLISH",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_of_a_method_matters() {
        // 3261-7.1-11, 3261-25.1-29
        assert_eq!(Method::parse(b"invite"), Ok(Method::Other("invite")));
        assert_eq!(Method::parse(b"INVITE"), Ok(Method::Invite));
    }

    #[test]
    fn a_percent_sign_in_a_token_is_never_decoded() {
        // 3261-25.1-02
        assert_eq!(
            Method::parse(b"RE%47IST%45R"),
            Ok(Method::Other("RE%47IST%45R"))
        );
    }

    #[test]
    fn every_token_byte_may_stand_in_a_method() {
        // 3261-25.1-01
        let unusual = b"!interesting-Method0123456789_*+`.%indeed'~";
        assert!(Method::parse(unusual).is_ok());
        for byte in 0..=255_u8 {
            let token = byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
            assert_eq!(Method::parse(&[byte]).is_ok(), token, "{byte}");
        }
        assert!(Method::parse(b"").is_err());
    }

    #[test]
    fn every_method_prints_as_it_parses() {
        for name in [
            "INVITE",
            "ACK",
            "BYE",
            "CANCEL",
            "OPTIONS",
            "REGISTER",
            "PRACK",
            "UPDATE",
            "INFO",
            "MESSAGE",
            "REFER",
            "SUBSCRIBE",
            "NOTIFY",
            "PUBLISH",
        ] {
            let method = Method::parse(name.as_bytes()).unwrap();
            assert!(!matches!(method, Method::Other(_)), "{name}");
            assert_eq!(method.to_string(), name);
        }
    }
}
