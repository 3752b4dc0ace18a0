//! Whole flows between simulated endpoints and scripted peers, each a ladder that was read against
//! the RFC before it was accepted.

mod calls;
mod cancelling;
mod forks;
mod laws;
mod limits;
mod loss;
mod misbehaviour;
mod queries;
mod reinvites;
mod requests;
mod support;
