//! What others begin, as a stream.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::{Arrival, UserAgent};

/// The calls and requests of others, one after the other: see [`UserAgent::arrivals`].
#[must_use = "a stream does nothing unless it is polled"]
pub struct Arrivals<'a> {
    agent: &'a UserAgent,
    next: Option<Next<'a>>,
}

type Next<'a> = Pin<Box<dyn Future<Output = Option<Arrival>> + Send + 'a>>;

impl<'a> Arrivals<'a> {
    pub(super) fn new(agent: &'a UserAgent) -> Self {
        Self { agent, next: None }
    }
}

impl Stream for Arrivals<'_> {
    type Item = Arrival;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Arrival>> {
        let agent = self.agent;
        let next = self.next.get_or_insert_with(|| Box::pin(agent.incoming()));
        let arrival = ready!(next.as_mut().poll(context));
        self.next = None;
        Poll::Ready(arrival)
    }
}

impl fmt::Debug for Arrivals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrivals").finish_non_exhaustive()
    }
}
