//! Digest authentication: the vectors of `vectors/conformance/auth.toml`, and client and verifier
//! against each other.

mod pairs;
mod vectors;
