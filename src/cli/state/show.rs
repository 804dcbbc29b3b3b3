//! `state show`: how the jobs stand by the saved state.

use std::io::{self, Write};

use anyhow::bail;
use clap::Args;

use super::super::Console;
use super::super::table::{
    LEGEND, counted, executions, minute, print_aligned, printable, ratio, worst_first,
};
use super::figures::TimelineShown;
use super::{Selection, StoreArgs, name, nearest, selected};
use crate::model::{Figures, JobRow, Outcome, WindowEntry};
use crate::store::Saved;

/// Arguments of `state show`.
#[derive(Debug, Args)]
#[command(after_help = "\
What is shown is what was saved last. Times are UTC.

Examples:
  job-failure-exporter state show --config.file config.yml
  job-failure-exporter state show --project group/app --job unit-tests
  job-failure-exporter state show --json | jq '.[].jobs[] | select(.consecutive_failures > 2)'")]
pub struct ShowArgs {
    /// Only this job, with each execution of its window.
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Print JSON, with everything that is known.
    #[arg(long)]
    pub json: bool,
    /// Which timelines.
    #[command(flatten)]
    pub selection: Selection,
    /// Where the state is.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// A timeline with the figures of the jobs that are shown.
struct Found {
    saved: Saved,
    pipelines: Figures,
    jobs: Vec<JobRow>,
}

pub(super) async fn run(args: &ShowArgs, console: &mut Console<'_>) -> anyhow::Result<()> {
    let config = args.store.config()?;
    let saved = selected(&config, &args.selection, console).await?;
    let mut names = Vec::new();
    let mut found: Vec<Found> = Vec::with_capacity(saved.len());
    for saved in saved {
        let mut rows = saved.timeline.rows(&config.counting);
        if let Some(job) = &args.job {
            names.extend(rows.jobs.iter().map(|row| row.name.clone()));
            rows.jobs.retain(|row| *row.name == **job);
            if rows.jobs.is_empty() {
                continue;
            }
        }
        rows.jobs
            .sort_by(|a, b| worst_first(&a.figures, &b.figures));
        found.push(Found {
            saved,
            pipelines: rows.pipelines,
            jobs: rows.jobs,
        });
    }
    if let (Some(job), true) = (&args.job, found.is_empty()) {
        bail!("no job `{job}` is saved{}", nearest(job, &names));
    }
    if args.json {
        print_json(&found, args.job.is_some(), console.out)?;
    } else if args.job.is_some() {
        print_jobs(&found, console.out)?;
    } else {
        print_tables(&found, console.out)?;
    }
    console.out.flush()?;
    Ok(())
}

fn print_json(found: &[Found], single: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let shown = found.iter().map(|found| {
        let jobs: Vec<&JobRow> = found.jobs.iter().collect();
        TimelineShown::of(&found.saved, (!single).then_some(&found.pipelines), &jobs)
    });
    serde_json::to_writer_pretty(&mut *out, &shown.collect::<Vec<_>>())?;
    writeln!(out)?;
    Ok(())
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
        lines.extend(jobs.iter().map(line));
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
        .flat_map(|found| found.jobs.iter().map(move |job| (found, job)));
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

/// The executions of the window, a line each.
pub(in super::super) fn print_window(figures: &Figures, out: &mut dyn Write) -> io::Result<()> {
    let heads = ["PIPELINE", "JOB", "OUTCOME", "FINISHED", "COMMIT"];
    let mut lines = vec![heads.map(str::to_owned)];
    lines.extend(figures.window.iter().map(execution));
    print_aligned(&lines, out)
}

/// What is known of a job besides its executions.
pub(in super::super) fn facts(job: &JobRow) -> Vec<[String; 2]> {
    let figures = &job.figures;
    let [ratio, failed] = ratio(figures);
    let text = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), printable);
    let outcomes = Outcome::ALL.map(|outcome| {
        let count = figures.executions.get(outcome);
        format!("{count} {}", outcome.as_str().replace('_', " "))
    });
    let flaky = figures.flaky_executions;
    let retries = figures.retries;
    let mut facts = vec![
        ["streak", &figures.consecutive_failures.to_string()].map(str::to_owned),
        ["ratio", &format!("{ratio} ({failed} failed)")].map(str::to_owned),
        ["last success", &minute(figures.last_success)].map(str::to_owned),
        ["last failure", &minute(figures.last_failure)].map(str::to_owned),
        ["counted", &outcomes.join(", ")].map(str::to_owned),
        ["besides", &format!("{flaky} flaky, {retries} retries")].map(str::to_owned),
    ];
    if let Some(failing) = &figures.failing {
        let class = failing
            .failure_class
            .map(crate::model::FailureClass::as_str);
        facts.extend([
            ["failing since", &minute(failing.since)].map(str::to_owned),
            ["reason", &text(failing.failure_reason.as_deref())].map(str::to_owned),
            ["class", &text(class)].map(str::to_owned),
            [
                "first failing commit",
                &text(failing.first_failing_commit.as_deref()),
            ]
            .map(str::to_owned),
            [
                "last passing commit",
                &text(failing.last_passing_commit.as_deref()),
            ]
            .map(str::to_owned),
            ["page", &text(failing.web_url.as_deref())].map(str::to_owned),
        ]);
    }
    facts
}

fn execution(entry: &WindowEntry) -> [String; 5] {
    let number = |id: Option<u64>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let outcome = entry.outcome.as_str().replace('_', " ");
    [
        number(entry.pipeline_id),
        number(entry.job_id),
        if entry.flaky {
            format!("{outcome}, flaky")
        } else {
            outcome
        },
        minute(entry.finished_at),
        entry
            .commit
            .as_deref()
            .map_or_else(|| "-".to_owned(), printable),
    ]
}
