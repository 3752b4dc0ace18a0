//! drongo's examples against real peers, over loopback: SIPp, Kamailio, baresip, linphonec and
//! twinkle-console as Debian packages them, SIP.js under Node, and sockets of the tests' own that send what no peer
//! would.
//!
//! They take minutes, so they are skipped, and say so, unless `DRONGO_PEERS` is set: `1` runs them
//! and fails if a peer is missing, `full` places ten times the calls. Each test has ports of its
//! own, so they may run side by side; every wait has a limit; only children are ever killed.

mod auth;
mod baresip;
mod by_hand;
mod examples;
mod garbage;
mod kamailio;
mod overload;
mod phones;
mod process;
mod scenarios;
mod sessions;
#[cfg(feature = "ws")]
mod sipjs;
mod sipp;
mod socket;
mod tcp;
#[cfg(all(feature = "sim", feature = "trace"))]
mod tshark;

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

use process::Process;

/// What a peer's program is called, and which Debian package has it.
struct Peer {
    program: &'static str,
    package: &'static str,
}

const SIPP: Peer = Peer {
    program: "sipp",
    package: "sip-tester",
};
const BARESIP: Peer = Peer {
    program: "baresip",
    package: "baresip-core",
};
const KAMAILIO: Peer = Peer {
    program: "kamailio",
    package: "kamailio",
};
const LINPHONE: Peer = Peer {
    program: "linphonec",
    package: "linphone-cli",
};
const TWINKLE: Peer = Peer {
    program: "twinkle-console",
    package: "twinkle-console",
};

#[cfg(all(feature = "trace", feature = "sim"))]
const TSHARK: Peer = Peer {
    program: "tshark",
    package: "tshark",
};

#[cfg(feature = "ws")]
const NODE: Peer = Peer {
    program: "node",
    package: "nodejs",
};

/// Whether the test called `test` is to run. It fails if it is and one of `peers` is missing.
fn wanted(test: &str, peers: &[Peer]) -> bool {
    let missing: Vec<String> = peers
        .iter()
        .filter(|peer| !is_installed(peer.program))
        .map(|peer| {
            format!(
                "{} (Debian: apt-get install {})",
                peer.program, peer.package
            )
        })
        .collect();
    if env::var_os("DRONGO_PEERS").is_some_and(|value| value != "0") {
        assert!(
            missing.is_empty(),
            "{test}: missing: {}",
            missing.join(", ")
        );
        return true;
    }
    let missing = if missing.is_empty() {
        String::new()
    } else {
        format!(", and is missing: {}", missing.join(", "))
    };
    // Written past `eprintln!`, which shows nothing of a test that passes.
    writeln!(
        io::stderr(),
        "skipped {test}: it needs DRONGO_PEERS=1{missing}"
    )
    .unwrap();
    false
}

/// Whether a run takes as long as it takes to see everything.
fn is_full() -> bool {
    env::var_os("DRONGO_PEERS").is_some_and(|value| value == "full")
}

/// How many calls a run places.
fn calls() -> u64 {
    if is_full() { 20_000 } else { 2_000 }
}

/// How many calls a scenario of this project's own gets.
fn rounds() -> u64 {
    if is_full() { 200 } else { 20 }
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A UDP port of 127.0.0.1 that nobody has, for peers that cannot choose one and say which.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A port of 127.0.0.1 that nobody has for UDP or TCP, with the one behind it, which some phones
/// take for TLS. They are below those that the system gives out by itself.
fn free_pair_of_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(21_000);
    loop {
        let port = NEXT.fetch_add(2, Ordering::Relaxed);
        let is_free = |port: u16| {
            let address = ("127.0.0.1", port);
            UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
        };
        if is_free(port) && is_free(port + 1) {
            return port;
        }
    }
}

/// A TCP port of 127.0.0.1 that nobody has. One that only UDP has free may be that of a connection.
fn free_tcp_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// An empty folder for the files of the test called `test`.
fn scratch(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("peers")
        .join(test);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}
