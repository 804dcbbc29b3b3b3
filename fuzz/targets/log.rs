//! Logs: any bytes make a short excerpt.

#![no_main]

use libfuzzer_sys::fuzz_target;

use ci_history::{LogText, Masker};

fuzz_target!(|bytes: &[u8]| {
    let text = LogText::read(bytes, true);
    if let Some(excerpt) = text.excerpt(&Masker::default()) {
        assert!(excerpt.len() <= 2048 && excerpt.lines().count() <= 20);
    }
});
