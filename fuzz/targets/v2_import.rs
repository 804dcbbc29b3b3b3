//! Documents of datadog-agent: an imported one is written back and imported again without a change.

#![no_main]

use libfuzzer_sys::fuzz_target;

use ci_history::{Rules, TimelineKey};
use fuzz::linear;
use job_failure_exporter::store::{decode_v2, encode_v2};

fuzz_target!(|text: &[u8]| {
    let rules = Rules::default();
    let imported = |text: &[u8]| {
        let key = TimelineKey::new(1, "main");
        linear(text.len(), || decode_v2(text, key, "acme/shop".into(), &rules))
    };
    if let Ok(timeline) = imported(text) {
        let written = linear(text.len(), || encode_v2(&timeline, &rules));
        let again = imported(&written).expect("a written document is imported");
        assert_eq!(encode_v2(&again, &rules), written);
    }
});
