//! Dialogs (RFC 3261 §12) as plain data: identifiers, route set, remote target, sequence numbers.
//!
//! A dialog knows no timer and no transaction. It copies what it keeps into one compact
//! allocation, so it pins no datagram.

mod text;

use alloc::borrow::Cow;

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
        Self::uas_of(request, contact_of(request), local_tag, secure)
    }

    /// [`uas`](Self::uas), when the Contact has been read.
    pub(crate) fn uas_of(
        request: &Request,
        contact: Option<Uri<'_>>,
        local_tag: &str,
        secure: bool,
    ) -> Self {
        let target = contact.unwrap_or_else(|| request.from().uri());
        // A route is pre-loaded in the order of Record-Route at the UAS.
        let target = as_request_uri(target);
        let tag = b";tag=".len().saturating_add(local_tag.len());
        let parts = [
            request.call_id_bytes(),
            request.to_value(),
            request.from_value(),
            &target,
        ];
        let mut text = Text::new(room(&parts).saturating_add(tag));
        text.call_id(request.call_id_bytes())
            .local_with_tag(request.to_value(), request.to_tag_bytes(), local_tag)
            .remote(request.from_value(), request.tag_of_from())
            .target(&target);
        put_routes(&mut text, record_routes(request));
        text.finish();
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
        let target = target_of(response, origin.uri);
        let parts = [origin.call_id, origin.from, response.to_value(), &target];
        let mut text = Text::new(room(&parts));
        text.call_id(origin.call_id)
            .local(origin.from)
            .remote(response.to_value(), response.to_tag_bytes())
            .target(&target);
        put_response_routes(&mut text, response);
        text.finish();
        Self {
            text,
            phase: Phase::Early,
            secure: origin.secure,
            local_cseq: Some(origin.cseq),
            remote_cseq: None,
        }
    }

    /// The UAC's 2xx (§13.2.2.4): confirmed, with route set and remote target computed anew
    /// from it, and frozen from then on. All else stays.
    pub fn confirm(&mut self, response: &Response) {
        if self.says_the_same(response) {
            self.phase = Phase::Confirmed;
            return;
        }
        let old = &self.text;
        let target = target_of(response, old.target_bytes());
        let parts = [
            old.call_id_bytes(),
            old.local_bytes(),
            old.remote_bytes(),
            &target,
        ];
        let mut text = Text::new(room(&parts));
        text.call_id(old.call_id_bytes())
            .local_of(old)
            .remote_of(old)
            .target(&target);
        put_response_routes(&mut text, response);
        text.finish();
        self.text = text;
        self.phase = Phase::Confirmed;
    }

    /// Whether a response has the Contact, to the letter, that made this dialog, and there are no
    /// routes.
    fn says_the_same(&self, response: &Response) -> bool {
        let contact = response.first(Name::Contact).unwrap_or_default();
        let uri = contact.strip_prefix(b"<");
        let uri = uri.and_then(|rest| rest.strip_suffix(b">"));
        uri == Some(self.text.target_bytes())
            && self.text.has_no_routes()
            && response.first(Name::RecordRoute).is_none()
    }

    /// The UAS sent its 2xx.
    pub fn confirm_as_uas(&mut self) {
        self.phase = Phase::Confirmed;
    }

    /// What it holds outside itself.
    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.text.heap_bytes()
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

    /// Whether the other side has this tag, or none.
    pub(crate) fn is_with(&self, remote_tag: Option<&[u8]>) -> bool {
        self.text.remote_tag_bytes() == remote_tag
    }

    /// What names it: Call-ID, local tag, remote tag.
    pub(crate) fn id_bytes(&self) -> [&[u8]; 3] {
        let remote_tag = self.text.remote_tag_bytes();
        [
            self.text.call_id_bytes(),
            self.local_tag_bytes(),
            remote_tag.unwrap_or_default(),
        ]
    }

    /// The tag of this side.
    pub(crate) fn local_tag_bytes(&self) -> &[u8] {
        self.text.local_tag_bytes().unwrap_or_default()
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
        let target = as_request_uri(contact);
        if *target == *self.remote_target() {
            return false;
        }
        let old = &self.text;
        let mut text = Text::new(old.len().saturating_add(target.len()));
        text.call_id(old.call_id_bytes())
            .local_of(old)
            .remote_of(old)
            .target(&target);
        self.text = with_routes_of(text, old);
        true
    }

    /// This side goes by another address from now on: its From has this name-addr, and the tag that
    /// it had (RFC 4916 4.4.1).
    pub fn rename_local(&mut self, address: &[u8]) {
        let old = &self.text;
        let tag = old.local_tag().unwrap_or("");
        let room = old.len().saturating_add(address.len());
        let mut text = Text::new(room.saturating_add(tag.len()));
        text.call_id(old.call_id_bytes())
            .local_with_tag(address, None, tag)
            .remote_of(old)
            .target(old.target_bytes());
        self.text = with_routes_of(text, old);
    }

    /// The other side goes by another address: the From of a request within the dialog that was
    /// accepted, tag included, is the To of this side's requests (RFC 4916 4.4.2).
    pub fn rename_remote(&mut self, from: &[u8]) {
        let old = &self.text;
        let mut text = Text::new(old.len().saturating_add(from.len()));
        let tag = NameAddr::tag_of(from).ok().flatten();
        text.call_id(old.call_id_bytes())
            .local_of(old)
            .remote(from, tag)
            .target(old.target_bytes());
        self.text = with_routes_of(text, old);
    }

    /// The URI that the next hop of this side's requests is found from (§8.1.2, §12.2.1.1): the
    /// first of the route set, or the remote target.
    pub fn next_hop(&self) -> &[u8] {
        self.text
            .routes()
            .next()
            .map_or(self.remote_target(), uri_of)
    }

    /// A request of this side within the dialog (§12.2.1.1): Request-URI, Route, From, To,
    /// Call-ID and CSeq stand; Via, Contact and the rest are the caller's.
    pub fn request<'a>(&'a self, method: Method<'a>, cseq: u32) -> RequestWriter<'a> {
        routed(method, self.remote_target(), self.text.routes())
            .secure(self.secure)
            .from(self.local())
            .to(self.remote())
            .call_id(self.text.call_id_bytes())
            .cseq(cseq)
            .on_one_line()
    }
}

/// Request-URI and Route of a request to `target` over a route set of name-addrs (§12.2.1.1).
pub(crate) fn routed<'a>(
    method: Method<'a>,
    target: &'a [u8],
    routes: impl Iterator<Item = &'a [u8]>,
) -> RequestWriter<'a> {
    let mut routes = routes.peekable();
    match routes.peek().map(|first| uri_of(first)) {
        // The first hop is a strict router: it is the Request-URI, the target goes last.
        Some(uri) if !is_loose(uri) => RequestWriter::new(method, uri)
            .routes(routes.skip(1))
            .route_uri(target),
        Some(_) => RequestWriter::new(method, target).routes(routes),
        None => RequestWriter::new(method, target),
    }
}

/// The URI without what must not stand in a Request-URI: headers and `method` (§12.2.1.1,
/// §19.1.1 table 1).
pub(crate) fn as_request_uri(uri: Uri<'_>) -> Cow<'_, [u8]> {
    let bytes = uri.as_bytes();
    let Some(sip) = uri.as_sip() else {
        return bytes.into();
    };
    let headers = sip
        .headers()
        .map_or(0, |headers| headers.len().saturating_add(1));
    let kept = bytes.len().saturating_sub(headers);
    let kept = bytes.get(..kept).unwrap_or(bytes);
    if sip.method_param().is_none() {
        return kept.into();
    }
    // A user part may hold semicolons; behind its `@` they part parameters.
    let host = memchr::memrchr(b'@', kept).unwrap_or(0);
    let (user, rest) = kept.split_at_checked(host).unwrap_or((&[], kept));
    let mut out = user.to_vec();
    let is_method = |part: &&[u8]| {
        let name = part.split(|b| *b == b'=').next().unwrap_or(part);
        name.eq_ignore_ascii_case(b"method")
    };
    for (at, part) in rest.split(|b| *b == b';').enumerate() {
        if at == 0 {
            out.extend_from_slice(part);
        } else if !is_method(&part) {
            out.push(b';');
            out.extend_from_slice(part);
        }
    }
    out.into()
}

/// The remote target from a response (§12.1.2): its Contact.
fn target_of<'a>(response: &'a Response, fallback: &'a [u8]) -> Cow<'a, [u8]> {
    match contact_of(response) {
        Some(contact) => as_request_uri(contact),
        None => fallback.into(),
    }
}

/// The text, complete but for the routes of the old one.
fn with_routes_of(mut text: Text, old: &Text) -> Text {
    for route in old.routes() {
        text.route(route);
    }
    text.finish();
    text
}

/// The length of all parts. Routes are rare, and make it grow.
fn room(parts: &[&[u8]]) -> usize {
    parts
        .iter()
        .fold(0, |room, part| room.saturating_add(part.len()))
}

/// The route set from a response (§12.1.2): Record-Route reversed.
fn put_response_routes(text: &mut Text, response: &Response) {
    if response.first(Name::RecordRoute).is_none() {
        return;
    }
    let routes: smallvec::SmallVec<[&[u8]; 8]> = record_routes(response).collect();
    put_routes(text, routes.into_iter().rev());
}

/// The route set, as URIs in angle brackets. A strict router at its head is only ever the
/// Request-URI.
fn put_routes<'a>(text: &mut Text, uris: impl Iterator<Item = &'a [u8]>) {
    for (at, uri) in uris.enumerate() {
        match Uri::parse(uri) {
            Ok(parsed) if at == 0 && !is_loose(uri) => text.route_uri(&as_request_uri(parsed)),
            Ok(_) | Err(_) => text.route_uri(uri),
        };
    }
}

/// The URI of the first Contact, if there is one.
pub(crate) fn contact_of(message: &Message) -> Option<Uri<'_>> {
    // Nearly always there is nothing else in it.
    let alone = NameAddr::uri_alone(message.first(Name::Contact)?);
    alone.or_else(|| first_contact(message))
}

fn first_contact(message: &Message) -> Option<Uri<'_>> {
    message
        .contacts()
        .filter_map(Result::ok)
        .find_map(|contact| match contact {
            ContactValue::Addr(address) => Some(address.uri()),
            ContactValue::Star => None,
        })
}

/// The URIs of Record-Route, over all rows and commas. Parameters of the header are not theirs
/// (§12.1.1); of a value that lacks its angle brackets, all are taken for the URI's.
fn record_routes(message: &Message) -> impl Iterator<Item = &[u8]> {
    let values = message.all(Name::RecordRoute).flat_map(split_commas);
    values.filter_map(|value| {
        let address = NameAddr::parse(value).ok()?;
        // What begins with a name or an angle bracket is no URI.
        let whole = Uri::parse(value).unwrap_or(address.uri());
        Some(whole.as_bytes())
    })
}

/// The URI of a Route value.
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

#[cfg(test)]
mod tests;
