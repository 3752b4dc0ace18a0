#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracles::edits(bytes));

#[path = "../../tests/it/oracles.rs"]
#[allow(dead_code, reason = "each target has one of them")]
mod oracles;
