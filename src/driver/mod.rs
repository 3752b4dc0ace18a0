//! Drivers: the only code that reads a clock, a socket or the entropy of the operating system.
//!
//! A driver is a loop: read, stamp, `receive`, perform, sleep until `deadline`. None knows a rule
//! of SIP.

pub mod observe;

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub mod tokio;
