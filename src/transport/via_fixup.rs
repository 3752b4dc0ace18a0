//! What the receiver of a request adds to its top Via (3261 18.2.1, 3581 4).

use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};

use bytes::BufMut;

use crate::message::Via;
use crate::transport::Flow;

/// The parameters to be written into the top Via of a request, where it came from.
///
/// ```
/// use drongo::message::Via;
/// use drongo::transport::Fixup;
///
/// let via = Via::parse(b"SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff").unwrap();
/// let fixup = Fixup::new(&via, "192.0.2.1:9988".parse().unwrap());
/// let mut out = Vec::new();
/// fixup.write_via(&via, &mut out);
/// let fixed = b"SIP/2.0/UDP 10.1.1.1:4540;rport=9988;branch=z9hG4bKkjshdyff;received=192.0.2.1";
/// assert_eq!(out, fixed);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Fixup {
    /// `received`: the source address. An IPv4 address that came mapped into IPv6 is told as IPv4.
    pub received: Option<IpAddr>,
    /// The value of `rport`: the source port.
    pub rport: Option<u16>,
}

impl Fixup {
    /// What the top Via of a request from `source` needs.
    ///
    /// `received` is needed if sent-by is a name, if it is another address, if `rport` is there, or
    /// if a `received` is already there that is not the source. `rport` is filled in if it has no
    /// value; one that has a value is left alone.
    pub fn new(via: &Via<'_>, source: SocketAddr) -> Self {
        let address = source.ip().to_canonical();
        let sent_by = via.host().ip().map(|ip| ip.to_canonical());
        let differs = sent_by != Some(address);
        let wrong = via.params().contains("received") && via.received() != Some(address);
        let received = differs || wrong || via.rport().is_some();
        Self {
            received: received.then_some(address),
            rport: (via.rport() == Some(None)).then_some(source.port()),
        }
    }

    /// What the top Via of a request on `flow` needs.
    pub fn of_flow(via: &Via<'_>, flow: &Flow) -> Self {
        Self::new(via, flow.remote)
    }

    /// Whether the Via stays as it is.
    pub const fn is_empty(&self) -> bool {
        self.received.is_none() && self.rport.is_none()
    }

    /// Appends the Via with the parameters filled in. `received` stands in its old place, or at
    /// the end; IPv6 has no brackets there (3261 20.42).
    pub fn write_via(&self, via: &Via<'_>, out: &mut impl BufMut) {
        let mut text = AsText(out);
        // Writing to a buffer that grows cannot fail.
        let _ = write!(
            text,
            "{}/{}/{} {}",
            via.protocol(),
            via.version(),
            via.transport(),
            via.host()
        );
        if let Some(port) = via.port() {
            let _ = write!(text, ":{port}");
        }
        let mut written = false;
        for param in via.params() {
            if let Some(received) = self.received
                && param.name.eq_ignore_ascii_case("received")
            {
                let _ = write!(text, ";received={received}");
                written = true;
            } else if let Some(rport) = self.rport
                && param.name.eq_ignore_ascii_case("rport")
            {
                let _ = write!(text, ";rport={rport}");
            } else {
                param.write_to(text.0);
            }
        }
        if let Some(received) = self.received
            && !written
        {
            let _ = write!(text, ";received={received}");
        }
    }
}

/// A byte buffer as a target for formatting.
struct AsText<'b, B>(&'b mut B);

impl<B: BufMut> core::fmt::Write for AsText<'_, B> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.put_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(via: &str, source: &str) -> (Option<String>, Option<u16>, String) {
        let via = Via::parse(via.as_bytes()).unwrap();
        let fixup = Fixup::new(&via, source.parse().unwrap());
        let mut out = Vec::new();
        fixup.write_via(&via, &mut out);
        let text = String::from_utf8(out).unwrap();
        (fixup.received.map(|ip| ip.to_string()), fixup.rport, text)
    }

    #[test]
    fn received_is_added_to_names_and_to_other_addresses() {
        // 3261-18.2.1-03, 3261-18.2.1-04, 3581-4-05
        let (received, rport, text) = fixed("SIP/2.0/UDP bobspc.biloxi.com:5060", "192.0.2.4:5060");
        assert_eq!((received.as_deref(), rport), (Some("192.0.2.4"), None));
        assert_eq!(
            text,
            "SIP/2.0/UDP bobspc.biloxi.com:5060;received=192.0.2.4"
        );
        let (received, _, _) = fixed("SIP/2.0/TCP 10.1.1.1;branch=z9hG4bK1", "192.0.2.4:40000");
        assert_eq!(received.as_deref(), Some("192.0.2.4"));
    }

    #[test]
    fn received_is_left_out_where_sent_by_is_the_source() {
        // 3261-18.2.1-05, 3261-18.2.1-07
        for (via, source) in [
            (
                "SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK1",
                "192.0.2.4:9999",
            ),
            ("SIP/2.0/UDP 192.0.2.4", "[::ffff:192.0.2.4]:5060"),
            ("SIP/2.0/UDP [2001:DB8:0:0::01]:5060", "[2001:db8::1]:5060"),
        ] {
            let parsed = Via::parse(via.as_bytes()).unwrap();
            assert!(
                Fixup::new(&parsed, source.parse().unwrap()).is_empty(),
                "{via}"
            );
        }
    }

    #[test]
    fn a_wrong_received_is_overwritten_in_its_place() {
        // 3261-18.2.1-06
        for wrong in ["198.51.100.7", "name", "[::1]"] {
            let via = format!("SIP/2.0/UDP 192.0.2.4;received={wrong};branch=z9hG4bK1");
            let (_, _, text) = fixed(&via, "192.0.2.4:5060");
            assert_eq!(
                text,
                "SIP/2.0/UDP 192.0.2.4;received=192.0.2.4;branch=z9hG4bK1"
            );
        }
    }

    #[test]
    fn rport_is_filled_in_and_brings_received_on_every_transport() {
        // 3581-4-01, 3581-4-02, 3581-4-03
        for transport in ["UDP", "TCP", "TLS", "WS"] {
            let via = format!("SIP/2.0/{transport} 192.0.2.4:5060;rport;branch=z9hG4bK1;x=\"y\"");
            let (received, rport, text) = fixed(&via, "192.0.2.4:9988");
            assert_eq!(
                (received.as_deref(), rport),
                (Some("192.0.2.4"), Some(9988))
            );
            let tail = ";rport=9988;branch=z9hG4bK1;x=\"y\";received=192.0.2.4";
            assert_eq!(text, format!("SIP/2.0/{transport} 192.0.2.4:5060{tail}"));
        }
    }

    #[test]
    fn an_rport_with_a_value_is_left_alone() {
        // 3581-4-04, 3581-4-02
        let (received, rport, text) = fixed("SIP/2.0/UDP 192.0.2.4;rport=1", "192.0.2.4:9988");
        assert_eq!((received.as_deref(), rport), (Some("192.0.2.4"), None));
        assert_eq!(text, "SIP/2.0/UDP 192.0.2.4;rport=1;received=192.0.2.4");
    }

    #[test]
    fn received_has_no_brackets() {
        // 3261-20.42-08
        let (_, _, text) = fixed(
            "SIP/2.0/UDP [2001:db8::9:1];rport",
            "[2001:db8::9:255]:5060",
        );
        assert_eq!(
            text,
            "SIP/2.0/UDP [2001:db8::9:1];rport=5060;received=2001:db8::9:255"
        );
    }

    #[test]
    fn a_fixed_via_needs_no_further_received() {
        let (_, _, once) = fixed(
            "SIP/2.0/UDP a.example;rport;branch=z9hG4bK1",
            "192.0.2.4:9988",
        );
        let (_, rport, twice) = fixed(&once, "192.0.2.4:9988");
        assert_eq!((rport, twice), (None, once));
    }
}
