//! `replay`: counts recorded pipelines and prints the result.

mod input;
pub(super) mod remediation;
mod table;
mod thresholds;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use ci_history::{
    JobObservation, PipelineObservation, Rules, Status, Timeline, TimelineKey, Timestamp,
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use self::input::Record;
use self::table::Table;
use crate::config::{Preset, Word as _};
use crate::store::{decode, decode_v2, encode_v2};

/// Arguments of `replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
The input is a JSON array, or one object a line, of
  {\"pipeline\": <pipeline as GitLab's API gives it>, \"jobs\": [<its jobs, every attempt>]}
in the order in which the pipelines are to be counted. Each is taken as finished.

Examples:
  job-failure-exporter replay pipelines.json
  job-failure-exporter replay --remediation config.yml pipelines.json
  cat runs.jsonl | job-failure-exporter replay --counting.preset datadog-agent --output datadog-v2")]
pub struct ReplayArgs {
    /// File to read; none or - is standard input.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Rules to count by.
    #[arg(
        long = "counting.preset",
        value_name = "PRESET",
        default_value = Preset::Default.word(),
        value_parser = presets()
    )]
    pub counting_preset: Preset,
    /// State to start from: a `job_executions.v2.json` or a later document.
    #[arg(long = "initial-state", value_name = "FILE")]
    pub initial_state: Option<PathBuf>,
    /// Configuration of an exporter: print what its `remediation.rules` would have done about the failures of the
    /// input, or without FILE about those of its saved state.
    #[arg(long = "remediation", value_name = "CONFIG", conflicts_with = "output")]
    pub remediation: Option<PathBuf>,
    /// What to print.
    #[arg(long = "output", value_name = "OUTPUT", default_value = "table")]
    pub output: ReplayOutput,
}

fn presets() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::words())
        .map(|word| Preset::from_word(&word).unwrap_or(Preset::Default))
}

/// What `replay` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayOutput {
    /// A table of streaks and ratios, and where a threshold was crossed.
    Table,
    /// The state as a v2 document, one line after each pipeline.
    #[value(name = "datadog-v2")]
    DatadogV2,
}

/// The input names no project.
const UNNAMED_PROJECT: &str = "replay";

/// Runs `replay`: counts the input pipeline by pipeline and prints to `out`. `err` gets the records that are
/// left out.
pub fn run(args: &ReplayArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<()> {
    let rules = args.counting_preset.rules();
    let initial = initial_state(args.initial_state.as_deref(), &rules)?;
    let mut replay = Replay::new(args.counting_preset, initial);
    let text = read(args.file.as_deref())?;
    let mut table = Table::new()?;
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
                table.note(&pipeline, counted, &rows);
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

/// The timelines during the replay.
struct Replay {
    preset: Preset,
    rules: Rules,
    /// The ref of the first pipeline takes it.
    initial: Option<Timeline>,
    timelines: BTreeMap<Arc<str>, Timeline>,
}

impl Replay {
    fn new(preset: Preset, initial: Option<Timeline>) -> Self {
        Self {
            preset,
            rules: preset.rules(),
            initial,
            timelines: BTreeMap::new(),
        }
    }

    /// Counts one pipeline as finished; returns its timeline, and whether it was counted.
    fn count(
        &mut self,
        mut pipeline: PipelineObservation,
        jobs: &[JobObservation],
    ) -> (&Timeline, bool) {
        if !pipeline.status.is_terminal() {
            pipeline.status = Status::Success;
        }
        let key = TimelineKey::new(0, pipeline.ref_name.clone());
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
            // The original skips downstream pipelines, and counts a repeated pipeline again.
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
    let key = TimelineKey::new(0, Arc::from(""));
    let timeline = decode_v2(&text, key, UNNAMED_PROJECT.into(), rules);
    timeline.with_context(named).map(Some)
}
