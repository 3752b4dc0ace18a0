//! Requests that follow from an INVITE: the ACK for a failure, and CANCEL.

use bytes::Bytes;

use super::header_block::decimal;
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
    let number = cseq.split(|&b| super::scan::is_space(b)).next()?;
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

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;
    use crate::limits::Limits;
    use crate::message::{Incoming, parse};

    const INVITE: &str = "INVITE sip:bob@biloxi.com;x=1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKkjshdyff, SIP/2.0/UDP below\r\n\
        Via: SIP/2.0/UDP lower\r\n\
        Route: <sip:p1;lr>, <sip:p2;lr>\r\n\
        Route: <sip:p3;lr>\r\n\
        Max-Forwards: 68\r\n\
        To: Bob <sip:bob@biloxi.com>\r\n\
        From: Alice <sip:alice@atlanta.com>;tag=88sja8x\r\n\
        Call-ID: 987asjd97y7atg\r\n\
        CSeq: 986759 INVITE\r\n\
        Contact: <sip:alice@pc33.atlanta.com>\r\n\
        Require: 100rel\r\n\
        Proxy-Require: foo\r\n\
        Authorization: Digest a=\"1\"\r\n\
        Proxy-Authorization: Digest b=\"1\"\r\n\
        Proxy-Authorization: Digest c=\"1\"\r\n\
        Reject-Contact: *;audio\r\n\
        Content-Type: application/sdp\r\n\
        Content-Length: 4\r\n\r\nv=0\r";

    fn response() -> Response {
        let text = "SIP/2.0 486 Busy Here\r\n\
            Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKkjshdyff;received=192.0.2.1\r\n\
            Record-Route: <sip:never;lr>\r\n\
            To: Bob <sip:bob@biloxi.com>;tag=99sa0xk\r\n\
            From: Alice <sip:alice@atlanta.com>;tag=88sja8x\r\n\
            Call-ID: 987asjd97y7atg\r\n\
            Contact: <sip:never@example.com>\r\n\
            CSeq: 986759 INVITE\r\n\r\n";
        match parse(text.into(), &Limits::DEFAULT) {
            Ok(Incoming::Response(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    fn text(bytes: Option<Bytes>) -> String {
        core::str::from_utf8(&bytes.unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_ack_for_a_failure_is_made_of_the_invite_and_the_responses_to() {
        // 3261-17.1.1.3-01, 3261-17.1.1.3-02, 3261-17.1.1.3-03, 3261-17.1.1.3-04
        // 3261-17.1.1.3-05, 3261-17.1.1.3-06, 3261-17.1.1.3-07, 3261-17.1.1.3-08
        // 3261-17.1.1.3-09, 3261-17.1.1.3-10
        assert_eq!(
            text(ack_for_failure(
                &Bytes::from_static(INVITE.as_bytes()),
                &response()
            )),
            "ACK sip:bob@biloxi.com;x=1 SIP/2.0\r\n\
            Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKkjshdyff\r\n\
            Route: <sip:p1;lr>, <sip:p2;lr>\r\n\
            Route: <sip:p3;lr>\r\n\
            Max-Forwards: 68\r\n\
            From: Alice <sip:alice@atlanta.com>;tag=88sja8x\r\n\
            To: Bob <sip:bob@biloxi.com>;tag=99sa0xk\r\n\
            Call-ID: 987asjd97y7atg\r\n\
            CSeq: 986759 ACK\r\n\
            Authorization: Digest a=\"1\"\r\n\
            Proxy-Authorization: Digest b=\"1\"\r\n\
            Proxy-Authorization: Digest c=\"1\"\r\n\
            Reject-Contact: *;audio\r\n\
            Content-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn the_cancel_of_an_invite_shares_its_identity_and_route() {
        // 3261-9.1-05, 3261-9.1-08, 3261-9.1-09, PAINS 22
        let headers = HeaderList::new().with("Reason", "SIP;cause=200").unwrap();
        assert_eq!(
            text(cancel(&Bytes::from_static(INVITE.as_bytes()), &headers)),
            "CANCEL sip:bob@biloxi.com;x=1 SIP/2.0\r\n\
            Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKkjshdyff\r\n\
            Route: <sip:p1;lr>, <sip:p2;lr>\r\n\
            Route: <sip:p3;lr>\r\n\
            Max-Forwards: 68\r\n\
            From: Alice <sip:alice@atlanta.com>;tag=88sja8x\r\n\
            To: Bob <sip:bob@biloxi.com>\r\n\
            Call-ID: 987asjd97y7atg\r\n\
            CSeq: 986759 CANCEL\r\n\
            Reject-Contact: *;audio\r\n\
            Reason: SIP;cause=200\r\n\
            Content-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn an_invite_without_max_forwards_gets_70() {
        let invite = INVITE.replace("Max-Forwards: 68\r\n", "");
        let ack = text(ack_for_failure(&Bytes::from(invite.clone()), &response()));
        assert!(ack.contains("\r\nMax-Forwards: 70\r\n"), "{ack}");
        assert!(
            text(cancel(&Bytes::from(invite), &HeaderList::new())).contains("-Forwards: 70\r\n")
        );
    }

    #[test]
    fn an_invite_beyond_the_limits_is_still_acknowledged() {
        let long = "X".repeat(70_000);
        let invite = INVITE.replace("Require: 100rel", &alloc::format!("Subject: {long}"));
        assert!(Message::parse(invite.clone().into()).is_err());
        assert!(ack_for_failure(&invite.into(), &response()).is_some());
    }

    #[test]
    fn bytes_that_are_no_request_give_nothing() {
        for bytes in [&b""[..], b"noise\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"] {
            let bytes = Bytes::from_static(bytes);
            assert_eq!(ack_for_failure(&bytes, &response()), None);
            assert_eq!(cancel(&bytes, &HeaderList::new()), None);
        }
    }
}
