//! `state show`: the saved jobs as a table, one by one, or as JSON.

use std::io::{self, Write};

use anyhow::bail;
use ci_history::{Figures, JobRow, Timestamp};
use clap::Args;
use serde::Serialize;

use super::super::common::{Console, StoreArgs};
use super::super::job_facts::{facts, print_window};
use super::super::saved::{TimelineFilter, entry, name, selected, unknown_job};
use super::super::table::{
    LEGEND, counted, executions, minute, print_aligned, printable, ratio, worst_first,
};
use crate::http::{FiguresView, JobEntry, JobView};
use crate::store::Saved;

/// Arguments of `state show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Shows the last saved state. Times are UTC.

Examples:
  job-failure-exporter state show --config.file config.yml
  job-failure-exporter state show --project group/app --job unit-tests
  job-failure-exporter state show --json | jq '.[].jobs[] | select(.consecutive_failures > 2)'")]
pub struct ShowArgs {
    /// Only this job, with each execution of its window.
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Print JSON with all figures.
    #[arg(long)]
    pub json: bool,
    /// The wanted timelines.
    #[command(flatten)]
    pub filter: TimelineFilter,
    /// Where the state is.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// A timeline with the wanted jobs, the worst first.
struct Found {
    saved: Saved,
    pipelines: Figures,
    jobs: Vec<JobEntry>,
}

#[derive(Serialize)]
struct TimelineView<'a> {
    project: &'a str,
    project_id: u64,
    #[serde(rename = "ref")]
    ref_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<&'a str>,
    /// 0 for none.
    newest_finished_pipeline_id: u64,
    watermark_timestamp_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipelines: Option<FiguresView<'a>>,
    jobs: Vec<JobView<'a>>,
}

pub(super) async fn run(args: &ShowArgs, console: &mut Console<'_>) -> anyhow::Result<()> {
    let config = args.store.config()?;
    let saved = selected(&config, &args.filter, console).await?;
    if let Some(job) = &args.job {
        let is_known = |saved: &Saved| saved.timeline.row(job, &config.counting).is_some();
        if !saved.iter().any(is_known) {
            bail!(unknown_job(job, &saved, &config.counting));
        }
    }
    let mut found: Vec<Found> = Vec::with_capacity(saved.len());
    for saved in saved {
        let mut rows = saved.timeline.rows(&config.counting);
        if let Some(job) = &args.job {
            rows.jobs.retain(|row| *row.name == **job);
            if rows.jobs.is_empty() {
                continue;
            }
        }
        rows.jobs
            .sort_by(|a, b| worst_first(&a.figures, &b.figures));
        let jobs = rows.jobs.into_iter();
        found.push(Found {
            jobs: jobs.map(|row| entry(&saved, row, &config.owners)).collect(),
            pipelines: rows.pipelines,
            saved,
        });
    }
    if args.json {
        let with_pipelines = args.job.is_none();
        let views = found.iter().map(|found| found.view(with_pipelines));
        serde_json::to_writer_pretty(&mut *console.out, &views.collect::<Vec<_>>())?;
        writeln!(console.out)?;
    } else if args.job.is_some() {
        print_jobs(&found, console.out)?;
    } else {
        print_tables(&found, console.out)?;
    }
    console.out.flush()?;
    Ok(())
}

impl Found {
    fn view(&self, with_pipelines: bool) -> TimelineView<'_> {
        let timeline = &self.saved.timeline;
        let pipelines =
            || FiguresView::of_pipelines(&self.pipelines, timeline.project_url.as_deref());
        TimelineView {
            project: &timeline.project,
            project_id: timeline.key.project_id,
            ref_name: &timeline.key.ref_name,
            track: timeline.key.track.as_deref(),
            newest_finished_pipeline_id: timeline.newest_finished(),
            watermark_timestamp_seconds: self.saved.watermark.map(Timestamp::unix),
            pipelines: with_pipelines.then(pipelines),
            jobs: self.jobs.iter().map(JobView::of).collect(),
        }
    }
}

fn print_tables(found: &[Found], out: &mut dyn Write) -> io::Result<()> {
    let heads = [
        "STREAK",
        "RATIO",
        "FAILED",
        "FLAKY",
        "SINCE",
        "LAST SUCCESS",
        "LAST EXECUTIONS",
        "JOB",
    ];
    for Found { saved, jobs, .. } in found {
        let timeline = &saved.timeline;
        let jobs_there = counted(jobs.len(), "job");
        let newest = timeline.newest_finished();
        writeln!(
            out,
            "{}: {jobs_there}, up to pipeline {newest}",
            name(timeline)
        )?;
        let mut lines = vec![heads.map(str::to_owned)];
        lines.extend(jobs.iter().map(|job| line(&job.row)));
        print_aligned(&lines, out)?;
        writeln!(out)?;
    }
    writeln!(out, "{LEGEND} Times are UTC.")
}

fn line(job: &JobRow) -> [String; 8] {
    let figures = &job.figures;
    let [ratio, failed] = ratio(figures);
    [
        figures.consecutive_failures.to_string(),
        ratio,
        failed,
        figures.window_flaky.to_string(),
        minute(figures.failing.as_ref().and_then(|failing| failing.since)),
        minute(figures.last_success),
        executions(figures),
        printable(&job.name),
    ]
}

fn print_jobs(found: &[Found], out: &mut dyn Write) -> io::Result<()> {
    let jobs = found
        .iter()
        .flat_map(|found| found.jobs.iter().map(move |job| (found, &job.row)));
    for (number, (found, job)) in jobs.enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        writeln!(
            out,
            "{} of {}",
            printable(&job.name),
            name(&found.saved.timeline)
        )?;
        print_aligned(&facts(job), out)?;
        writeln!(out)?;
        print_window(&job.figures, out)?;
    }
    Ok(())
}
