//! Bodies: several in one (RFC 2046 5.1, RFC 5621), and pieces of messages (RFC 3420).

mod error;
mod fields;
mod multipart;
mod part;
mod sipfrag;

pub use error::{BodyError, BodyErrorKind};
pub use fields::Fields;
pub use multipart::{Multipart, Parts};
pub use part::Part;
pub use sipfrag::{FragStart, SipFrag};
