//! Records of jobs and pipelines as GitLab lists them.

#![no_main]

use libfuzzer_sys::fuzz_target;

use job_failure_exporter::gitlab::{decode_pipeline, decode_pipeline_jobs};
use serde_json::value::RawValue;

fuzz_target!(|json: &str| {
    if let Ok(json) = serde_json::from_str::<&RawValue>(json) {
        let _ = decode_pipeline(json);
        decode_pipeline_jobs(json);
    }
});
