//! Records of jobs and pipelines as GitLab lists them: what is taken has an id and a name, each job comes once.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;

use ci_history::{Rules, Timeline, TimelineKey, Timestamp};
use fuzz::linear;
use job_failure_exporter::gitlab::{decode_pipeline, decode_pipeline_jobs};
use serde_json::value::RawValue;

fuzz_target!(|json: &str| {
    let Ok(json) = serde_json::from_str::<&RawValue>(json) else {
        return;
    };
    let length = json.get().len();
    let pipeline = linear(length, || decode_pipeline(json));
    if let Ok(pipeline) = &pipeline {
        assert!(pipeline.id > 0 && !pipeline.ref_name.is_empty());
    }
    let found = linear(length, || decode_pipeline_jobs(json));
    for rejected in &found.jobs.rejected {
        assert!(rejected.detail.len() < 1000, "{} bytes", rejected.detail.len());
    }
    let jobs = found.jobs.items;
    let ids: HashSet<u64> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(ids.len(), jobs.len(), "each id once");
    assert!(jobs.iter().all(|job| job.id > 0 && !job.name.is_empty()));
    let single = r#"{"id":1,"ref":"main","sha":"a","status":"failed"}"#;
    let single: &RawValue = serde_json::from_str(single).expect("valid JSON");
    let pipeline = pipeline.or_else(|_| decode_pipeline(single)).expect("a pipeline");
    let (rules, now) = (Rules::default(), Timestamp::of_clock(1_800_000_000));
    let mut timeline = Timeline::new(TimelineKey::new(1, "main"), "acme/shop".into(), None);
    linear(length, || timeline.observe(&pipeline, &jobs, &rules, now));
    let once = timeline.clone();
    timeline.observe(&pipeline, &jobs, &rules, now);
    assert!(once == timeline, "a repeated observation changes nothing");
});
