//! Saved documents: what is read is written and read again without a change.

#![no_main]

use libfuzzer_sys::fuzz_target;

use ci_history::Rules;
use job_failure_exporter::store::{decode, encode};

fuzz_target!(|text: &[u8]| {
    let Ok(saved) = decode(text) else { return };
    let rules = Rules::default();
    let written = encode(&saved, &rules);
    let again = decode(&written).expect("a written document is read");
    assert_eq!(encode(&again, &rules), written);
});
