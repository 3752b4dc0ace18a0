//! From the application's tasks to the one that drives.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{SetOnce, mpsc, oneshot};
use tokio::time::Duration;

use super::desk::Desk;
use super::{AgentCounters, Bounds, CallError};
use crate::driver::Listen;
use crate::driver::clock::Clock;
use crate::endpoint::{CallHandle, RequestHandle};
use crate::message::StatusCode;
use crate::time::Time;

/// Something to do with the endpoint.
pub(super) type Job = Box<dyn FnOnce(&mut Desk) + Send>;

/// What an owner that is dropped leaves to be done. There is at most one for each thing that is
/// owned, and those are bounded, so their queue is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Farewell {
    /// Nobody owns the call any more.
    Call { call: CallHandle, panicked: bool },
    /// Nobody will answer the request.
    Request {
        request: RequestHandle,
        status: StatusCode,
    },
    /// Nobody will answer the re-INVITE with this number.
    Reoffer { call: CallHandle, number: u64 },
    /// Nobody waits for the re-INVITE of this side.
    Reinvite { call: CallHandle },
}

/// What all of one user agent share.
#[derive(Debug)]
pub(super) struct Shared {
    /// That of the endpoint.
    pub(super) clock: Clock,
    /// Where it listens.
    pub(super) places: Vec<Listen>,
    pub(super) bounds: Bounds,
    /// How long a request that came in may wait for its answer.
    pub(super) request_wait: Duration,
    pub(super) tallies: Tallies,
    /// How it ended, when it has.
    pub(super) stopped: SetOnce<Result<(), Arc<std::io::Error>>>,
}

/// Counters of [`AgentCounters`].
#[derive(Debug, Default)]
pub(super) struct Tallies {
    pub(super) arrivals_refused: AtomicU64,
    pub(super) events_lost: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) cut_off: AtomicU64,
}

impl Tallies {
    pub(super) fn count(one: &AtomicU64) {
        one.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> AgentCounters {
        AgentCounters {
            arrivals_refused: self.arrivals_refused.load(Ordering::Relaxed),
            events_lost: self.events_lost.load(Ordering::Relaxed),
            panics: self.panics.load(Ordering::Relaxed),
            cut_off: self.cut_off.load(Ordering::Relaxed),
        }
    }
}

/// A way to the task that drives. The task goes on while there is one.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) farewells: mpsc::UnboundedSender<Farewell>,
    pub(super) shared: Arc<Shared>,
}

impl Link {
    /// Does it over there, unless the future is dropped before its turn has come.
    pub(super) async fn act<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Desk) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |desk| {
            // Who does not wait any more has changed its mind.
            if !tell.is_closed() {
                // What is not taken is dropped here, and a call that is dropped is hung up.
                drop(tell.send(act(desk)));
            }
        });
        let sent = self.jobs.send(job).await;
        sent.map_err(|_| CallError::Stopped)?;
        told.await.map_err(|_| CallError::Stopped)
    }

    /// As [`act`](Self::act), for what is not this crate's: if it panics, its caller does.
    pub(super) async fn act_safely<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Desk) -> Result<R, Box<dyn Any + Send>> + Send + 'static,
    ) -> Result<R, CallError> {
        match self.act(act).await? {
            Ok(done) => Ok(done),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// The time of the endpoint now.
    pub(super) fn now(&self) -> Time {
        self.shared.clock.now()
    }

    /// Never waits.
    pub(super) fn leave(&self, farewell: Farewell) {
        // If it has stopped, there is nothing to be done.
        let _ = self.farewells.send(farewell);
    }
}
