#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| integration_fuzz::run("apiges_thread", data));
