//! `backfill`: reads past pipelines of the watched projects, and shows its progress.

use std::io::{IsTerminal as _, Write, stderr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ci_history::clock::SystemClock;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::common::{ConfigArgs, LogFormat};
use super::interrupt::Interrupts;
use super::past_args::PastArgs;
use crate::config::Config;
use crate::daemon::backfill::{self, BackfillOutcome, Progress, Reach};
use ci_history::duration;

/// Time between two log lines without a progress bar.
const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// Arguments of `backfill`.
#[derive(Debug, Args)]
#[command(after_help = "\
The exporter must not run on the same state directory meanwhile. A saved history that reaches further back \
is kept. After Ctrl-C or an error, run the same command again to continue.

Examples:
  job-failure-exporter backfill --since 30d --config.file config.yml
  job-failure-exporter backfill --since 90d --config.file config.yml --project group/app
  job-failure-exporter backfill --since 90d --config.file config.yml --openmetrics past.om \\
    --label job=job-failure-exporter --label instance=exporter:10141")]
pub struct BackfillArgs {
    /// How far back to read, such as 30d: pipelines that changed since then.
    #[arg(long, value_name = "DURATION", value_parser = span)]
    pub since: Duration,
    /// Replace saved histories, even those that reach further back.
    #[arg(long)]
    pub rebuild: bool,
    /// What to write of the past.
    #[command(flatten)]
    pub past: PastArgs,
    /// The daemon's flags.
    #[command(flatten)]
    pub config: ConfigArgs,
}

fn span(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(Duration::ZERO) => Err("wanted a time longer than 0".to_owned()),
        Ok(span) => Ok(span),
        Err(error) => Err(format!("{error}; wanted a time such as 30d or 12h")),
    }
}

/// Runs `backfill`; it fails unless everything was read.
pub async fn run(
    args: &BackfillArgs,
    config: Config,
    log_format: LogFormat,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::listen().context("cannot catch signals")?;
    let stop = CancellationToken::new();
    let progress = Arc::new(ProgressDisplay::new(log_format));
    let reach = Reach {
        since: args.since,
        rebuild: args.rebuild,
        past: args.past.options()?,
    };
    let work = backfill::run(
        config,
        Arc::new(SystemClock),
        reach,
        progress.clone(),
        stop.clone(),
    );
    tokio::pin!(work);
    let outcome = tokio::select! {
        outcome = &mut work => outcome,
        () = interrupts.wait() => {
            stop.cancel();
            work.await
        }
    };
    progress.clear();
    let outcome = outcome?;
    say(&outcome, out)?;
    finish(&outcome)
}

fn say(outcome: &BackfillOutcome, out: &mut dyn Write) -> std::io::Result<()> {
    let BackfillOutcome {
        projects,
        of,
        pipelines,
        timelines,
        ..
    } = outcome;
    if *of == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "{projects} of {of} projects are in the store: {pipelines} pipelines read, {timelines} timelines saved"
    )?;
    if let Some(written) = &outcome.written {
        let (first, last) = written.reach;
        let time = |seconds| jiff::Timestamp::from_second(seconds).unwrap_or_default();
        writeln!(
            out,
            "{}: {} samples from {} to {}, {} MB",
            written.file.display(),
            written.samples,
            time(first),
            time(last),
            written.bytes.div_ceil(1_000_000)
        )?;
    }
    Ok(())
}

fn finish(outcome: &BackfillOutcome) -> anyhow::Result<ExitCode> {
    if outcome.stopped {
        bail!(
            "ended before everything was read; what was read is kept: run the same command again to go on"
        );
    }
    if outcome.of == 0 && outcome.failed.is_empty() {
        bail!("there is no project to read: the watched groups have none");
    }
    if !outcome.failed.is_empty() {
        let failed = outcome.failed.iter();
        let lines: Vec<String> = failed.map(|(what, why)| format!("{what}: {why}")).collect();
        let lines = lines.join("\n");
        if outcome.of == 0 {
            bail!("none of the projects can be read:\n{lines}");
        }
        bail!(
            "not everything could be read; what was read is kept: run the same command again to go on\n{lines}"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the progress: a bar on a terminal, otherwise a log line now and then.
struct ProgressDisplay {
    bar: ProgressBar,
    lines: Option<Mutex<Lines>>,
}

#[derive(Default)]
struct Lines {
    project: String,
    read: usize,
    of: usize,
    told: Option<Instant>,
}

impl ProgressDisplay {
    fn new(log_format: LogFormat) -> Self {
        let is_terminal = stderr().is_terminal() && log_format == LogFormat::Text;
        let target = if is_terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template(
            "{prefix} {wide_bar} {pos} of {len} pipelines, {eta} to go",
        );
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            bar,
            lines: (!is_terminal).then(Mutex::default),
        }
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn with_lines(&self, tell: impl FnOnce(&mut Lines)) {
        if let Some(lines) = &self.lines {
            tell(&mut lines.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Progress for ProgressDisplay {
    fn begins(&self, project: &str, place: (usize, usize), pipelines: usize, before: usize) {
        let (number, of) = place;
        self.bar.set_prefix(format!("{project} ({number} of {of})"));
        self.bar.set_length(pipelines as u64);
        self.bar.set_position(before as u64);
        self.bar.reset_eta();
        self.with_lines(|lines| {
            *lines = Lines {
                project: project.to_owned(),
                read: before,
                of: pipelines,
                told: Some(Instant::now()),
            };
            tracing::info!(
                project,
                "project {number} of {of}: {pipelines} pipelines, {before} of them read before"
            );
        });
    }

    fn has_read(&self) {
        self.bar.inc(1);
        self.with_lines(|lines| {
            lines.read += 1;
            if lines.told.is_some_and(|told| told.elapsed() >= BETWEEN_LINES) {
                lines.told = Some(Instant::now());
                tracing::info!(project = %lines.project, "{} of {} pipelines read", lines.read, lines.of);
            }
        });
    }

    fn ends(&self, project: &str, timelines: usize) {
        self.with_lines(|_| tracing::info!(project, "done, {timelines} timelines saved"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backfill_of_nothing_is_refused() {
        assert_eq!(span("30d"), Ok(Duration::from_hours(720)));
        assert!(span("0").is_err() && span("30").is_err());
    }
}
