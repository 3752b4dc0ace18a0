#![cfg_attr(not(any(feature = "tokio", test)), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

extern crate alloc;

pub mod auth;
pub mod call;
pub mod deadlines;
pub mod dialog;
#[cfg(feature = "tokio")]
pub mod driver;
pub mod endpoint;
pub mod error;
pub mod handle;
pub mod limits;
pub mod machine;
pub mod message;
pub mod queued;
#[cfg(feature = "sdp")]
pub mod sdp;
pub mod seed;
#[cfg(feature = "sim")]
pub mod sim;
pub mod sink;
pub mod table;
pub mod time;
pub mod transaction;
pub mod transport;
