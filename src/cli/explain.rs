//! `explain`: one job's history in words: whether it fails and why it counts so, since when, whose it is,
//! and which shipped alerts it would fire.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::bail;
use clap::Args;

use super::Console;
use super::alerts::{Job, Reading, Verdict, lasting};
use super::state::{Selection, StoreArgs, name, nearest, selected, show};
use super::table::{minute, print_aligned, printable};
use super::thresholds::{Subject, Thresholds};
use crate::clock::Clock;
use crate::config::{Owners, StateConfig};
use crate::model::{
    Failing, FailureClass, Figures, InfrastructureFailures, JobRow, Outcome, Rules, Timestamp,
};
use crate::store::Saved;

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
It reads what was saved last, also while the exporter runs, and changes nothing. Times are UTC. Alerts are
those of alert-rules/, as they would be now by the clock of this machine, without the time that they wait (`for`) and
without what Alertmanager holds back.

Examples:
  job-failure-exporter explain group/app unit-tests
  job-failure-exporter explain --config.file config.yml group/app 'test: [a, b]' --ref main
  job-failure-exporter explain group/app unit-tests --thresholds /etc/prometheus/rules/thresholds.yml")]
pub struct ExplainArgs {
    /// Path or id of the project.
    #[arg(value_name = "PROJECT")]
    pub project: String,
    /// Name of the job, as in the label `job_name`.
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Only on this branch or tag.
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
    /// Your own thresholds.yml, in place of the shipped one; can be repeated.
    #[arg(long, value_name = "FILE")]
    pub thresholds: Vec<PathBuf>,
    /// Where the state is.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Runs `explain`.
pub async fn run(
    args: &ExplainArgs,
    clock: &dyn Clock,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let thresholds = Thresholds::read(&args.thresholds)?;
    let config = args.store.config()?;
    let selection = Selection {
        project: Some(args.project.clone()),
        ref_name: args.ref_name.clone(),
    };
    let saved = selected(&config, &selection, console).await?;
    let now = clock.now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs().try_into().unwrap_or(i64::MAX));
    let asked = Asked {
        config: &config,
        thresholds: &thresholds,
        shipped: args.thresholds.is_empty(),
        now: Timestamp::of_clock(now),
    };
    let mut found = 0;
    for saved in &saved {
        let Some(row) = saved.timeline.row(&args.job, &config.counting) else {
            continue;
        };
        if found > 0 {
            writeln!(console.out)?;
        }
        found += 1;
        asked.explain(saved, &row, console.out)?;
    }
    if found == 0 {
        let jobs = saved
            .iter()
            .flat_map(|saved| saved.timeline.rows(&config.counting).jobs);
        let names: Vec<_> = jobs.map(|row| row.name).collect();
        let mut projects = saved.iter().map(|saved| &*saved.timeline.project);
        let missing = projects.any(|project| thresholds.name(project, &args.job));
        bail!(
            "no job `{}` is saved{}{}",
            printable(&args.job),
            nearest(&args.job, &names),
            if missing {
                "\nIt has a threshold of its own: CIJobMissing fires"
            } else {
                ""
            }
        );
    }
    console.out.flush()?;
    Ok(())
}

/// What all jobs are explained with.
struct Asked<'a> {
    config: &'a StateConfig,
    thresholds: &'a Thresholds,
    /// Whether the thresholds are the shipped ones.
    shipped: bool,
    now: Timestamp,
}

impl Asked<'_> {
    fn explain(&self, saved: &Saved, row: &JobRow, out: &mut dyn Write) -> io::Result<()> {
        let timeline = &saved.timeline;
        let figures = &row.figures;
        writeln!(out, "{} of {}\n", printable(&row.name), name(timeline))?;
        writeln!(out, "{}", verdict(figures, &self.config.counting))?;
        if let Some(failing) = &figures.failing {
            writeln!(out)?;
            why(failing, out)?;
            since(failing, timeline.project_url.as_deref(), out)?;
        }
        let owners = &self.config.owners;
        let whose = whose(owners, &timeline.project, &row.name);
        writeln!(out, "{whose}\n")?;
        self.alerts(&timeline.project, row, out)?;
        writeln!(out, "\nFigures:")?;
        print_aligned(&show::facts(row), out)?;
        writeln!(out, "\nWindow, oldest first:")?;
        show::print_window(figures, out)
    }

    fn alerts(&self, project: &str, row: &JobRow, out: &mut dyn Write) -> io::Result<()> {
        if !row.figures.is_worth_showing() {
            return writeln!(
                out,
                "Alerts: none. It was never executed and does not run, so that nothing is exposed of it."
            );
        }
        let team = self.config.owners.team(project, &row.name, None);
        let job = Job {
            row,
            subject: Subject {
                project,
                job: &row.name,
                team: team.map_or("", |team| &**team),
            },
            thresholds: self.thresholds,
            now: self.now,
        };
        let which = if self.shipped {
            "the shipped thresholds"
        } else {
            "the given thresholds"
        };
        writeln!(out, "Alerts, by {which}:")?;
        let lines: Vec<_> = job.readings().into_iter().map(alert).collect();
        print_aligned(&lines, out)?;
        if job.is_an_infrastructure_failure() {
            writeln!(
                out,
                "  It is one of the jobs that CIInfrastructureFailures counts."
            )?;
        }
        Ok(())
    }
}

fn alert(reading: Reading) -> [String; 3] {
    let verdict = match reading.verdict {
        Verdict::Fires => "FIRES".to_owned(),
        Verdict::FiresIn(seconds) => format!("in {}", lasting(seconds)),
        Verdict::Silent => "silent".to_owned(),
        Verdict::Off => "off".to_owned(),
    };
    let alert = format!("{} ({})", reading.alert, reading.severity);
    [format!("  {verdict}"), alert, reading.words]
}

/// Whether it counts as failing, and by what.
fn verdict(figures: &Figures, rules: &Rules) -> String {
    let Some(newest) = figures.window.last() else {
        return match figures.consecutive_failures {
            0 => "Not failing: no execution of it has passed or failed yet.".to_owned(),
            streak => format!("Failing: {streak} in a row, by the state that was imported."),
        };
    };
    let place = match (newest.pipeline_id, newest.job_id) {
        (Some(pipeline), Some(job)) => format!(" (pipeline {pipeline}, job {job})"),
        (Some(pipeline), None) => format!(" (pipeline {pipeline})"),
        _ => String::new(),
    };
    let left_out = match rules.infrastructure_failures {
        InfrastructureFailures::Ignore => {
            "Failures of runners and of GitLab, canceled and skipped executions do not count."
        }
        InfrastructureFailures::Count => "Canceled and skipped executions do not count.",
    };
    let streak = figures.consecutive_failures;
    match newest.outcome {
        Outcome::Failed if streak == 1 => {
            format!(
                "Failing: its newest execution{place} failed, the one before did not. {left_out}"
            )
        }
        Outcome::Failed => format!(
            "Failing: {streak} executions in a row failed up to the newest one{place}. {left_out}"
        ),
        Outcome::AllowedFailure => format!(
            "Not failing: its newest execution{place} failed, but the job may fail (`allow_failure`)."
        ),
        _ if newest.flaky => format!(
            "Not failing: its newest execution{place} failed at first and passed on a retry."
        ),
        _ => format!("Not failing: its newest execution{place} passed."),
    }
}

fn why(failing: &Failing, out: &mut dyn Write) -> io::Result<()> {
    let class = failing
        .failure_class
        .unwrap_or(FailureClass::Unknown)
        .as_str();
    let reason = match failing.failure_reason.as_deref() {
        Some(reason) => format!("GitLab's reason is {}", printable(reason)),
        None => "GitLab gives no reason".to_owned(),
    };
    let log = if failing.log_was_read {
        "its log was looked at"
    } else {
        "its log was not looked at"
    };
    writeln!(out, "Why: {class}; {reason}, {log}.")?;
    if let Some(excerpt) = &failing.excerpt {
        writeln!(out, "  The end of the log of job {}:", excerpt.job_id)?;
        for line in excerpt.text.lines() {
            writeln!(out, "  | {}", printable(line))?;
        }
    }
    Ok(())
}

fn since(failing: &Failing, project_url: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let commit = |commit: &Option<std::sync::Arc<str>>| {
        let id = commit.as_deref().map(printable);
        id.map_or("an unknown commit".to_owned(), |id| format!("commit {id}"))
    };
    let before = match &failing.last_passing_commit {
        Some(_) => format!(
            "before that, {} passed",
            commit(&failing.last_passing_commit)
        ),
        None => "that it passed before is not known".to_owned(),
    };
    writeln!(
        out,
        "Since: {}, {}; {before}.",
        minute(failing.since),
        commit(&failing.first_failing_commit),
    )?;
    match failing.compare_url(project_url) {
        Some(url) => writeln!(out, "  Compare: {}", printable(&url)),
        None => Ok(()),
    }
}

fn whose(owners: &Owners, project: &str, job: &str) -> String {
    match (owners.team(project, job, None), &owners.repository_file) {
        (Some(team), None) => format!("Whose: {}.", printable(team)),
        (None, None) => "Whose: nobody's, by the configuration.".to_owned(),
        (team, Some(file)) => format!(
            "Whose: {} by the configuration; {} of the repository was not asked, the job's page tells.",
            team.map_or_else(|| "nobody's".to_owned(), |team| printable(team)),
            printable(file)
        ),
    }
}
