//! The local addresses, as texts for Via and Contact.

use alloc::format;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::locate::Reach;
use crate::message::{Origin, Response, TRANSPORT_TLS};
use crate::transport::{Flow, FlowId, Local, Transport};

/// The local addresses of an endpoint.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Places {
    all: Vec<Place>,
    /// See [`Config::transport_tls`](super::Config::transport_tls).
    transport_tls: bool,
}

/// One local address, and what is said of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Place {
    local: Local,
    origin: Origin,
}

impl Places {
    /// `via_params` stand in each Via of this side, each with its `;`.
    pub(super) fn new(locals: &[Local], transport_tls: bool, via_params: &[u8]) -> Self {
        let place = |local: &Local| {
            let sent_by = format!("{}", local.sent_by());
            let parameter = contact_parameter(local.transport(), transport_tls);
            let contact = format!("{sent_by}{parameter}");
            let origin = Origin::new(local.transport().as_via(), &sent_by, &contact);
            Place {
                local: local.clone(),
                origin: origin.with_via_params(via_params),
            }
        };
        Self {
            all: locals.iter().map(place).collect(),
            transport_tls,
        }
    }

    /// Whether this endpoint wrote the top Via (18.1.2).
    pub(super) fn wrote(&self, response: &Response) -> bool {
        let value = response.top_via_value();
        // Nearly always it comes back as it was written, and need not be read.
        if self
            .all
            .iter()
            .any(|place| value.starts_with(place.origin.via()))
        {
            return true;
        }
        let via = response.top_via();
        self.all.iter().any(|place| place.local.is_ours(&via))
    }

    /// Host, port and parameters for a Contact on this flow.
    pub(super) fn contact(&self, flow: &Flow) -> Bytes {
        match self.of(flow) {
            Some(place) => place.origin.contact().clone(),
            // A flow of an address that the endpoint was not told of.
            None => {
                let parameter = contact_parameter(flow.transport, self.transport_tls);
                format!("{}{parameter}", flow.local).into()
            }
        }
    }

    /// What a request on this flow says of where it comes from. `None` for a flow of an address
    /// that the endpoint was not told of: its response would not be recognised.
    pub(super) fn origin(&self, flow: &Flow) -> Option<&Origin> {
        self.of(flow).map(|place| &place.origin)
    }

    /// The same of the first local address: requests are written for it before it is known where
    /// they go.
    pub(super) fn usual_origin(&self) -> Origin {
        let first = self.all.first();
        first.map(|place| place.origin.clone()).unwrap_or_default()
    }

    /// A flow to `remote`: the one that the dialog uses already if it serves, or one from the
    /// first local address of that transport and family.
    pub(super) fn flow(
        &self,
        transport: Transport,
        remote: SocketAddr,
        known: Option<&Flow>,
    ) -> Option<Flow> {
        if let Some(known) = known {
            // A request on a stream names a peer, not a connection: the driver has one or opens one.
            let serves = known.transport == transport
                && !transport.is_reliable()
                && same_family(known.local, remote);
            if serves && self.of(known).is_some() {
                return Some(Flow { remote, ..*known });
            }
        }
        let fits = |place: &&Place| {
            place.local.transport() == transport && same_family(place.local.bound(), remote)
        };
        let place = self.all.iter().find(fits)?;
        let local = place.local.bound();
        Some(Flow {
            id: FlowId::new(0),
            transport,
            local,
            remote,
        })
    }

    /// What the local addresses reach.
    pub(super) fn reach(&self) -> Reach {
        Reach::of(self.all.iter().map(|place| &place.local))
    }

    fn of(&self, flow: &Flow) -> Option<&Place> {
        self.all.iter().find(|place| place.local.carries(flow))
    }
}

fn same_family(local: SocketAddr, remote: SocketAddr) -> bool {
    match (local.ip(), remote.ip()) {
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => true,
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// How a Contact says that it wants to be reached other than by UDP. TLS is said by the scheme
/// (RFC 5630 5.1.1), unless the configuration says otherwise; writers of `sips:` leave it out.
fn contact_parameter(transport: Transport, transport_tls: bool) -> &'static str {
    match transport {
        Transport::Tls if transport_tls => TRANSPORT_TLS,
        Transport::Udp | Transport::Tls => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Ws | Transport::Wss => ";transport=ws",
    }
}
