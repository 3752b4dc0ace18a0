//! Transports: flows, local addresses, what a receiver adds to a Via, and where responses and
//! requests go. Values and rules only; no state of anything above.

mod flow;
mod local;
mod next_hop;
mod response_route;
pub mod stream;
mod via_fixup;

pub use flow::{Flow, FlowId, Transport};
pub use local::{Advertised, Local};
pub use next_hop::{NextHop, NoNextHop};
pub(crate) use response_route::first_response_route;
pub use response_route::{MAX_RESPONSE_ROUTES, ResponseRoute, response_routes};
pub use via_fixup::Fixup;
