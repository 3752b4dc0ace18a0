//! Where a machine puts its actions.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Takes the actions of a machine, in the order in which they must be performed.
///
/// A machine keeps no queue of its own: everything an input causes is pushed before the call
/// returns. `Vec`, `VecDeque`, `SmallVec` and every `FnMut(A)` are sinks.
///
/// ```
/// use drongo::sink::Sink;
///
/// let mut gathered = Vec::new();
/// let mut retag = |n: u8| gathered.push(u16::from(n) + 0x100);
/// retag.push(7);
/// assert_eq!(gathered, [0x107]);
/// ```
pub trait Sink<A> {
    /// Takes one action.
    fn push(&mut self, action: A);
}

impl<A> Sink<A> for Vec<A> {
    fn push(&mut self, action: A) {
        self.push(action);
    }
}

impl<A> Sink<A> for VecDeque<A> {
    fn push(&mut self, action: A) {
        self.push_back(action);
    }
}

impl<A, const N: usize> Sink<A> for smallvec::SmallVec<[A; N]> {
    fn push(&mut self, action: A) {
        self.push(action);
    }
}

impl<A, F: FnMut(A)> Sink<A> for F {
    fn push(&mut self, action: A) {
        self(action);
    }
}
