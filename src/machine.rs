//! The contract that every state machine of the crate keeps.

use crate::error::Misuse;
use crate::sink::Sink;
use crate::time::Time;

/// A state machine: events, commands and time go in, actions come out.
///
/// # The laws
///
/// Every implementation in this crate is held to them by one generic test.
///
/// - **L1** A call is atomic: all its consequences are pushed before it returns; nothing is
///   pending afterwards.
/// - **L2** The order of pushes is the order on the wire and of causes.
/// - **L3** A deadline `<= now` fires before the input, for `receive` and `command` alike.
/// - **L4** Ties at one instant go in a declared order; a timer that ends the machine beats one
///   that retransmits, also when a late wake finds both due: nobody needs a copy of what ends now.
/// - **L5** A late wake fires each timer at most once. The next is counted from when it was due;
///   only if that is not after `now`, from `now`: no burst after a suspend.
/// - **L6** Time that runs backwards is clamped to the last seen and counted, once, by the
///   outermost owner; a machine used alone clamps to the start of its state. It never panics and
///   never skips work.
/// - **L7** An early or spurious `on_deadline` does nothing.
/// - **L8** After `on_deadline(now)` the deadline is `None` or later than `now`.
/// - **L9** `Terminated` is the last action; after it, inputs are absorbed and the deadline is
///   `None`. It says that the resources are free.
/// - **L10** `Err(Misuse)`: the command itself changes nothing and pushes nothing (what was due by
///   `now` has fired, and stands). `receive` cannot fail. A verb on something ended but lingering
///   is `Ok` and does nothing.
/// - **L11** A leaf machine has [`MAX_ACTIONS`](Leaf::MAX_ACTIONS), and no call exceeds it. A
///   composite's bound is a function of its limits and of how many of its parts were due.
/// - **L12** Same seed, same inputs, same times, each deadline served at its instant: same bytes.
///
/// # How to run one
///
/// Feed it, perform what it pushes in that order, and come back at its deadline.
///
/// ```
/// use drongo::machine::Machine;
/// use drongo::time::Time;
///
/// fn run<M: Machine>(
///     machine: &mut M,
///     inputs: impl IntoIterator<Item = (Time, M::Event)>,
///     mut perform: impl FnMut(M::Action),
/// ) {
///     for (now, event) in inputs {
///         while let Some(at) = machine.deadline().filter(|at| *at <= now) {
///             machine.on_deadline(at, &mut perform);
///         }
///         machine.receive(now, event, &mut perform);
///     }
/// }
/// ```
pub trait Machine {
    /// From below: the wire, or the floor underneath.
    type Event;
    /// From above: the user, or the floor that owns this machine.
    type Command;
    /// What must now be done.
    type Action;

    /// Takes an event. Cannot fail: what the network says is never an error of the caller.
    fn receive(
        &mut self,
        now: Time,
        event: Self::Event,
        out: &mut (impl Sink<Self::Action> + ?Sized),
    );

    /// Takes a command.
    ///
    /// # Errors
    ///
    /// [`Misuse`] if the command does not fit; see law L10.
    fn command(
        &mut self,
        now: Time,
        command: Self::Command,
        out: &mut (impl Sink<Self::Action> + ?Sized),
    ) -> Result<(), Misuse>;

    /// Fires what is due at `now`.
    fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Self::Action> + ?Sized));

    /// When `on_deadline` must be called next.
    fn deadline(&self) -> Option<Time>;

    /// Whether the machine has pushed its last action.
    fn is_terminated(&self) -> bool;

    /// Shifts every point in time that the machine holds from a clock that reads `from` to one
    /// that reads `to` at the same instant.
    fn rebase(&mut self, from: Time, to: Time);
}

/// A machine without parts of its own: what one call can push has a fixed bound.
pub trait Leaf: Machine {
    /// The most actions that one call pushes.
    const MAX_ACTIONS: usize;
}
