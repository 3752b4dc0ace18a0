#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| it::scripts::endpoint(bytes));

#[path = "../../tests/it"]
#[allow(dead_code, unused_imports, reason = "most of it is for the tests")]
mod it {
    pub(crate) mod laws;
    pub(crate) mod scripts;
}
