//! Messages: parse, index, read, edit, write.

/// Why bytes are not a SIP message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ParseError;
