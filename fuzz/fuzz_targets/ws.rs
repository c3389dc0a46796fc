#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cubby::testing::fuzz::ws(data));
