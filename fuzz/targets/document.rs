//! Saved documents: what is read is written, read again without a change, and counted.

#![no_main]

use libfuzzer_sys::fuzz_target;

use ci_history::Rules;
use fuzz::linear;
use job_failure_exporter::store::{decode, encode};

fuzz_target!(|text: &[u8]| {
    let saved = match linear(text.len(), || decode(text)) {
        Ok(saved) => saved,
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 2000, "{} bytes", text.len());
            return;
        }
    };
    let rules = Rules::default();
    let written = linear(text.len(), || encode(&saved, &rules));
    let again = decode(&written).expect("a written document is read");
    assert_eq!(encode(&again, &rules), written);
    let rows = linear(text.len(), || saved.timeline.rows(&rules));
    assert_eq!(rows.jobs.len(), saved.timeline.jobs.len());
});
