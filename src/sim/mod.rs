//! A simulated network: endpoints and scripted peers in one virtual time, with seeded loss,
//! duplication, delay, reordering, partitions and address translation, and with nodes that stop,
//! crash, come back, and have wrong clocks.
//!
//! Everything that happens goes through one queue ordered by time, then by the order in which it
//! was planned, so that time jumps exactly from one delivery or deadline to the next and the same
//! seed gives the same [`Record`], byte for byte. There is no clock and no entropy here.
//!
//! ```
//! use core::time::Duration;
//!
//! use drongo::call::Invitation;
//! use drongo::endpoint::{Config, Event};
//! use drongo::message::{Body, Outgoing};
//! use drongo::seed::Seed;
//! use drongo::sim::{Link, Turn, World};
//!
//! let mut world = World::new(Seed::from_bytes([1; 32]), Link::default());
//! let alice = world.endpoint("alice", "192.0.2.1:5060".parse()?, Config::default(), ())?;
//! let callee = |turn: &mut Turn<'_>, event: Event| {
//!     if let Event::Incoming { call, .. } = event {
//!         let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
//!         turn.call(call, |call, now, out| call.answer(now, answer, out));
//!     }
//! };
//! world.endpoint("bob", "192.0.2.4:5060".parse()?, Config::default(), callee)?;
//!
//! let offer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
//! let invitation = Invitation::new("sip:bob@192.0.2.4", "sip:alice@example.com")?.with(offer);
//! let call = world
//!     .act(alice, |turn| turn.endpoint.place(turn.now, 0, invitation, turn.out))
//!     .expect("an endpoint")?;
//! world.run_for(Duration::from_secs(2));
//! world.act(alice, |turn| turn.call(call, |call, now, out| call.hang_up(now, out)));
//! assert!(world.run_until_idle(Duration::from_secs(120)));
//!
//! let flow = world.trace().ladder();
//! let arrow = "|------- INVITE (sdp) ------->|";
//! assert!(flow.contains(arrow), "{flow}");
//! assert_eq!(world.look(alice).map(|alice| alice.calls()), Some(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod describe;
mod life;
mod link;
mod nat;
mod node;
mod record;
pub mod swarm;
mod world;

pub use crate::trace::Fate;
pub use link::Link;
pub use node::{Deed, Letter, Peer, Turn, User};
pub use record::{Entry, Record, Sent};
pub use world::{Node, World};
