//! The recorded pipelines: a JSON array, or one object after the other.

use anyhow::{Context as _, anyhow, bail};
use ci_history::{JobObservation, PipelineObservation};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::gitlab::{Listing, decode_pipeline, decode_pipeline_jobs};

/// One pipeline with every attempt of its jobs.
pub(super) struct Record {
    pub(super) pipeline: PipelineObservation,
    pub(super) jobs: Listing<JobObservation>,
}

#[derive(Deserialize)]
struct RawRecord<'a> {
    #[serde(borrow)]
    pipeline: &'a RawValue,
    #[serde(borrow)]
    jobs: &'a RawValue,
}

/// The records of the input, in order.
///
/// # Errors
///
/// The number of the first record that fails to parse.
pub(super) fn records(text: &[u8]) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Record>>> {
    let text = str::from_utf8(text).context("the input is not UTF-8")?;
    if text.trim().is_empty() {
        bail!(
            "the input is empty: wanted a JSON array, or one object a line, of \
             {{\"pipeline\": .., \"jobs\": [..]}}"
        );
    }
    let raw: Vec<&RawValue> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).context("the input is no JSON array")?
    } else {
        let values = serde_json::Deserializer::from_str(text).into_iter();
        let values: Result<Vec<_>, _> = values.collect();
        values.context("the input is no JSON, one object a line")?
    };
    Ok((1..)
        .zip(raw)
        .map(|(number, raw)| record(raw).with_context(|| format!("record {number} of the input"))))
}

fn record(raw: &RawValue) -> anyhow::Result<Record> {
    let raw: RawRecord<'_> =
        serde_json::from_str(raw.get()).context("wanted an object with `pipeline` and `jobs`")?;
    let mut pipeline =
        decode_pipeline(raw.pipeline).map_err(|it| anyhow!("its pipeline cannot be read: {it}"))?;
    if !raw.jobs.get().trim_start().starts_with('[') {
        bail!("`jobs` is no array");
    }
    let jobs = decode_pipeline_jobs(raw.jobs);
    pipeline.duration = pipeline.duration.or(jobs.running_time);
    Ok(Record {
        pipeline,
        jobs: jobs.jobs,
    })
}
