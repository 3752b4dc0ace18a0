//! Whole flows between simulated endpoints and scripted peers, each a ladder that was read against
//! the RFC before it was accepted.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a user in a test acts on what the test is about; the enums may grow"
)]

mod attacks;
mod calls;
mod cancelling;
mod challenges;
mod early;
mod endpoint;
mod failover;
mod forks;
mod identity;
mod inspection;
mod laws;
mod limits;
mod loss;
mod misbehaviour;
mod old_peers;
mod overload;
mod queries;
mod refusals;
mod reinvites;
mod requests;
mod rfc3665;
mod routes;
pub(crate) mod support;
mod updates;

/// A call in which an ACK is lost twice, for those who look at traces.
pub(crate) fn a_call_with_loss() -> drongo::trace::Trace {
    let mut flow = support::Flow::new(support::answers);
    flow.world.lose(flow.alice, "ACK", 2);
    flow.place();
    flow.at(6000, flow.alice, support::hang_up);
    assert!(
        flow.world
            .run_until_idle(std::time::Duration::from_secs(1000))
    );
    flow.world.trace()
}
