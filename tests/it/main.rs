//! All integration tests of the crate, in one binary so that they link once.
//!
//! The modules stand under `cfg(test)`, which holds here anyway, so that clippy knows them as tests.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests count lines, calls and seconds; an overflow would panic, which fails the test"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for one outcome; any other fails it"
)]

#[cfg(test)]
#[cfg(feature = "tokio")]
mod agent;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod conformance;
#[cfg(test)]
#[cfg(feature = "dns")]
mod dns;
#[cfg(test)]
#[cfg(any(feature = "tokio", feature = "mio"))]
mod driver;
#[cfg(test)]
mod endpoint;
#[cfg(test)]
#[cfg(feature = "sim")]
mod flows;
#[cfg(test)]
mod fuzz_corpus;
#[cfg(test)]
mod grammar;
#[cfg(test)]
#[cfg(any(feature = "tokio", feature = "mio"))]
mod idle;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod models;
#[cfg(test)]
#[cfg(all(feature = "metrics", feature = "tracing", feature = "tokio"))]
mod observe;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod overload;
#[cfg(test)]
mod pairs;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod printed;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod shards;
#[cfg(test)]
#[cfg(feature = "sim")]
mod swarm;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod torture;
#[cfg(test)]
#[cfg(all(feature = "sim", feature = "trace"))]
mod views;
#[cfg(test)]
#[cfg(feature = "sim")]
mod worlds;
