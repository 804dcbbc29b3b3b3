//! Logs: any bytes make a short excerpt without control characters.

#![no_main]

use libfuzzer_sys::fuzz_target;

use ci_history::{LogText, Masker};
use fuzz::linear;

fuzz_target!(|bytes: &[u8]| {
    let excerpt = linear(bytes.len(), || {
        LogText::read(bytes, true).excerpt(&Masker::default())
    });
    if let Some(excerpt) = excerpt {
        assert!(!excerpt.is_empty() && excerpt.len() <= 2048 && excerpt.lines().count() <= 20);
        assert!(!excerpt.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
    }
});
