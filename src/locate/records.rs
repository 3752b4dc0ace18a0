//! What is asked of DNS, and what it answers.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::transport::Transport;

/// A question to DNS. Names are as a URI or a record has them, without a dot at the end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Question {
    /// The NAPTR records of a domain.
    Naptr {
        /// The domain.
        name: Box<str>,
    },
    /// The SRV records of a service.
    Srv {
        /// The service, such as `_sip._udp.example.com`.
        name: Box<str>,
    },
    /// The addresses of a host: A and AAAA, of all families that there are local addresses of.
    Addresses {
        /// The host.
        name: Box<str>,
    },
}

impl Question {
    /// The name that is looked up.
    pub fn name(&self) -> &str {
        match self {
            Self::Naptr { name } | Self::Srv { name } | Self::Addresses { name } => name,
        }
    }
}

/// What DNS answers.
///
/// Records of another kind than was asked for are none.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Records {
    /// There are none: no such name, no record of that kind, or no answer.
    None,
    /// Those of [`Question::Naptr`], in any order.
    Naptr(Vec<Naptr>),
    /// Those of [`Question::Srv`], in any order.
    Srv(Vec<Srv>),
    /// Those of [`Question::Addresses`], the best first (RFC 6724).
    Addresses(Vec<IpAddr>),
}

/// A NAPTR record (RFC 3403 4.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "drivers build records, and these are all their parts"
)]
pub struct Naptr {
    /// The lowest goes first.
    pub order: u16,
    /// Among records of one order, the lowest goes first.
    pub preference: u16,
    /// `s` for a record that leads to SRV records.
    pub flags: Box<str>,
    /// Protocol and transport, such as `SIP+D2U`.
    pub services: Box<str>,
    /// Must be empty here.
    pub regexp: Box<str>,
    /// The name of the SRV records.
    pub replacement: Box<str>,
}

/// An SRV record (RFC 2782).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "drivers build records, and these are all their parts"
)]
pub struct Srv {
    /// The lowest goes first.
    pub priority: u16,
    /// Among records of one priority, how often this one goes first.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `.` or nothing says that the service is not there.
    pub target: Box<str>,
}

/// A place to send a request to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "this is what RFC 3263 determines: transport, port and IP address"
)]
pub struct Target {
    /// The transport.
    pub transport: Transport,
    /// Address and port.
    pub remote: SocketAddr,
}
