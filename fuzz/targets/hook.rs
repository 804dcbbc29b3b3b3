//! Bodies of webhooks.

#![no_main]

use libfuzzer_sys::fuzz_target;

use job_failure_exporter::gitlab::webhook::{decode, kind_of};

fuzz_target!(|body: &[u8]| {
    if let Some(kind) = kind_of(body) {
        let _ = decode(kind, body);
    }
});
