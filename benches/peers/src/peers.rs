//! The parsers, each used as its own documentation or its own stack uses it.

use std::fmt::Display;

use bytes::Bytes;

/// One parser.
pub(crate) trait Peer {
    /// The crate, as in Cargo.toml.
    const NAME: &'static str;
    /// What its parse leaves for later.
    const PARSE: &'static str;

    type Message;
    type Error;

    /// A whole message. What comes back is what the crate returns, and is not moved again: some
    /// messages are large.
    fn parse(bytes: &Bytes) -> Result<Self::Message, Self::Error>;

    /// Top Via branch, From tag, To tag, Call-ID, CSeq number and method, Contact URI, in this
    /// order, as the typed values of the crate; `None` where one is refused.
    fn read(message: &Self::Message, values: &mut impl Values) -> Option<()>;

    /// From bytes to the values.
    fn parse_and_read(bytes: &Bytes, values: &mut impl Values) -> Option<()> {
        match &Self::parse(bytes) {
            Ok(message) => Self::read(message, values),
            Err(_) => None,
        }
    }
}

/// Where the values go: to be compared, or nowhere.
pub(crate) trait Values {
    fn value<T: Display>(&mut self, value: Option<&T>);
    fn bytes(&mut self, value: Option<&[u8]>);
}

pub(crate) struct Drongo;

impl Peer for Drongo {
    const NAME: &'static str = "drongo";
    const PARSE: &'static str = "the index of a message; no value";
    type Message = drongo::message::Message;
    type Error = drongo::message::ParseError;

    fn parse(bytes: &Bytes) -> Result<Self::Message, Self::Error> {
        Self::Message::parse(bytes.clone())
    }

    fn read(_: &Self::Message, _: &mut impl Values) -> Option<()> {
        unreachable!("a Message is no Request yet: parse_and_read reads that")
    }

    fn parse_and_read(bytes: &Bytes, values: &mut impl Values) -> Option<()> {
        use drongo::limits::Limits;
        use drongo::message::{ContactValue, Incoming};

        macro_rules! essentials {
            ($of:expr) => {{
                values.value($of.branch().as_ref());
                values.value($of.from_tag().as_ref());
                values.value($of.to_tag().as_ref());
                values.value(Some(&$of.call_id()));
                values.value(Some(&$of.cseq().number));
                values.value(Some(&$of.cseq().method));
                $of.message()
            }};
        }
        let incoming = drongo::message::parse(bytes.clone(), &Limits::DEFAULT);
        let message = match &incoming {
            Ok(Incoming::Request(request)) => essentials!(request),
            Ok(Incoming::Response(response)) => essentials!(response),
            Err(_) => return None,
        };
        match message.contacts().next().transpose().ok()? {
            Some(ContactValue::Addr(address)) => values.value(Some(&address.uri())),
            Some(_) | None => values.bytes(None),
        }
        Some(())
    }
}

pub(crate) struct Rsip;

impl Peer for Rsip {
    const NAME: &'static str = "rsip";
    const PARSE: &'static str = "start line typed, headers as strings by name";
    type Message = rsip::SipMessage;
    type Error = rsip::Error;

    fn parse(bytes: &Bytes) -> Result<Self::Message, Self::Error> {
        Self::Message::try_from(&bytes[..])
    }

    fn read(message: &Self::Message, values: &mut impl Values) -> Option<()> {
        use rsip::headers::{ToTypedHeader, UntypedHeader};
        use rsip::message::HeadersExt;

        let via = message.via_header().ok()?.typed().ok()?;
        values.value(via.branch());
        let from = message.from_header().ok()?.typed().ok()?;
        values.value(from.tag().map(|tag| tag.value()).as_ref());
        let to = message.to_header().ok()?.typed().ok()?;
        values.value(to.tag().map(|tag| tag.value()).as_ref());
        values.value(Some(&message.call_id_header().ok()?.value()));
        let cseq = message.cseq_header().ok()?.typed().ok()?;
        values.value(Some(&cseq.seq));
        values.value(Some(&cseq.method));
        match message.contact_header() {
            Ok(contact) => values.value(Some(&contact.typed().ok()?.uri)),
            Err(_) => values.bytes(None),
        }
        Some(())
    }
}

pub(crate) struct Rsipstack;

impl Peer for Rsipstack {
    const NAME: &'static str = "rsipstack";
    const PARSE: &'static str = "start line typed, headers as strings by name";
    type Message = rsipstack::sip::SipMessage;
    type Error = rsipstack::sip::Error;

    fn parse(bytes: &Bytes) -> Result<Self::Message, Self::Error> {
        rsipstack::sip::parser::parse_message(bytes)
    }

    fn read(message: &Self::Message, values: &mut impl Values) -> Option<()> {
        use rsipstack::sip::{HeadersExt, ToTypedHeader};

        let via = message.top_via_header().ok()?.into_typed().ok()?;
        values.value(via.branch().map(|branch| branch.value()).as_ref());
        let from = message.from_header().ok()?.typed().ok()?;
        values.value(from.tag().map(|tag| tag.value()).as_ref());
        let to = message.to_header().ok()?.typed().ok()?;
        values.value(to.tag().map(|tag| tag.value()).as_ref());
        values.value(Some(&message.call_id_header().ok()?.value()));
        let cseq = message.cseq_header().ok()?.typed().ok()?;
        values.value(Some(&cseq.seq));
        values.value(Some(&cseq.method));
        match message.contact_header() {
            Ok(contact) => values.value(Some(&contact.typed().ok()?.uri)),
            Err(_) => values.bytes(None),
        }
        Some(())
    }
}

pub(crate) struct Ezk;

impl Peer for Ezk {
    const NAME: &'static str = "ezk-sip-types";
    const PARSE: &'static str = "start line typed, headers as strings in a multimap";
    type Message = (
        ezk_sip_types::msg::MessageLine,
        ezk_sip_types::Headers,
        Bytes,
    );
    type Error = ();

    /// It has the pieces only; this is how its stack puts them together, without Content-Length.
    fn parse(bytes: &Bytes) -> Result<Self::Message, Self::Error> {
        use ezk_sip_types::msg::{Line, MessageLine, PullParser};
        use ezk_sip_types::parse::Parse;

        let mut lines = PullParser::new(bytes, 0);
        let first = lines.next().ok_or(())?.map_err(drop)?;
        let first = std::str::from_utf8(first).map_err(drop)?;
        let (_, start) = MessageLine::parse(bytes)(first).map_err(drop)?;
        let mut headers = ezk_sip_types::Headers::new();
        for line in &mut lines {
            let line = std::str::from_utf8(line.map_err(drop)?).map_err(drop)?;
            let (_, line) = Line::parse(bytes, line).map_err(drop)?;
            headers.insert(line.name, line.value);
        }
        Ok((start, headers, bytes.slice(lines.head_end()..)))
    }

    fn read((_, headers, _): &Self::Message, values: &mut impl Values) -> Option<()> {
        use ezk_sip_types::Name;
        use ezk_sip_types::header::typed::{CSeq, CallID, Contact, FromTo, Via};
        use ezk_sip_types::print::AppendCtx;

        let via: Via = headers.get_named().ok()?;
        values.value(via.params.get_val("branch"));
        let from: FromTo = headers.get(Name::FROM).ok()?;
        values.value(from.tag.as_ref());
        let to: FromTo = headers.get(Name::TO).ok()?;
        values.value(to.tag.as_ref());
        let call_id: CallID = headers.get_named().ok()?;
        values.value(Some(&call_id.0));
        let cseq: CSeq = headers.get_named().ok()?;
        values.value(Some(&cseq.cseq));
        values.value(Some(&cseq.method));
        match headers.try_get_named::<Contact>().transpose().ok()? {
            Some(contact) => values.value(Some(&contact.uri.uri.default_print_ctx())),
            None => values.bytes(None),
        }
        Some(())
    }
}

pub(crate) struct Sipx;

impl Peer for Sipx {
    const NAME: &'static str = "sipx-sip";
    const PARSE: &'static str = "start line typed, headers as slices by name";
    type Message = sipx_sip::Message;
    type Error = sipx_sip::error::ParseError;

    fn parse(bytes: &Bytes) -> Result<Self::Message, Self::Error> {
        sipx_sip::parse_datagram(bytes.clone(), &sipx_sip::Limits::datagram())
    }

    fn read(message: &Self::Message, values: &mut impl Values) -> Option<()> {
        use sipx_sip::headers::{CSeq, CallId, ContactValue, From, To, Via};

        let headers = message.headers();
        let via = headers.typed::<Via>()?.ok()?;
        values.bytes(via.param("branch"));
        let from = headers.typed::<From>()?.ok()?;
        values.bytes(from.tag());
        let to = headers.typed::<To>()?.ok()?;
        values.bytes(to.tag());
        values.bytes(Some(&headers.typed::<CallId>()?.ok()?.0));
        let cseq = headers.typed::<CSeq>()?.ok()?;
        values.value(Some(&cseq.sequence));
        values.bytes(Some(cseq.method.as_bytes()));
        match headers.typed::<ContactValue>().transpose().ok()? {
            Some(ContactValue::Address(address)) => values.value(Some(&address.uri)),
            Some(ContactValue::Wildcard) | None => values.bytes(None),
        }
        Some(())
    }
}

pub(crate) struct Rsiprtp;

impl Peer for Rsiprtp {
    const NAME: &'static str = "rsiprtp";
    const PARSE: &'static str = "Request-URI checked, headers as strings by name";
    type Message = rsiprtp::sip::SipMessage;
    type Error = rsiprtp::core::Error;

    fn parse(bytes: &Bytes) -> Result<Self::Message, Self::Error> {
        Self::Message::parse(bytes)
    }

    fn read(message: &Self::Message, values: &mut impl Values) -> Option<()> {
        use rsiprtp::sip::SipMessage;

        macro_rules! essentials {
            ($of:expr) => {{
                values.value(Some(&$of.via_branch().ok()?));
                values.value(Some(&$of.from_tag().ok()?));
                values.value($of.to_tag().as_ref());
                values.value(Some(&$of.call_id().ok()?));
                values.value(Some(&$of.cseq().ok()?));
                values.value(Some(&$of.cseq_method().ok()?));
                values.value($of.contact_uri().as_ref());
            }};
        }
        match message {
            SipMessage::Request(request) => essentials!(request),
            SipMessage::Response(response) => essentials!(response),
        }
        Some(())
    }
}
