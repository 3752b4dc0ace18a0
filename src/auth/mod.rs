//! Digest authentication (RFC 3261 22; 7616; 8760).
//!
//! A [`Client`] answers the challenges that a call or a registration meets; a [`Verifier`] makes
//! challenges and checks what clients answer. Both are plain data: they hold no transaction and no
//! timer, and whoever owns the request sends it again. The formulas themselves are in [`digest`].
//!
//! Basic is never sent and never accepted (RFC 8760 2.6).

mod algorithm;
mod client;
pub mod digest;
mod hex;
mod keyring;
mod secret;
mod side;
#[cfg(test)]
mod testing;
mod text;
mod verifier;

pub use algorithm::Algorithm;
pub use client::{Attempt, Client, GiveUp, ServerProof};
pub use digest::{Protected, Qop};
pub use hex::Hex;
pub use keyring::{Account, Keyring};
pub use secret::Secret;
pub use side::Side;
pub use text::Realm;
pub use verifier::{Claim, Policy, Presented, Refusal, Verified, Verifier};
