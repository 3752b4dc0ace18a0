//! Names and addresses, as the operating system's resolver knows them.

use std::net::ToSocketAddrs;

use crate::locate::{Question, Records};

/// Asks the resolver of the operating system, and waits for it. It knows addresses alone: NAPTR
/// and SRV count as missing.
pub(super) fn look_up(question: &Question) -> Records {
    let Question::Addresses { name } = question else {
        return Records::None;
    };
    match (&**name, 0).to_socket_addrs() {
        Ok(addresses) => Records::Addresses(addresses.map(|address| address.ip()).collect()),
        Err(_) => Records::None,
    }
}
