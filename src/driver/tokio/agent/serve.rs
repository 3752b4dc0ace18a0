//! Handlers: one task for each call.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;

use super::link::{Shared, Tallies};
use super::{Arrival, UserAgent};

impl UserAgent {
    /// Runs `handler` for each call and each request of others, in a task of its own, until
    /// nothing new is taken and all handlers are done.
    ///
    /// ```
    /// use drongo::driver::tokio::{Arrival, CallError, UserAgent};
    /// use drongo::message::{Body, StatusCode};
    ///
    /// async fn handle(arrival: Arrival) -> Result<(), CallError> {
    ///     match arrival {
    ///         Arrival::Call(call) => {
    ///             let call = call.answer(Body::sdp("v=0\r\n")).await?;
    ///             println!("{}", call.ended().await);
    ///         }
    ///         Arrival::Request(request) => request.respond(StatusCode::OK, Body::sdp("")).await?,
    ///         _ => {}
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # async fn run(agent: UserAgent) {
    /// agent.serve(handle).await;
    /// # }
    /// ```
    ///
    /// - The handler of a call owns it, and hears of all that happens in it: nothing else runs for
    ///   that dialog.
    /// - One that returns hangs up, unless it has given its call to somebody else.
    /// - One that panics hangs up too: 500, or a BYE that says so; and its panic is counted. Others
    ///   do not notice.
    /// - One whose call has ended may go on for [`Bounds::grace`](super::Bounds::grace), then its
    ///   future is dropped. The same time is given for a request after the core has answered it
    ///   ([`Limits::request_wait`](crate::limits::Limits::request_wait)). What must not outlive a
    ///   call at all, [`CallRef::during`](super::CallRef::during) ends with it.
    /// - What it returns is nobody's business: it does not go anywhere.
    ///
    /// A future of this that is dropped drops all handlers, and so hangs up.
    pub async fn serve<H, F>(&self, handler: H)
    where
        H: Fn(Arrival) -> F + Send + Sync + 'static,
        F: Future<Output: Send> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let shared = &self.link.shared;
        let mut handlers = JoinSet::new();
        loop {
            tokio::select! {
                arrival = self.incoming() => {
                    let Some(arrival) = arrival else { break };
                    let (handler, shared) = (Arc::clone(&handler), Arc::clone(shared));
                    handlers.spawn(attend(handler, arrival, shared));
                }
                Some(done) = handlers.join_next() => note(shared, done),
            }
        }
        while let Some(done) = handlers.join_next().await {
            note(shared, done);
        }
    }
}

/// One handler, until it is done or its time is up.
async fn attend<H, F>(handler: Arc<H>, arrival: Arrival, shared: Arc<Shared>)
where
    H: Fn(Arrival) -> F,
    F: Future,
{
    let grace = shared.bounds.grace;
    let closed = match &arrival {
        Arrival::Call(call) => Some(call.closed()),
        Arrival::Request(_) => None,
    };
    let request_wait = shared.request_wait;
    let time_is_up = async move {
        match closed {
            Some(closed) => drop(closed.await),
            None => sleep(request_wait).await,
        }
        sleep(grace).await;
    };
    tokio::select! {
        _ = handler(arrival) => {}
        () = time_is_up => Tallies::count(&shared.tallies.cut_off),
    }
}

fn note(shared: &Shared, done: Result<(), JoinError>) {
    if done.is_err_and(|error| error.is_panic()) {
        Tallies::count(&shared.tallies.panics);
    }
}
