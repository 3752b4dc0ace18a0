//! Dialogs (RFC 3261 §12) as plain data: identifiers, route set, remote target, sequence numbers.
//!
//! A dialog knows no timer and no transaction. It copies what it keeps into one compact
//! allocation, so it pins no datagram.

mod text;

use crate::message::{
    ContactValue, Message, Method, Name, NameAddr, Request, RequestWriter, Response, Uri,
    split_commas,
};
use text::Text;

/// Whether a dialog has seen its 2xx (§12).
///
/// Exhaustive on purpose: the RFC has these two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// A provisional response made it.
    Early,
    /// A 2xx made it or confirmed it.
    Confirmed,
}

/// A request came with a CSeq that is not above the last one (§12.2.2): answer 500.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[error("CSeq {got} is not above {last}")]
pub struct OutOfOrder {
    /// The number that came.
    pub got: u32,
    /// The highest number so far.
    pub last: u32,
}

/// A dialog, as one of its two ends sees it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Dialog {
    text: Text,
    phase: Phase,
    /// §12.1.1, §12.1.2: set up by a SIPS URI over TLS.
    secure: bool,
    /// §12.1: empty until the first request of this side.
    local_cseq: Option<u32>,
    /// Empty until the first request of the other side.
    remote_cseq: Option<u32>,
}

/// What a UAC's request brings to the dialogs that its responses make (§12.1.2).
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The Call-ID.
    pub call_id: &'a [u8],
    /// The From value, tag included.
    pub from: &'a [u8],
    /// The Request-URI: the remote target when a response has no Contact.
    pub uri: &'a [u8],
    /// The number of the request's CSeq.
    pub cseq: u32,
    /// Whether the request went to a SIPS URI.
    pub secure: bool,
}

impl Dialog {
    /// The dialog that a UAS makes with its response to `request` (§12.1.1). `local_tag` is the
    /// To tag of that response.
    ///
    /// A request without Contact is tolerated: the URI of its From stands in. One without a From
    /// tag makes a dialog without a remote tag (§12.1.1 requires it, for RFC 2543 clients).
    pub fn uas(request: &Request, local_tag: &str, secure: bool) -> Self {
        let target = contact_of(request).unwrap_or_else(|| request.from().uri());
        // A route is pre-loaded in the order of Record-Route at the UAS.
        let mut text = Text::new();
        text.call_id(request.call_id().as_bytes())
            .local_with_tag(request.to_value(), local_tag)
            .remote(request.from_value())
            .target(target.as_bytes());
        for route in record_routes(request) {
            text.route(route);
        }
        Self {
            text,
            phase: Phase::Early,
            secure,
            local_cseq: None,
            remote_cseq: Some(request.cseq().number),
        }
    }

    /// The dialog that a UAC makes when `response` to its request comes (§12.1.2). It is early;
    /// a 2xx then [confirms](Self::confirm) it.
    ///
    /// A response without To tag or Contact is tolerated.
    pub fn uac(origin: Origin<'_>, response: &Response) -> Self {
        let mut text = Text::new();
        text.call_id(origin.call_id)
            .local(origin.from)
            .remote(response.to_value());
        fill_from_response(&mut text, origin.uri, response);
        Self {
            text,
            phase: Phase::Early,
            secure: origin.secure,
            local_cseq: Some(origin.cseq),
            remote_cseq: None,
        }
    }

    /// The UAC's 2xx (§13.2.2.4): confirmed, with route set and remote target computed anew
    /// from it, and frozen from then on.
    pub fn confirm(&mut self, response: &Response) {
        let mut text = Text::new();
        text.call_id(self.text.call_id_bytes())
            .local(self.text.local_bytes());
        text.remote(response.to_value());
        fill_from_response(&mut text, self.text.target_bytes(), response);
        self.text = text;
        self.phase = Phase::Confirmed;
    }

    /// The UAS sent its 2xx.
    pub fn confirm_as_uas(&mut self) {
        self.phase = Phase::Confirmed;
    }

    /// Early or confirmed.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The Call-ID.
    pub fn call_id(&self) -> &str {
        self.text.call_id_str()
    }

    /// The tag of this side.
    pub fn local_tag(&self) -> &str {
        self.text.local_tag().unwrap_or("")
    }

    /// The tag of the other side; `None` for an RFC 2543 peer (§12.1).
    pub fn remote_tag(&self) -> Option<&str> {
        self.text.remote_tag()
    }

    /// The From value of this side's requests.
    pub fn local(&self) -> &[u8] {
        self.text.local_bytes()
    }

    /// The To value of this side's requests.
    pub fn remote(&self) -> &[u8] {
        self.text.remote_bytes()
    }

    /// Where requests of this side are addressed: the other side's Contact.
    pub fn remote_target(&self) -> &[u8] {
        self.text.target_bytes()
    }

    /// The route set in the order in which this side uses it.
    pub fn routes(&self) -> impl Iterator<Item = &[u8]> {
        self.text.routes()
    }

    /// Whether every hop must be reached over TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The CSeq of the last request of this side.
    pub fn local_cseq(&self) -> Option<u32> {
        self.local_cseq
    }

    /// The highest CSeq of the other side's requests.
    pub fn remote_cseq(&self) -> Option<u32> {
        self.remote_cseq
    }

    /// The CSeq of the next request of this side (§12.2.1.1): one more than the last. ACK and
    /// CANCEL have that of their INVITE.
    pub fn next_cseq(&mut self) -> u32 {
        let next = self
            .local_cseq
            .map_or(1, |last| last.wrapping_add(1) & 0x7fff_ffff)
            .max(1);
        self.local_cseq = Some(next);
        next
    }

    /// Takes the CSeq of a request of the other side (§12.2.2). A gap is fine; ACK and CANCEL are
    /// not to be taken here.
    ///
    /// # Errors
    ///
    /// [`OutOfOrder`] if the number is not above the last: the request gets a 500.
    pub fn accept_cseq(&mut self, got: u32) -> Result<(), OutOfOrder> {
        match self.remote_cseq {
            Some(last) if got <= last => Err(OutOfOrder { got, last }),
            Some(_) | None => {
                self.remote_cseq = Some(got);
                Ok(())
            }
        }
    }

    /// A target refresh (§12.2.1.2, §12.2.2): the Contact of a re-INVITE or its 2xx replaces the
    /// remote target, never the route set. Returns whether it changed.
    pub fn refresh_target(&mut self, contact: Uri<'_>) -> bool {
        if contact.as_bytes() == self.remote_target() {
            return false;
        }
        let mut text = Text::new();
        text.call_id(self.text.call_id_bytes())
            .local(self.text.local_bytes())
            .remote(self.text.remote_bytes())
            .target(contact.as_bytes());
        for route in self.text.routes() {
            text.route(route);
        }
        self.text = text;
        true
    }

    /// The URI that the next hop of this side's requests is found from (§8.1.2, §12.2.1.1).
    pub fn next_hop(&self) -> &[u8] {
        self.text
            .routes()
            .next()
            .map_or(self.remote_target(), uri_of)
    }

    /// A request of this side within the dialog (§12.2.1.1): Request-URI, Route, From, To,
    /// Call-ID and CSeq stand; Via, Contact and the rest are the caller's.
    pub fn request<'a>(&'a self, method: Method<'a>, cseq: u32) -> RequestWriter<'a> {
        let first = self.text.routes().next();
        let strict = first.map(uri_of).filter(|uri| !is_loose(uri));
        let writer = match strict {
            // The first hop is a strict router: it is the Request-URI, the target goes last.
            Some(uri) => RequestWriter::new(method, uri)
                .routes(self.text.routes().skip(1))
                .route_uri(self.remote_target()),
            None => RequestWriter::new(method, self.remote_target()).routes(self.text.routes()),
        };
        writer
            .from(self.local())
            .to(self.remote())
            .call_id(self.text.call_id_bytes())
            .cseq(cseq)
    }
}

/// Remote target and route set from a response (§12.1.2): Contact, and Record-Route reversed.
fn fill_from_response(text: &mut Text, fallback: &[u8], response: &Response) {
    text.target(contact_of(response).map_or(fallback, |uri| uri.as_bytes()));
    let routes: smallvec::SmallVec<[&[u8]; 8]> = record_routes(response).collect();
    for route in routes.iter().rev() {
        text.route(route);
    }
}

/// The URI of the first Contact, if there is one.
pub(crate) fn contact_of(message: &Message) -> Option<Uri<'_>> {
    message
        .contacts()
        .filter_map(Result::ok)
        .find_map(|contact| match contact {
            ContactValue::Addr(address) => Some(address.uri()),
            ContactValue::Star => None,
        })
}

/// The Record-Route values as they came, over all rows and commas.
fn record_routes(message: &Message) -> impl Iterator<Item = &[u8]> {
    let values = message.all(Name::RecordRoute).flat_map(split_commas);
    values.filter(|value| NameAddr::parse(value).is_ok())
}

/// The URI of a Route value; a value that does not parse was refused when it came.
fn uri_of(route: &[u8]) -> &[u8] {
    NameAddr::parse(route).map_or(route, |route| route.uri().as_bytes())
}

/// Whether the URI has `lr` (§16.12.1.1), or is of a scheme that has no such parameter.
fn is_loose(uri: &[u8]) -> bool {
    match Uri::parse(uri) {
        Ok(Uri::Sip(sip)) => sip.lr(),
        Ok(_) | Err(_) => true,
    }
}
