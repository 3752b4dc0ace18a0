//! Messages: parse, index, read, edit, write.

mod builder;
mod content_type;
mod cseq;
pub mod derive;
mod draft;
mod edit;
mod error;
mod escape;
mod header_block;
mod host;
mod index;
mod lexer;
mod list;
mod method;
mod name;
mod name_addr;
mod params;
mod print;
mod put;
mod reply;
mod request;
mod request_writer;
mod scan;
mod simple;
mod sip_uri;
mod start_line;
mod status;
mod tel_uri;
mod uri;
mod value_error;
#[cfg(test)]
mod value_laws;
mod values;
mod via;
mod via_stamp;
mod write;

pub use builder::Builder;
pub use content_type::ContentType;
pub use cseq::{CSeq, RAck};
pub use draft::{Draft, Origin};
pub use edit::Edit;
pub use error::{ParseError, ParseErrorKind};
pub use escape::{escape_header, escape_param, escape_password, escape_user, percent_decode};
pub use host::Host;
pub use index::{Header, Message, Rows};
pub use list::{SplitCommas, Tokens, split_call_ids, split_commas};
pub use method::Method;
pub use name::Name;
pub use name_addr::{ContactValue, NameAddr};
pub use params::{MAX_PARAMS, Param, ParamIter, Params, unquote};
pub use reply::Reply;
pub use request::{Incoming, Request, Response, parse};
pub use request_writer::RequestWriter;
pub use simple::{
    RetryAfter, Timestamp, parse_call_id, parse_content_length, parse_delta_seconds,
    parse_max_forwards, parse_rseq,
};
pub use sip_uri::SipUri;
pub use status::StatusCode;
pub use tel_uri::TelUri;
pub use uri::{OtherUri, Uri, UriBuf};
pub use value_error::{ValueError, ValueErrorKind};
pub use values::Values;
pub use via::{MAGIC_COOKIE, Via};
pub use write::{Body, HeaderList, Outgoing};
