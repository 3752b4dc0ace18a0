//! Messages: parse, index, read, edit, write.

mod content_type;
mod cseq;
mod escape;
mod host;
mod list;
mod method;
mod name_addr;
mod params;
mod print;
mod scan;
mod simple;
mod sip_uri;
mod status;
mod tel_uri;
mod uri;
mod value_error;
#[cfg(test)]
mod value_laws;
mod via;

pub use content_type::ContentType;
pub use cseq::{CSeq, RAck};
pub use escape::{escape_header, escape_param, escape_password, escape_user, percent_decode};
pub use host::Host;
pub use list::{SplitCommas, Tokens, split_call_ids, split_commas};
pub use method::Method;
pub use name_addr::{ContactValue, NameAddr};
pub use params::{MAX_PARAMS, Param, ParamIter, Params, unquote};
pub use simple::{
    RetryAfter, Timestamp, parse_call_id, parse_content_length, parse_delta_seconds,
    parse_max_forwards, parse_rseq,
};
pub use sip_uri::SipUri;
pub use status::StatusCode;
pub use tel_uri::TelUri;
pub use uri::{OtherUri, Uri, UriBuf};
pub use value_error::{ValueError, ValueErrorKind};
pub use via::{MAGIC_COOKIE, Via};

/// Why bytes are not a SIP message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ParseError;
