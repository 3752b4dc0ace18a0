//! Model checking of the shipped machines themselves, not of models of them.
//!
//! Two machines and a network between them that loses, duplicates and reorders without bound:
//! what was once sent may arrive at any time, any number of times, or never. At every step either
//! something arrives, a user does something, or time jumps to the next deadline. A state is the
//! machines, what was sent, and what the users heard; its clock is turned back to the same instant
//! (`rebase`), so that the same situation at another time is the same state.

mod calls;
mod transactions;

use std::num::NonZeroUsize;
use std::thread;

use drongo::time::Time;
use stateright::{Checker, CheckerBuilder, Model};

/// What every state's clock reads. What happened longer ago than this happened at the start.
pub(crate) const NOW: Time = Time::from_secs(1_000);

/// Explores everything; says how many states there are.
pub(crate) fn explore<M>(model: M) -> usize
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + std::fmt::Debug + std::hash::Hash + Send + Sync + PartialEq,
    M::Action: Clone + std::fmt::Debug + PartialEq,
{
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let checker = CheckerBuilder::threads(model.checker(), threads)
        .spawn_bfs()
        .join();
    checker.assert_properties();
    assert!(checker.is_done());
    checker.unique_state_count()
}
