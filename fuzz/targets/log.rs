//! Logs: any bytes make a short excerpt and a telling line without control characters.

#![no_main]

use libfuzzer_sys::fuzz_target;

use ci_history::{LogExcerpt, LogText, Masker};
use fuzz::linear;

fuzz_target!(|bytes: &[u8]| {
    let excerpt = linear(bytes.len(), || {
        LogText::read(bytes, true).excerpt(1, &Masker::default(), None)
    });
    if let Some(LogExcerpt { text, line, .. }) = excerpt {
        assert!(!text.is_empty() && text.len() <= 2048 && text.lines().count() <= 20);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        assert!(!line.is_empty() && line.len() <= 512 && !line.chars().any(char::is_control));
    }
});
