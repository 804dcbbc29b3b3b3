//! `replay`: counts recorded pipelines and prints what comes out.

mod input;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use self::input::Record;
use self::table::Table;
use super::args::{Preset, ReplayArgs, ReplayOutput};
use crate::gitlab::Rejected;
use crate::model::{Rules, Status, Timeline, TimelineKey, Timestamp};
use crate::store::{decode, decode_v2, encode_v2};

/// Name of a project whose pipelines do not tell it.
const UNNAMED_PROJECT: &str = "replay";

/// Runs `replay`: reads all of the input, counts it pipeline by pipeline, prints to `out`; what is left
/// out of the input is said on `err`.
pub fn run(args: &ReplayArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<()> {
    let rules = args.counting_preset.rules();
    let mut replay = Replay {
        preset: args.counting_preset,
        initial: initial_state(args.initial_state.as_deref(), &rules)?,
        rules,
        timelines: BTreeMap::new(),
    };
    let text = read(args.file.as_deref())?;
    let mut table = Table::default();
    for record in input::records(&text)? {
        let Record { pipeline, jobs } = record?;
        for rejected in &jobs.rejected {
            writeln!(err, "left out: pipeline {}: {rejected}", pipeline.id)?;
        }
        let (timeline, counted) = replay.count(pipeline.clone(), &jobs.items);
        match args.output {
            ReplayOutput::DatadogV2 => {
                out.write_all(&encode_v2(timeline, &args.counting_preset.rules()))?;
                writeln!(out)?;
            }
            ReplayOutput::Table => {
                let rows = timeline.rows(&args.counting_preset.rules());
                table.note(&pipeline, counted, &rows)?;
            }
        }
    }
    if args.output == ReplayOutput::Table {
        let rules = &replay.rules;
        let rows: Vec<_> = replay.timelines.values().map(|t| t.rows(rules)).collect();
        table.print(&rows, out)?;
    }
    out.flush()?;
    Ok(())
}

/// Timelines while pipelines are replayed into them.
struct Replay {
    preset: Preset,
    rules: Rules,
    /// Taken by the ref of the first pipeline.
    initial: Option<Timeline>,
    timelines: BTreeMap<Arc<str>, Timeline>,
}

impl Replay {
    /// Counts one pipeline, taken as finished; returns its timeline, and whether it was counted.
    fn count(
        &mut self,
        mut pipeline: crate::model::PipelineObservation,
        jobs: &[crate::model::JobObservation],
    ) -> (&Timeline, bool) {
        if !pipeline.status.is_terminal() {
            pipeline.status = Status::Success;
        }
        let key = TimelineKey {
            project_id: 0,
            ref_name: pipeline.ref_name.clone(),
        };
        let initial = &mut self.initial;
        let timeline = self
            .timelines
            .entry(pipeline.ref_name.clone())
            .or_insert_with(|| {
                let mut timeline = initial
                    .take()
                    .unwrap_or_else(|| Timeline::new(key.clone(), UNNAMED_PROJECT.into(), None));
                timeline.key = key;
                timeline
            });
        if self.preset == Preset::DatadogAgent {
            // The original leaves downstream pipelines out, and counts one again that it is given again.
            if pipeline.source.as_deref() == Some("pipeline") {
                return (timeline, false);
            }
            if pipeline.id == timeline.newest_finished() {
                timeline.reopen_newest_pipeline(&self.rules);
            }
        }
        let now = pipeline.updated_at.unwrap_or(Timestamp::of_clock(0));
        let changes = timeline.observe(&pipeline, jobs, &self.rules, now);
        (timeline, !changes.skipped)
    }
}

fn read(file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    match file {
        Some(path) if path != Path::new("-") => {
            fs::read(path).with_context(|| format!("cannot read {}", path.display()))
        }
        _ => {
            let mut text = Vec::new();
            io::stdin()
                .read_to_end(&mut text)
                .context("cannot read standard input")?;
            Ok(text)
        }
    }
}

fn initial_state(file: Option<&Path>, rules: &Rules) -> anyhow::Result<Option<Timeline>> {
    let Some(path) = file else { return Ok(None) };
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let named = || format!("{} is no state to start from", path.display());
    if text.iter().all(u8::is_ascii_whitespace) {
        bail!("{}: it is empty; wanted a job_executions.v2.json", named());
    }
    if let Ok(saved) = decode(&text) {
        return Ok(Some(saved.timeline));
    }
    let key = TimelineKey {
        project_id: 0,
        ref_name: Arc::from(""),
    };
    let timeline = decode_v2(&text, key, UNNAMED_PROJECT.into(), rules);
    timeline.with_context(named).map(Some)
}

/// A record of the input that is left out, as an error.
fn refused(rejected: &Rejected) -> anyhow::Error {
    anyhow::anyhow!("its pipeline cannot be read: {rejected}")
}
