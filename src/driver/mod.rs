//! Drivers: the only code that reads a clock, a socket or the entropy of the operating system.
//!
//! A driver is a loop: read, stamp, `receive`, perform, sleep until `deadline`. None knows a rule
//! of SIP.
//!
//! Those here have the same face: [`Listen`] says where, `Driver::bind` makes one driver of it,
//! and `Driver::bind_shards` several that share the work by Call-ID (see [`shard`](crate::shard)),
//! one for each thread. `next_event` runs it, `act` does something with its endpoint, `place` and
//! `ask` call others.

mod bound;
mod clock;
mod core;
mod counters;
mod datagrams;
mod listen;
mod names;
pub mod observe;
mod peers;
mod pool;

#[cfg(feature = "mio")]
#[cfg_attr(docsrs, doc(cfg(feature = "mio")))]
pub mod mio;
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub mod tokio;

pub use counters::Counters;
pub use listen::Listen;

use std::io;

/// What a driver cannot be made of.
fn wrong(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("a driver needs {what}"),
    )
}
