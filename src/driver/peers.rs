//! The other shards of a driver, and what goes from one to another.
//!
//! Each shard has sockets of its own, bound to the same addresses, and reads what the operating
//! system gives it: any message may arrive at any shard. It is handed to the shard that its
//! Call-ID belongs to through a bounded queue. What that shard sends in a datagram leaves by its
//! own socket; what it sends on a connection goes back to the shard that has the connection.
//!
//! No shard ever waits for another, so none can wait in a circle. A datagram that finds a queue
//! full is lost and counted: its sender repeats it. What came on a stream is held back, and the
//! streams of this shard are not read until it could be handed over.

use std::collections::VecDeque;

use super::counters::{Counters, add};
use super::pool::{Found, Ticket, owner};
use crate::endpoint::{Disconnect, Input, Transmit};
use crate::shard::Shard;
use crate::transport::Flow;

/// How much waits for a shard, as a number of messages.
pub(super) const QUEUE: usize = 4096;

/// What one shard gives to another.
#[derive(Debug)]
pub(super) enum Handed {
    /// For its endpoint.
    Input(Input),
    /// To write on a connection that it has, for the shard of that number.
    Transmit(u32, Box<Transmit>),
}

/// The queue of another shard.
pub(super) trait Post {
    /// Puts it into the queue, or gives it back if the queue is full. What is for a shard that is
    /// gone is gone too.
    fn post(&self, handed: Handed) -> Result<(), Handed>;
}

/// The other shards of a driver; none, if it is the only one.
#[derive(Debug)]
pub(super) struct Peers<P> {
    pub(super) shard: Shard,
    /// By number, this shard itself included, so that all have one list.
    posts: Vec<P>,
    held: VecDeque<(u32, Handed)>,
    pub(super) counters: Counters,
}

impl<P: Post> Peers<P> {
    pub(super) fn new(shard: Shard, posts: Vec<P>) -> Self {
        Self {
            shard,
            posts,
            held: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Gives what came in a datagram back, if it is for this shard; hands it over if not.
    pub(super) fn route_datagram(&mut self, input: Input) -> Option<Input> {
        let to = self.owner_of(&input);
        if to == self.shard.index() {
            return Some(input);
        }
        if self.try_post(to, Handed::Input(input)).is_err() {
            add(&mut self.counters.overflowed);
        }
        None
    }

    /// Gives what came of a stream back, if it is for this shard too; hands it over.
    pub(super) fn route(&mut self, found: Found) -> Option<Input> {
        let own = self.shard.index();
        let to = match &found {
            Found::Failed(Ticket { shard, .. }, _) => *shard,
            Found::Input(Input::Disconnected { flow, how }) => {
                // Calls of any shard may use the connection.
                let others = Shard::all(self.shard.of()).filter(|peer| peer.index() != own);
                for peer in others {
                    let (flow, how): (_, Disconnect) = (*flow, *how);
                    let handed = Handed::Input(Input::Disconnected { flow, how });
                    self.post_or_hold(peer.index(), handed);
                }
                own
            }
            Found::Input(input) => self.owner_of(input),
        };
        let input = found.into_input();
        if to == own {
            return Some(input);
        }
        self.post_or_hold(to, Handed::Input(input));
        None
    }

    /// Hands a transmission to the shard that has its connection. Whether it could be.
    pub(super) fn hand_transmit(&mut self, to: u32, transmit: Transmit) -> bool {
        let handed = Handed::Transmit(self.shard.index(), Box::new(transmit));
        let is_posted = self.try_post(to, handed).is_ok();
        if !is_posted {
            add(&mut self.counters.overflowed);
        }
        is_posted
    }

    /// The other shard that has the connection which a flow names.
    pub(super) fn owner_of_flow(&self, flow: &Flow) -> Option<u32> {
        let owner = owner(flow.id, self.shard)?;
        (owner != self.shard.index()).then_some(owner)
    }

    /// Tries to hand over what is held back.
    pub(super) fn retry(&mut self) {
        while let Some((to, handed)) = self.held.pop_front() {
            if let Err(handed) = self.try_post(to, handed) {
                self.held.push_front((to, handed));
                return;
            }
        }
    }

    /// The queue that what is held back waits for. Streams must not be read then.
    pub(super) fn awaited(&self) -> Option<&P> {
        let (to, _) = self.held.front()?;
        self.posts.get(*to as usize)
    }

    fn owner_of(&self, input: &Input) -> u32 {
        match input {
            Input::Datagram { bytes, .. } | Input::Delayed { bytes, .. } => {
                self.shard.owner_of(bytes)
            }
            // It is answered without a state, alike by all.
            Input::Malformed { .. }
            | Input::SendFailed { .. }
            | Input::Refused { .. }
            | Input::Disconnected { .. }
            | Input::Answer { .. } => self.shard.index(),
        }
    }

    /// What is held back goes first.
    fn post_or_hold(&mut self, to: u32, handed: Handed) {
        let handed = match self.held.is_empty() {
            true => self.try_post(to, handed),
            false => Err(handed),
        };
        if let Err(handed) = handed {
            self.held.push_back((to, handed));
        }
    }

    fn try_post(&mut self, to: u32, handed: Handed) -> Result<(), Handed> {
        let Some(post) = self.posts.get(to as usize) else {
            return Ok(());
        };
        post.post(handed)?;
        add(&mut self.counters.handed_over);
        Ok(())
    }
}
