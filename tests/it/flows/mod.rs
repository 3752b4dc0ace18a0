//! Whole flows between simulated endpoints and scripted peers, each a ladder that was read against
//! the RFC before it was accepted.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a user in a test acts on what the test is about; the enums may grow"
)]

mod attacks;
mod calls;
mod cancelling;
mod early;
mod endpoint;
mod forks;
mod laws;
mod limits;
mod loss;
mod misbehaviour;
mod old_peers;
mod queries;
mod reinvites;
mod requests;
mod routes;
mod support;
mod updates;
