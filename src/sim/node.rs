//! Who takes part: endpoints with their users, and peers that are scripts of raw bytes.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use crate::endpoint::{CallHandle, CallView, Endpoint, Event, Output, RequestHandle, RequestView};
use crate::error::Misuse;
use crate::time::Time;

/// Something to do later.
pub type Deed = Box<dyn FnOnce(&mut Turn<'_>)>;

/// What a user has in hand when it is its turn.
#[non_exhaustive]
pub struct Turn<'a> {
    /// The time.
    pub now: Time,
    /// Its endpoint.
    pub endpoint: &'a mut Endpoint,
    /// Where the endpoint's outputs go.
    pub out: &'a mut VecDeque<Output>,
    /// What it wants to do later.
    pub(super) later: Vec<(Duration, Deed)>,
}

impl core::fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Turn({})", self.now)
    }
}

impl Turn<'_> {
    /// A verb of a call. A call that is gone is a [`Misuse`] as any other.
    ///
    /// # Errors
    ///
    /// That of the verb.
    pub fn call<T>(
        &mut self,
        call: CallHandle,
        verb: impl FnOnce(&mut CallView<'_>, Time, &mut VecDeque<Output>) -> Result<T, Misuse>,
    ) -> Result<T, Misuse> {
        verb(&mut self.endpoint.call(call)?, self.now, self.out)
    }

    /// A verb of a request.
    ///
    /// # Errors
    ///
    /// That of the verb.
    pub fn request<T>(
        &mut self,
        request: RequestHandle,
        verb: impl FnOnce(&mut RequestView<'_>, Time, &mut VecDeque<Output>) -> Result<T, Misuse>,
    ) -> Result<T, Misuse> {
        verb(&mut self.endpoint.request(request)?, self.now, self.out)
    }

    /// Does something later.
    pub fn after(&mut self, delay: Duration, deed: impl FnOnce(&mut Turn<'_>) + 'static) {
        self.later.push((delay, Box::new(deed)));
    }
}

/// Who uses an endpoint. `()` does nothing; a closure `|turn: &mut Turn<'_>, event: Event|` is
/// one too.
pub trait User {
    /// Hears an event.
    fn on_event(&mut self, turn: &mut Turn<'_>, event: Event);
}

impl User for () {
    fn on_event(&mut self, _: &mut Turn<'_>, _: Event) {}
}

impl<F: FnMut(&mut Turn<'_>, Event)> User for F {
    fn on_event(&mut self, turn: &mut Turn<'_>, event: Event) {
        self(turn, event);
    }
}

/// Raw bytes that a peer sends.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "scripts build letters, and these are all their parts"
)]
pub struct Letter {
    /// After how long.
    pub after: Duration,
    /// To which address.
    pub to: SocketAddr,
    /// All of it.
    pub bytes: Bytes,
}

/// A node that is no endpoint but a script of raw bytes, to misbehave as a test needs. `()` only
/// listens; a closure `|now: Time, from: SocketAddr, bytes: &Bytes, out: &mut Vec<Letter>|` is
/// one too.
pub trait Peer {
    /// Takes a datagram, and says what it sends.
    fn on_datagram(&mut self, now: Time, from: SocketAddr, bytes: &Bytes, out: &mut Vec<Letter>);
}

impl Peer for () {
    fn on_datagram(&mut self, _: Time, _: SocketAddr, _: &Bytes, _: &mut Vec<Letter>) {}
}

impl<F: FnMut(Time, SocketAddr, &Bytes, &mut Vec<Letter>)> Peer for F {
    fn on_datagram(&mut self, now: Time, from: SocketAddr, bytes: &Bytes, out: &mut Vec<Letter>) {
        self(now, from, bytes, out);
    }
}
