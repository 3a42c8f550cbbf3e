#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zsvc_fuzz::diff(bytes));
