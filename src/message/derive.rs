//! Requests that follow from an INVITE: the ACK for a failure, and CANCEL.

use bytes::Bytes;

use super::index::decimal;
use super::put::{self, Emit, Put};
use super::request_writer::put_cseq;
use super::write::put_rest;
use super::{HeaderList, Message, Name, Response, split_commas};

/// The ACK for a 300 to 699 response to an INVITE (RFC 3261 17.1.1.3), from the INVITE as it was
/// sent.
///
/// Request-URI, top Via, From, Call-ID, the number of CSeq, Route, Max-Forwards and the
/// credentials (22.1) are the INVITE's; To is the response's. There is no body, and never a
/// Require. What RFC 3841 5 wants repeated is.
///
/// `None` if the bytes are not a request of this crate's making.
pub fn ack_for_failure(invite: &Bytes, response: &Response) -> Option<Bytes> {
    derive(
        invite,
        b"ACK",
        Some(response.first(Name::To)?),
        &HeaderList::new(),
    )
}

/// The CANCEL of an INVITE (RFC 3261 9.1), from the INVITE as it was sent.
///
/// Request-URI, top Via with its branch, From, To, Call-ID, the number of CSeq, Route and
/// Max-Forwards are the INVITE's. There is no body, and never a Require. Further headers, Reason
/// for example, are the caller's.
///
/// `None` if the bytes are not a request of this crate's making.
pub fn cancel(invite: &Bytes, headers: &HeaderList) -> Option<Bytes> {
    derive(invite, b"CANCEL", None, headers)
}

fn derive(invite: &Bytes, method: &[u8], to: Option<&[u8]>, headers: &HeaderList) -> Option<Bytes> {
    let invite = Message::parse_own(invite)?;
    let cseq = invite.first(Name::CSeq)?;
    let number = cseq.split(|&b| super::lexer::is_space(b)).next()?;
    let derived = Derived {
        uri: invite.uri_bytes()?,
        via: split_commas(invite.first(Name::Via)?).next()?,
        to: to.or_else(|| invite.first(Name::To))?,
        cseq: u32::try_from(decimal(number)?).ok()?,
        invite: &invite,
        method,
        headers,
    };
    Some(derived.to_bytes())
}

struct Derived<'a> {
    invite: &'a Message,
    method: &'a [u8],
    uri: &'a [u8],
    via: &'a [u8],
    to: &'a [u8],
    cseq: u32,
    headers: &'a HeaderList,
}

impl Emit for Derived<'_> {
    fn emit(&self, out: &mut dyn Put) {
        for part in [self.method, b" ", self.uri, b" SIP/2.0\r\n"] {
            out.put(part);
        }
        put::line(out, Name::Via, self.via);
        self.copy(out, Name::Route);
        match self.invite.first(Name::MaxForwards) {
            Some(hops) => put::line(out, Name::MaxForwards, hops),
            None => put::line(out, Name::MaxForwards, b"70"),
        }
        if let Some(from) = self.invite.first(Name::From) {
            put::line(out, Name::From, from);
        }
        put::line(out, Name::To, self.to);
        if let Some(call_id) = self.invite.first(Name::CallId) {
            put::line(out, Name::CallId, call_id);
        }
        put_cseq(out, self.cseq, self.method);
        if self.method == b"ACK" {
            self.copy(out, Name::Authorization);
            self.copy(out, Name::ProxyAuthorization);
        }
        // RFC 3841 5: equal in the request and in its ACK and CANCEL.
        for name in [
            Name::RequestDisposition,
            Name::AcceptContact,
            Name::RejectContact,
        ] {
            self.copy(out, name);
        }
        put_rest(out, self.headers, None);
    }
}

impl Derived<'_> {
    fn copy(&self, out: &mut dyn Put, name: Name) {
        for value in self.invite.all(name) {
            put::line(out, name, value);
        }
    }
}
