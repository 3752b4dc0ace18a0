//! Where the events of one call go.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{SetOnce, mpsc, oneshot};

use super::{CallError, CallEvent, Updated};
use crate::call::{EndReason, RequestId};
use crate::message::{Request, Response};
use crate::transaction::Failure;

/// What is known of a call on both sides.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// Why it is over, when it is.
    pub(super) end: SetOnce<EndReason>,
    /// Events that found no room.
    pub(super) missed: AtomicU64,
}

/// The call stands.
#[derive(Debug)]
pub(super) enum Established {
    /// The other side answered. What comes from now on comes to a mailbox of its own, so that
    /// nothing of it is mistaken for what came before.
    Answered {
        response: Box<Response>,
        answer_needed: bool,
        events: mpsc::Receiver<CallEvent>,
    },
    /// The other side has acknowledged the answer of this side.
    Acknowledged {
        ack: Box<Request>,
        answer_missing: bool,
    },
}

pub(super) type Changed = Result<Updated, CallError>;
pub(super) type Responded = Result<Box<Response>, CallError>;

/// Where the events of one call go.
#[derive(Debug)]
pub(super) struct Route {
    /// `None` where nobody wants any.
    pub(super) mail: Option<mpsc::Sender<CallEvent>>,
    pub(super) established: Option<oneshot::Sender<Established>>,
    pub(super) fate: Arc<Fate>,
    /// The INVITE of the other side has no final response.
    pub(super) rings: bool,
    /// The re-INVITE of the other side that has no final response, by its number.
    pub(super) reoffer: Option<u64>,
    pub(super) reoffers: u64,
    /// Who waits for the re-INVITE of this side.
    pub(super) reinvite: Option<oneshot::Sender<Changed>>,
    /// Who waits for the UPDATE of this side.
    pub(super) update: Option<oneshot::Sender<Changed>>,
    /// Who waits for other requests of this side.
    pub(super) requests: Vec<(RequestId, oneshot::Sender<Responded>)>,
}

impl Route {
    pub(super) fn new(
        mail: Option<mpsc::Sender<CallEvent>>,
        established: Option<oneshot::Sender<Established>>,
    ) -> Self {
        Self {
            mail,
            established,
            fate: Arc::default(),
            rings: false,
            reoffer: None,
            reoffers: 0,
            reinvite: None,
            update: None,
            requests: Vec::new(),
        }
    }

    /// Who waits for this request of this side, and waits no more.
    pub(super) fn take_request(
        &mut self,
        request: RequestId,
    ) -> Option<oneshot::Sender<Responded>> {
        let at = self.requests.iter().position(|(id, _)| *id == request)?;
        Some(self.requests.swap_remove(at).1)
    }

    /// Everybody who waits finds out why.
    pub(super) fn end(self, reason: EndReason) {
        // A call ends once.
        let _ = self.fate.end.set(reason);
    }
}

/// Whatever becomes of the task that drives, nobody waits for ever.
impl Drop for Route {
    fn drop(&mut self) {
        // It is there already, unless the task was stopped from outside.
        let _ = self.fate.end.set(EndReason::Failed(Failure::Transport));
    }
}
