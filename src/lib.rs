#![cfg_attr(not(any(feature = "tokio", feature = "mio", test)), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
// The first definition of a link counts: here a path of the crate, on its own a file.
#![doc = "[`Machine`]: machine::Machine\n"]
#![doc = include_str!("../README.md")]
//! ## Where to look
//!
//! | for | see |
//! |---|---|
//! | what every machine keeps to | [`machine::Machine`], its laws; [`queued`] for those who poll |
//! | one transaction, without anything else | [`transaction`], and [`transaction::key`] for whose a message is |
//! | dialogs as data | [`dialog::Dialog`] |
//! | a call, without transactions or sockets | [`call::Call`] |
//! | all of it behind one face | [`endpoint::Endpoint`], what it says: [`endpoint::Output`], [`endpoint::Event`] |
//! | what an application may do with a call or a request | [`endpoint::CallView`], [`endpoint::RequestView`] |
//! | reading, writing and editing messages | [`message`] |
//! | addresses, flows, where a response goes | [`transport`] |
//! | bounds | [`limits::Limits`] |
//! | too much work, one's own or that of others | [`overload`] |
//! | testing an application in virtual time | `sim`, with the feature `sim` |
//! | one endpoint a core | [`shard`] |
//! | a socket and a clock | `driver`, with the feature `tokio` or `mio` |
//! | calls that are awaited | `driver::tokio::UserAgent`, with the feature `tokio` |

extern crate alloc;

pub use bytes;

pub mod auth;
pub mod call;
pub mod deadlines;
pub mod dialog;
#[cfg(any(feature = "tokio", feature = "mio"))]
pub mod driver;
pub mod endpoint;
pub mod error;
pub mod handle;
pub mod limits;
pub mod locate;
pub mod machine;
pub mod message;
pub mod overload;
pub mod queued;
#[cfg(feature = "sdp")]
pub mod sdp;
pub mod seed;
pub mod shard;
#[cfg(feature = "sim")]
pub mod sim;
pub mod sink;
pub mod table;
pub mod time;
#[cfg(any(feature = "sim", feature = "trace"))]
pub mod trace;
pub mod transaction;
pub mod transport;
