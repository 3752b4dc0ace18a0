//! A user agent for applications on tokio: calls that are awaited.
//!
//! One task drives a [`Driver`]; a [`UserAgent`] is a handle to it. A call is a value: its methods
//! await what becomes of it, and dropping it hangs up. No rule of SIP is here: all of it is verbs
//! and events of the endpoint.

mod arrivals;
mod call;
mod desk;
mod error;
mod incoming;
mod link;
mod request;
mod route;
mod serve;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{Mutex, SetOnce, mpsc};
use tokio::time::Duration;

use super::{Driver, Listen};
use crate::call::{EndReason, Invitation};
use crate::driver::bound::address_of;
use crate::endpoint::{Config, Endpoint, Output};
use crate::message::Response;
use crate::time::Time;
use crate::transport::Transport;
use desk::{Desk, Inbox};
use link::{Link, Shared, Tallies};

pub use arrivals::Arrivals;
pub use call::{Call, CallEvent, CallRef, OutgoingCall, Updated};
pub use error::CallError;
pub use incoming::{Arrival, IncomingCall, Reoffer};
pub use request::IncomingRequest;

/// Bounds on what waits for an application, each with what happens at it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Bounds {
    /// Calls and requests that nobody has taken yet: 1,024. One more is refused with 503, and
    /// counted: who is so far behind is better off with less.
    pub arrivals: usize,
    /// Events of one call that nobody has read: 64; real calls have under 10 between two reads. One
    /// more is counted and dropped, which refuses what asks for an answer. How a call ends, that it
    /// is answered, and what its verbs wait for are never among them.
    pub events: usize,
    /// Verbs on their way to the endpoint: 1,024. One more waits.
    pub verbs: usize,
    /// How long a handler of [`serve`](UserAgent::serve) may go on after the end of its call, to
    /// write down what happened: 10 s. Then its future is dropped, and counted.
    pub grace: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            arrivals: 1024,
            events: 64,
            verbs: 1024,
            grace: Duration::from_secs(10),
        }
    }
}

/// What of a user agent went wrong on this side so far.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct AgentCounters {
    /// Calls and requests that were refused because too many waited
    /// ([`Bounds::arrivals`]), or because nothing new was taken any more.
    pub arrivals_refused: u64,
    /// Events that nobody could hear, because too many waited ([`Bounds::events`]) or their call
    /// was over.
    pub events_lost: u64,
    /// Handlers that panicked.
    pub panics: u64,
    /// Handlers that had not returned [`Bounds::grace`] after the end of what they handled.
    pub cut_off: u64,
}

/// A SIP user agent that runs by itself: the handle to it. Clones are handles to the same one.
///
/// ```
/// use drongo::call::{EndReason, Invitation};
/// use drongo::driver::tokio::{Arrival, Listen, UserAgent};
/// use drongo::endpoint::Config;
/// use drongo::message::Body;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let anywhere = Listen::Udp("127.0.0.1:0".parse()?);
/// let alice = UserAgent::bind(&[anywhere], Config::default()).await?;
/// let bob = UserAgent::bind(&[anywhere], Config::default()).await?;
///
/// let target = format!("sip:bob@{}", bob.local_addr());
/// let answering = tokio::spawn(async move {
///     let Some(Arrival::Call(call)) = bob.incoming().await else {
///         panic!("nobody calls");
///     };
///     call.ring().await?;
///     call.answer(Body::sdp("v=0\r\n")).await?.ended().await;
///     Ok::<(), drongo::driver::tokio::CallError>(())
/// });
///
/// let invitation = Invitation::new(&target, "sip:alice@127.0.0.1")?.with(Body::sdp("v=0\r\n"));
/// let call = alice.invite(invitation).await?.answered().await?;
/// assert_eq!(call.response().map(|answer| answer.status().as_u16()), Some(200));
/// assert!(matches!(call.hang_up().await, EndReason::HungUp { .. }));
/// answering.await??;
/// # Ok(())
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// #     tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
/// # }
/// ```
///
/// The sockets are open as long as there is a handle, a call or a request of it, and until what
/// those left is done, which takes [64*T1](crate::transaction::Timers::t1x64) at least on UDP; or
/// until [`drain`](Self::drain) or [`close`](Self::close) is done. What runs when the runtime ends
/// is stopped in the middle, and other sides are not told: a program awaits one of those two last.
#[derive(Clone, Debug)]
pub struct UserAgent {
    link: Link,
    arrivals: Arc<Mutex<mpsc::Receiver<Arrival>>>,
}

impl UserAgent {
    /// Binds the sockets, as [`Driver::bind`], and begins to serve them on the current runtime.
    ///
    /// # Errors
    ///
    /// As [`Driver::bind`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime of tokio.
    pub async fn bind(places: &[Listen], config: Config) -> io::Result<Self> {
        let driver = Driver::bind(places, config).await?;
        Ok(Self::new(driver, Bounds::default()))
    }

    /// Begins to serve this driver, however it was bound, on the current runtime.
    ///
    /// ```
    /// # use drongo::driver::tokio::{Bounds, Driver, UserAgent};
    /// # use drongo::endpoint::Config;
    /// # async fn run() -> std::io::Result<()> {
    /// let mut bounds = Bounds::default();
    /// bounds.arrivals = 16;
    /// let driver = Driver::udp(([127, 0, 0, 1], 0).into(), Config::default()).await?;
    /// let agent = UserAgent::new(driver, bounds);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a runtime of tokio.
    pub fn new(driver: Driver, bounds: Bounds) -> Self {
        let (jobs, todo) = mpsc::channel(bounds.verbs.max(1));
        let (farewells, left) = mpsc::unbounded_channel();
        let (arrive, arrivals) = mpsc::channel(bounds.arrivals.max(1));
        let bounds = Bounds {
            events: bounds.events.max(1),
            ..bounds
        };
        let shared = Shared {
            clock: driver.core.clock,
            places: driver.places.clone(),
            bounds,
            request_wait: driver.endpoint().config().limits.request_wait,
            tallies: Tallies::default(),
            stopped: SetOnce::new(),
        };
        let link = Link {
            jobs,
            farewells,
            shared: Arc::new(shared),
        };
        let inbox = Inbox {
            jobs: todo,
            farewells: left,
        };
        tokio::spawn(Desk::new(driver, arrive, &link).run(inbox));
        Self {
            link,
            arrivals: Arc::new(Mutex::new(arrivals)),
        }
    }

    /// The address of the first place that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        let first = self.link.shared.places.first().map(Listen::address);
        first.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
    }

    /// The address that it listens on with that transport, if it does.
    pub fn local_addr_of(&self, transport: Transport) -> Option<SocketAddr> {
        address_of(&self.link.shared.places, transport)
    }

    /// The time of the endpoint now, for a [`Verifier`](crate::auth::Verifier).
    pub fn now(&self) -> Time {
        self.link.now()
    }

    /// What went wrong so far. Those of the endpoint and its sockets are seen by
    /// [`inspect`](Self::inspect).
    pub fn counters(&self) -> AgentCounters {
        self.link.shared.tallies.read()
    }

    /// Places a call. The INVITE is on its way when this returns; a future that is dropped before
    /// has placed no call, or cancels it.
    ///
    /// # Errors
    ///
    /// [`CallError::Misuse`] as [`Endpoint::place`]; [`CallError::Stopped`].
    pub async fn invite(&self, invitation: Invitation) -> Result<OutgoingCall, CallError> {
        self.link.act(move |desk| desk.invite(invitation)).await?
    }

    /// Sends a request outside of any dialog, such as OPTIONS or MESSAGE, and waits for its final
    /// response, whatever that says. A future that is dropped forgets the request.
    ///
    /// ```
    /// # use drongo::call::Invitation;
    /// # use drongo::driver::tokio::{CallError, UserAgent};
    /// # async fn ping(agent: &UserAgent) -> Result<(), CallError> {
    /// let to_bob = Invitation::new("sip:bob@example.com", "sip:alice@example.com")?;
    /// let response = agent.ask("OPTIONS", to_bob).await?;
    /// println!("bob says {}", response.status());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if no final response came; [`CallError::Misuse`] as [`Endpoint::ask`];
    /// [`CallError::Stopped`].
    pub async fn ask(
        &self,
        method: &str,
        invitation: Invitation,
    ) -> Result<Box<Response>, CallError> {
        let method = method.to_owned();
        let asked = self.link.act(move |desk| desk.ask(&method, invitation));
        let line = asked.await??;
        let reason = line.call.closed().await;
        if let EndReason::Completed { response } | EndReason::Refused { response } = reason {
            return Ok(response);
        }
        Err(CallError::Ended(reason))
    }

    /// The same as [`incoming`](Self::incoming), as a [`Stream`](futures_core::Stream), for what is
    /// made of streams.
    pub fn arrivals(&self) -> Arrivals<'_> {
        Arrivals::new(self)
    }

    /// The next call or request of others. `None` when nothing new is taken any more. Nothing is
    /// lost if the future is dropped; several tasks may take turns.
    pub async fn incoming(&self) -> Option<Arrival> {
        let mut arrivals = self.arrivals.lock().await;
        loop {
            let arrival = arrivals.recv().await?;
            let is_over = match &arrival {
                // The caller has given up meanwhile.
                Arrival::Call(call) => call.end().is_some(),
                Arrival::Request(_) => false,
            };
            if !is_over {
                return Some(arrival);
            }
        }
    }

    /// Does something with the endpoint, at the time that it is, and performs what it causes. Calls
    /// and requests are for [`invite`](Self::invite) and [`ask`](Self::ask): what others cause is
    /// heard of by nobody. A call that is abandoned has ended for its owner, with
    /// [`EndReason::Failed`].
    ///
    /// ```
    /// # use drongo::driver::tokio::{CallError, UserAgent};
    /// # async fn restart_counting(agent: &UserAgent) -> Result<(), CallError> {
    /// let so_far = agent.act(|endpoint, _, _| endpoint.take_counters()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::Stopped`].
    ///
    /// # Panics
    ///
    /// If `act` does.
    pub async fn act<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Endpoint, Time, &mut VecDeque<Output>) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        let act = move |desk: &mut Desk| catch_unwind(AssertUnwindSafe(|| desk.act(act)));
        self.link.act_safely(act).await
    }

    /// Looks at the driver: its counters, its connections, its endpoint.
    ///
    /// ```
    /// # use drongo::driver::tokio::{CallError, Driver, UserAgent};
    /// # async fn look(agent: &UserAgent) -> Result<(), CallError> {
    /// let (connections, counters) = agent
    ///     .inspect(|driver| (driver.connections(), *driver.endpoint().counters()))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::Stopped`].
    ///
    /// # Panics
    ///
    /// If `look` does.
    pub async fn inspect<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Driver) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        let look = |desk: &mut Desk| catch_unwind(AssertUnwindSafe(|| look(&desk.driver)));
        self.link.act_safely(look).await
    }

    /// Takes nothing new: calls and requests of others are refused with 503. Waits until the calls
    /// that stand have ended, and nothing of them is left: then the sockets are closed. It goes on
    /// if the future is dropped.
    ///
    /// # Errors
    ///
    /// What a socket said when it could not receive any more, whenever that was.
    pub async fn drain(&self) -> io::Result<()> {
        let _ = self.link.act(Desk::drain).await;
        self.stopped().await
    }

    /// As [`drain`](Self::drain), but hangs up all calls first.
    ///
    /// # Errors
    ///
    /// As [`drain`](Self::drain).
    pub async fn close(&self) -> io::Result<()> {
        let _ = self.link.act(Desk::close).await;
        self.stopped().await
    }

    /// Waits until its sockets are closed, because it has drained or one of them has failed. Calls
    /// end with [`EndReason::Failed`] then, if they have not ended before. The future borrows
    /// nothing, and does not keep the sockets open.
    ///
    /// # Errors
    ///
    /// What a socket said when it could not receive any more.
    pub fn stopped(&self) -> impl Future<Output = io::Result<()>> + Send + use<> {
        let shared = Arc::clone(&self.link.shared);
        async move {
            match shared.stopped.wait().await {
                Ok(()) => Ok(()),
                Err(error) => Err(io::Error::new(error.kind(), Arc::clone(error))),
            }
        }
    }
}
