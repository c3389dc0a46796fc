#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cubby::testing::fuzz::hub_ops(data));
