#![cfg_attr(not(any(feature = "tokio", test)), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
//! SIP as state machines: bytes and time go in, actions come out.

extern crate alloc;

pub mod error;
pub mod limits;
pub mod machine;
pub mod message;
pub mod sink;
pub mod time;
pub mod transport;
