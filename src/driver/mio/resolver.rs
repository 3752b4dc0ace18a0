//! Look-ups, each in a thread of its own: the resolver of the operating system makes its caller
//! wait.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::super::core::Looked;
use super::super::names::look_up;
use super::Waker;
use crate::endpoint::QueryId;
use crate::locate::{Question, Records};

/// How many threads look up at once. Most names take milliseconds; one that nobody answers for may
/// take seconds, and calls to it wait for those.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub(super) struct Resolver {
    waker: Waker,
    answers: (Sender<Looked>, Receiver<Looked>),
    /// Each look-up that goes on has one more.
    running: Arc<()>,
}

impl Resolver {
    pub(super) fn new(waker: Waker) -> Self {
        Self {
            waker,
            answers: channel(),
            running: Arc::new(()),
        }
    }

    pub(super) fn next_answer(&mut self) -> Option<Looked> {
        self.answers.1.try_recv().ok()
    }

    /// Begins to look up. One too many finds nothing, as one whose thread does not start.
    pub(super) fn ask(&mut self, id: QueryId, question: Question) {
        let (answers, waker) = (self.answers.0.clone(), self.waker.clone());
        let running = Arc::clone(&self.running);
        let task = move || {
            let records = look_up(&question);
            drop(running);
            // The receiver is gone only if the driver is.
            let _ = answers.send((id, records));
            waker.rouse();
        };
        let is_free = Arc::strong_count(&self.running) <= AT_ONCE.saturating_add(1);
        let is_begun = is_free && thread::Builder::new().spawn(task).is_ok();
        if !is_begun {
            let _ = self.answers.0.send((id, Records::None));
            self.waker.rouse();
        }
    }
}
