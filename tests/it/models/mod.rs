//! Model checking of the shipped machines themselves, not of models of them.
//!
//! Two machines and a network between them that loses, duplicates and reorders without bound:
//! what was once sent may arrive at any time, any number of times, or never. At every step either
//! something arrives, a user does something, or time jumps to the next deadline. A state is the
//! machines, what was sent, and what the users heard; its clock is turned back to the same instant
//! (`rebase`), so that the same situation at another time is the same state.

mod calls;
mod transactions;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
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
    M::State: Clone + std::fmt::Debug + Hash + Send + Sync + PartialEq,
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

/// Walks every path to its end, and panics if one never ends: if it comes back to where it was.
/// Where every last state is at rest, everything comes to rest then, whatever happens.
pub(crate) fn assert_every_path_ends<M>(model: &M)
where
    M: Model,
    M::State: Hash,
{
    // Whether all paths from a state have been walked, or this one is on it.
    let mut walked: BTreeMap<u64, bool> = BTreeMap::new();
    let next = |state: &M::State| {
        let mut actions = Vec::new();
        model.actions(state, &mut actions);
        let next = actions.into_iter();
        let next = next.filter_map(|action| model.next_state(state, action));
        next.collect::<Vec<_>>()
    };
    let mut path = Vec::new();
    path.push((0, model.init_states()));
    while let Some((at, branches)) = path.last_mut() {
        let Some(state) = branches.pop() else {
            walked.insert(*at, true);
            path.pop();
            continue;
        };
        let at = hash(&state);
        match walked.insert(at, false) {
            None => path.push((at, next(&state))),
            Some(true) => {
                walked.insert(at, true);
            }
            Some(false) => panic!("a path that never ends"),
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
