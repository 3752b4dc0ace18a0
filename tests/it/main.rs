//! All integration tests of the crate, in one binary so that they link once.
//!
//! The modules stand under `cfg(test)`, which holds here anyway, so that clippy knows them as tests.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests count lines, calls and seconds; an overflow would panic, which fails the test"
)]

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod fuzz_corpus;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod peers;
