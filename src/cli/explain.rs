//! `explain`: one job in words. Whether it fails, since when and why, its owner, its figures, and what
//! Prometheus and Alertmanager make of them.

use std::io::{self, Write};
use std::time::SystemTime;

use anyhow::bail;
use arcstr::ArcStr;
use ci_history::clock::Clock;
use ci_history::{Failing, FailureClass, Figures, InfrastructureFailures, Outcome, Rules};
use clap::Args;
use serde::Serialize;
use url::Url;

use super::common::{Console, StoreArgs};
use super::job_facts::{facts, print_window};
use super::saved::{TimelineFilter, entry, name, selected, unknown_job};
use super::table::{minute, print_aligned, printable};
use crate::alerting::{Asker, JobLabels, Report, Servers, server_url};
use crate::base::server_access::ServerAccess;
use crate::config::StateConfig;
use crate::http::{JobEntry, JobView};
use crate::store::Saved;

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads what was saved last, also while the exporter runs, and changes nothing. Times are UTC. \
Thresholds and alerts are Prometheus' own, silences and receivers Alertmanager's. A server that fails to \
answer is named with the reason; the exit code is 0 all the same.

Examples:
  job-failure-exporter explain group/app unit-tests --prometheus.url http://127.0.0.1:9090
  job-failure-exporter explain --config.file config.yml group/app 'test: [a, b]' --ref main
  job-failure-exporter explain --config.file config.yml group/app e2e --ref main --track nightly
  job-failure-exporter explain --config.file config.yml group/app unit-tests --json")]
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
    /// Only this track of the ref; an empty one means the pipelines without a track.
    #[arg(long, value_name = "TRACK")]
    pub track: Option<String>,
    /// Print JSON: an object for each ref and track.
    #[arg(long)]
    pub json: bool,
    /// Prometheus that evaluates the alert rules. Overrides `prometheus.url` of the configuration.
    #[arg(long = "prometheus.url", value_name = "URL", value_parser = server_url)]
    pub prometheus_url: Option<Url>,
    /// Alertmanager that Prometheus sends to. Overrides `alertmanager.url` of the configuration.
    #[arg(long = "alertmanager.url", value_name = "URL", value_parser = server_url)]
    pub alertmanager_url: Option<Url>,
    /// Where the state is.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// A job with what was found out about it.
struct Explained<'a> {
    saved: &'a Saved,
    entry: JobEntry,
    report: Report,
}

#[derive(Serialize)]
struct ExplainedView<'a> {
    job: JobView<'a>,
    #[serde(flatten)]
    report: &'a Report,
}

/// Runs `explain`.
pub async fn run(
    args: &ExplainArgs,
    clock: &dyn Clock,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let (config, unread) = args.store.config_with_secrets()?;
    if let Some(unread) = unread {
        tracing::warn!("servers are asked without a login: {unread}");
    }
    let filter = TimelineFilter {
        project: Some(args.project.clone()),
        ref_name: args.ref_name.clone(),
        track: args.track.clone(),
    };
    let saved = selected(&config, &filter, console).await?;
    let now = clock.now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs().try_into().unwrap_or(i64::MAX));
    // A login is for the server of the configuration alone.
    let given = |url: &Option<Url>| url.clone().map(ServerAccess::from);
    let prometheus = given(&args.prometheus_url).or(config.prometheus.clone());
    let alertmanager = given(&args.alertmanager_url).or(config.alertmanager.clone());
    let is_asked = prometheus.is_some();
    let servers = Servers::new(prometheus, alertmanager, Asker::Command)?;
    let mut found = Vec::new();
    for saved in &saved {
        let Some(row) = saved.timeline.row(&args.job, &config.counting) else {
            continue;
        };
        let entry = entry(saved, row, &config.owners);
        let job = JobLabels {
            project: &entry.project,
            ref_name: Some(&entry.ref_name),
            track: Some(entry.track.as_deref().unwrap_or_default()),
            job_name: &entry.row.name,
        };
        let report = servers.ask(job, now).await;
        found.push(Explained {
            saved,
            entry,
            report,
        });
    }
    if found.is_empty() {
        let unknown = unknown_job(&args.job, &saved, &config.counting);
        if !is_asked {
            bail!(unknown);
        }
        // A job that is gone may have alerts, too.
        let job = JobLabels {
            project: saved.first().map_or("", |saved| &saved.timeline.project),
            ref_name: args.ref_name.as_deref(),
            track: args.track.as_deref(),
            job_name: &args.job,
        };
        let report = servers.ask(job, now).await;
        bail!("{unknown}\n{}", report.conclusions.join("\n"));
    }
    if args.json {
        let views = found.iter().map(Explained::view);
        serde_json::to_writer_pretty(&mut *console.out, &views.collect::<Vec<_>>())?;
        writeln!(console.out)?;
    } else {
        print_all(&found, &config, console.out)?;
    }
    console.out.flush()?;
    Ok(())
}

fn print_all(found: &[Explained<'_>], config: &StateConfig, out: &mut dyn Write) -> io::Result<()> {
    for (number, found) in found.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        found.print(config, out)?;
    }
    Ok(())
}

impl Explained<'_> {
    fn view(&self) -> ExplainedView<'_> {
        ExplainedView {
            job: JobView::of(&self.entry),
            report: &self.report,
        }
    }

    fn print(&self, config: &StateConfig, out: &mut dyn Write) -> io::Result<()> {
        let timeline = &self.saved.timeline;
        let row = &self.entry.row;
        let figures = &row.figures;
        writeln!(out, "{} of {}\n", printable(&row.name), name(timeline))?;
        writeln!(out, "{}", verdict(figures, &config.counting))?;
        if let Some(failing) = &figures.failing {
            writeln!(out)?;
            why(failing, out)?;
            since(failing, timeline.project_url.as_deref(), out)?;
        }
        writeln!(out, "{}", owner(config, &self.entry))?;
        writeln!(out, "\nFigures:")?;
        print_aligned(&facts(row), out)?;
        writeln!(out, "\nWindow, oldest first:")?;
        print_window(figures, out)?;
        let thresholds = self.report.thresholds().iter();
        let thresholds: Vec<_> = thresholds.map(|it| [it.label(), it.words()]).collect();
        if !thresholds.is_empty() {
            writeln!(out, "\nThresholds, by Prometheus:")?;
            print_aligned(&thresholds, out)?;
        }
        writeln!(out, "\nAlerts:")?;
        for conclusion in &self.report.conclusions {
            writeln!(out, "- {}", printable(conclusion))?;
        }
        Ok(())
    }
}

/// Whether the job counts as failing, and by which execution.
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
    let commit = |commit: &Option<ArcStr>| {
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

fn owner(config: &StateConfig, entry: &JobEntry) -> String {
    let team = entry.team.as_deref().map(printable);
    match (team, &config.owners.repository_file) {
        (Some(team), None) => format!("Whose: {team}."),
        (None, None) => "Whose: nobody's, by the configuration.".to_owned(),
        (team, Some(file)) => format!(
            "Whose: {} by the configuration; {} of the repository was not asked, the job's page tells.",
            team.unwrap_or("nobody's".to_owned()),
            printable(file)
        ),
    }
}
