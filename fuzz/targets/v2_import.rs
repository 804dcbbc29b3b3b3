//! Documents of datadog-agent.

#![no_main]

use libfuzzer_sys::fuzz_target;

use ci_history::{Rules, TimelineKey};
use job_failure_exporter::store::{decode_v2, encode_v2};

fuzz_target!(|text: &[u8]| {
    let rules = Rules::default();
    let key = TimelineKey::new(1, "main");
    if let Ok(timeline) = decode_v2(text, key, "acme/shop".into(), &rules) {
        encode_v2(&timeline, &rules);
    }
});
