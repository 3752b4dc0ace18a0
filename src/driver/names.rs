//! Names and addresses: what the operating system's resolver says, and what is kept of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};

use crate::locate::{Question, Records};

/// How many addresses are kept with their names. Those that are forgotten are looked up again when
/// they are called again; an open connection needs no name.
const NAMES: usize = 4096;

/// Which host an address was found for last.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<IpAddr, Box<str>>);

impl Names {
    pub(super) fn of(&self, address: IpAddr) -> Option<&str> {
        self.0.get(&address).map(|name| &**name)
    }

    pub(super) fn remember(&mut self, host: &str, records: &Records) {
        let Records::Addresses(addresses) = records else {
            return;
        };
        if self.0.len() >= NAMES {
            self.0.clear();
        }
        for address in addresses {
            self.0.insert(*address, host.into());
        }
    }
}

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
