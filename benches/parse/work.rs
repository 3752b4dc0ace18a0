//! What is measured, once for the clock and once for the counter of instructions.

use std::hint::black_box;

use bytes::Bytes;
use drongo::limits::Limits;
use drongo::message::{ContactValue, Edit, Incoming, Message, Name, Request, ValueError, parse};

/// The bytes of one hop of a proxy.
const VIA: &[u8] = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK87asdks7.1;rport";
const RECORD_ROUTE: &[u8] = b"<sip:192.0.2.1;lr>";

pub(crate) fn request(bytes: &Bytes) -> Option<Request> {
    match parse(bytes.clone(), &Limits::DEFAULT).unwrap() {
        Incoming::Request(request) => Some(request),
        Incoming::Response(_) => None,
    }
}

/// From behind the start line to the empty line.
pub(crate) fn header_block(bytes: &Bytes) -> &[u8] {
    let start = memchr::memmem::find(bytes, b"\r\n").unwrap() + 2;
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").unwrap() + 4;
    &bytes[start..end]
}

/// What the yardstick reads too: it refuses folded lines.
pub(crate) fn readable(mut messages: Vec<Bytes>) -> Vec<Bytes> {
    messages.retain(|bytes| {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        httparse::parse_headers(header_block(bytes), &mut headers).is_ok()
    });
    messages
}

pub(crate) fn httparse_block(block: &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let status = httparse::parse_headers(block, &mut headers);
    assert!(matches!(status, Ok(httparse::Status::Complete(_))));
    black_box(&headers);
}

/// Top Via branch, tags, Call-ID, CSeq and Contact URI, as typed values, from the index: the whole
/// of each of the six values is read now, and nothing else.
pub(crate) fn read(message: &Message) {
    let (branch, from, to) = (message.branch(), message.from_tag(), message.to_tag());
    black_box((branch.unwrap(), from.unwrap(), to.unwrap()));
    let (call_id, cseq) = (message.call_id(), message.cseq());
    black_box((call_id.unwrap().unwrap(), cseq.unwrap().unwrap()));
    contact_uri(message.contact());
}

/// The same six from a request or response that has been checked as a whole.
pub(crate) fn read_checked(incoming: &Incoming) {
    macro_rules! essentials {
        ($of:expr) => {{
            black_box(($of.branch(), $of.from_tag(), $of.to_tag()));
            black_box(($of.call_id(), $of.cseq()));
            $of.message()
        }};
    }
    let message = match incoming {
        Incoming::Request(request) => essentials!(request),
        Incoming::Response(response) => essentials!(response),
    };
    contact_uri(message.contact());
}

fn contact_uri(contact: Option<Result<ContactValue<'_>, ValueError>>) {
    match contact {
        Some(Ok(ContactValue::Addr(address))) => {
            black_box(address.uri());
        }
        Some(Ok(ContactValue::Star)) | None => {}
        Some(Err(error)) => panic!("{error}"),
    }
}

/// What a proxy changes on the way.
pub(crate) fn hop(request: &Request) -> Bytes {
    let hops = request.max_forwards().map_or(70, Result::unwrap);
    let mut edit = Edit::new(request.message());
    edit.push_first(Name::Via, VIA).unwrap();
    edit.push_first(Name::RecordRoute, RECORD_ROUTE).unwrap();
    edit.set_max_forwards(hops - 1);
    edit.write()
}
