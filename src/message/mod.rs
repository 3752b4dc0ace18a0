//! Messages: parse, index, read, edit, write.
//!
//! [`parse`] turns a datagram into a checked [`Request`] or [`Response`]; [`Message`] is the index
//! below them, for messages that need no check. Values are read when asked for and borrow from the
//! datagram. A [`Reply`] is what it takes to answer a request. [`Edit`] changes a message and keeps
//! the rest of its bytes; [`RequestWriter`] and [`Builder`] make new ones.
//!
//! What is read is lenient where RFC 3261 and RFC 4475 say so: folded lines, white space before a
//! colon, any bytes in a value. A bare CR or LF in the start line or the headers is refused, since
//! two readers that disagree on where a line ends read two different messages. What is written is
//! strict.
//!
//! ```
//! use drongo::limits::Limits;
//! use drongo::message::{HeaderList, Incoming, Method, Reply, StatusCode, parse};
//!
//! let datagram = b"OPTIONS sip:carol@chicago.example.com SIP/2.0\r\n\
//!     Via: SIP/2.0/UDP pc33.example.com;branch=z9hG4bKhjhs8ass877;rport\r\n\
//!     To: <sip:carol@chicago.example.com>\r\n\
//!     From: Alice <sip:alice@example.com>;tag=1928301774\r\n\
//!     Call-ID: a84b4c76e66710\r\n\
//!     CSeq: 63104 OPTIONS\r\n\r\n";
//! let Incoming::Request(mut request) = parse(datagram.as_slice().into(), &Limits::DEFAULT)? else {
//!     unreachable!("it has a request line");
//! };
//! assert_eq!(request.method(), Method::Options);
//! request.stamp_source(([192, 0, 2, 1], 5062).into());
//!
//! let headers = HeaderList::new();
//! let bytes = Reply::new(&request).write(StatusCode::OK, None, Some("93810874"), &headers, None);
//! assert!(bytes.starts_with(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP pc33.example.com;"));
//! # Ok::<(), drongo::message::ParseError>(())
//! ```

mod body;
mod bounds;
mod builder;
mod call_id_of;
mod content_type;
mod cseq;
pub mod derive;
mod draft;
mod edit;
mod error;
mod escape;
mod faults;
mod glance;
mod header_block;
mod headers;
mod host;
mod id;
mod index;
mod lexer;
mod list;
mod method;
#[cfg(test)]
mod mutation;
mod name;
mod name_addr;
mod params;
mod plain;
#[cfg(test)]
mod plain_laws;
mod presence;
mod print;
mod put;
mod reply;
mod request;
mod request_writer;
mod scan;
mod simple;
mod sip_uri;
mod span;
mod start_line;
mod status;
mod survey;
mod tel_number;
mod tel_uri;
mod uri;
mod uri_parts;
mod uri_request;
mod value_error;
#[cfg(test)]
mod value_laws;
mod values;
mod via;
mod via_stamp;
mod words;
mod write;

pub use body::{BodyError, BodyErrorKind, Fields, FragStart, Multipart, Part, Parts, SipFrag};
pub(crate) use bounds::is_comma_list;
pub use builder::Builder;
pub use call_id_of::call_id_of;
pub use content_type::ContentType;
pub use cseq::{CSeq, RAck};
pub use draft::{Draft, Origin};
pub(crate) use draft::{TRANSPORT_TLS, contact_host};
pub use edit::Edit;
pub use error::{ParseError, ParseErrorKind};
pub use escape::{escape_header, escape_param, escape_password, escape_user, percent_decode};
pub use faults::{Fault, FaultKind};
pub(crate) use glance::{Glance, TopVia};
pub use headers::{
    AnswerMode, AuthInfo, AuthParams, Challenge, Coding, Credentials, Date, Disposition, Diversion,
    Event, FeatureSet, HistoryEntry, Identity, InfoPackage, Join, LanguageRange, MinSe, Priority,
    Privacy, Product, Products, Reason, ReferSub, Reference, ReferredBy, Replaces,
    SecurityMechanism, SessionExpires, SubscriptionState, TargetDialog, Warning,
};
pub use host::Host;
pub use id::Id;
pub(crate) use index::stream_length;
pub use index::{Header, Message, Rows};
pub use list::{SplitCommas, Tokens, split_call_ids, split_commas};
pub use method::Method;
pub use name::Name;
pub use name_addr::{ContactValue, NameAddr};
pub use params::{MAX_PARAMS, Param, ParamIter, Params, unquote};
pub use presence::Presence;
pub use reply::Reply;
pub(crate) use reply::salvage;
pub(crate) use request::{Boxed, parse_boxed};
pub use request::{Incoming, Request, Response, parse};
pub use request_writer::RequestWriter;
pub(crate) use scan::is_token;
pub use simple::{
    RetryAfter, Timestamp, parse_call_id, parse_content_length, parse_delta_seconds,
    parse_max_forwards, parse_rseq,
};
pub use sip_uri::SipUri;
pub(crate) use span::range_in;
pub use status::StatusCode;
pub use tel_number::TelNumber;
pub use tel_uri::TelUri;
pub use uri::{OtherUri, Uri, UriBuf};
pub use uri_parts::{UriPart, UriPlace};
pub use uri_request::UriRequest;
pub use value_error::{ValueError, ValueErrorKind};
pub use values::{Values, WholeRows};
pub(crate) use via::SentBy;
pub use via::{MAGIC_COOKIE, Via};
pub(crate) use write::is_reserved;
pub use write::{Body, HeaderList, Outgoing};
