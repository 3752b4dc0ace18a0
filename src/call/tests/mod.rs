//! A call driven alone, as timed scripts: no transaction, no endpoint, no socket.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests themselves"
)]

mod asking;
mod callee;
mod caller;
mod cancel_reinvite;
mod commands;
mod credentials;
mod descriptions;
mod faults;
mod identity;
mod invite_headers;
mod lingering;
mod memory;
mod policies;
mod prack;
mod provisional;
mod redirection;
mod refresh;
mod refused_offers;
mod reinvite;
mod retries;
mod script;
mod sent;
mod session;
mod targets;
mod update;
mod usages;
