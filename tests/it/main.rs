//! All integration tests of the crate, in one binary so that they link once.
//!
//! The modules stand under `cfg(test)`, which holds here anyway, so that clippy knows them as tests.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod peers;
