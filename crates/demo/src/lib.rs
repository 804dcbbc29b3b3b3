//! The demo: exporter, Prometheus and Alertmanager on one machine, from a simulated GitLab to delivered alerts.
//!
//! | file | contents |
//! | --- | --- |
//! | `demo` | the parts, and their start, report and stop |
//! | `program` | processes and their ports |
//! | `files`, `waits` | configurations, made from the shipped files |
//! | `events` | further events in the simulated GitLab |
//! | `actions` | what the exporter did about failed jobs |
//! | `receiver` | the receiver of alerts |
//! | `streaks` | the summary line |

mod actions;
mod demo;
mod events;
mod files;
mod program;
mod receiver;
mod streaks;
mod waits;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ci_history::duration;
use clap::Parser;
use job_failure_exporter::cli::interrupt::Interrupts;
use tokio::time;

use self::demo::{Binaries, Demo};
use self::receiver::ALERT;
pub use self::waits::shorten_waits;

/// Run job-failure-exporter with a simulated GitLab, Prometheus and Alertmanager, up to delivered alerts.
#[derive(Debug, Clone, Parser)]
#[command(name = "demo", version)]
pub struct DemoArgs {
    /// End after this time, such as 60s, and fail unless `CIJobFailingRepeatedly` was delivered.
    /// Default: run until Ctrl-C.
    #[arg(long = "for", value_name = "DURATION", env = "DEMO_FOR")]
    pub run_for: Option<String>,
    /// New or empty directory for configurations, logs and state, which stay after the end.
    /// Default: a temporary directory.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Seed of the random pipelines after the scripts.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

/// Why the demo ended.
enum End {
    Interrupted,
    TimeIsUp,
}

/// Runs the demo.
///
/// # Errors
///
/// If a program is missing, does not start or ends by itself, or if `CIJobFailingRepeatedly` was not delivered
/// in time.
pub async fn run(args: DemoArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let limit = args.limit()?;
    let binaries = Binaries::find()?;
    let mut interrupts = Interrupts::listen().context("cannot listen for signals")?;
    let directory = Directory::open(args.directory.as_deref())?;
    let (mut demo, ports) = Demo::prepare(directory.path(), args.seed).await?;
    let end = tokio::select! {
        failed = demo.run(&binaries, ports, out) => failed.map(|never| match never {}),
        () = interrupts.wait() => Ok(End::Interrupted),
        () = after(limit) => Ok(End::TimeIsUp),
    };
    let (delivered, summary) = (demo.has_delivered(), demo.summary());
    demo.stop().await;
    writeln!(out, "\n{summary}")?;
    report(end?, limit, delivered, out)
}

fn report(
    end: End,
    limit: Option<Duration>,
    delivered: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match (end, limit) {
        (End::Interrupted, None) => {
            writeln!(out, "The demo has ended and stopped all its programs.")?;
        }
        _ if delivered => writeln!(out, "{ALERT} was delivered. The demo has ended.")?,
        (End::Interrupted, Some(_)) => {
            bail!("the demo was interrupted before {ALERT} was delivered")
        }
        (End::TimeIsUp, limit) => bail!(
            "{ALERT} was not delivered within {}; use --directory to keep the logs",
            duration::format(limit.unwrap_or_default())
        ),
    }
    Ok(())
}

impl DemoArgs {
    /// `make` passes an empty text if `DEMO_FOR` is not set.
    fn limit(&self) -> anyhow::Result<Option<Duration>> {
        match self.run_for.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => match duration::parse(text) {
                Ok(limit) => Ok(Some(limit)),
                Err(problem) => {
                    bail!("DEMO_FOR or --for is `{text}`: {problem}; write for example 60s")
                }
            },
        }
    }
}

/// The directory of the demo's files.
enum Directory {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Directory {
    fn open(wanted: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = wanted else {
            let folder = tempfile::Builder::new()
                .prefix("job-failure-exporter-demo-")
                .tempdir();
            return Ok(Self::Temporary(
                folder.context("cannot create a temporary directory")?,
            ));
        };
        let opened = fs::create_dir_all(path)
            .and_then(|()| path.canonicalize())
            .and_then(|path| Ok((fs::read_dir(&path)?.next().is_none(), path)));
        match opened.with_context(|| format!("cannot create {}", path.display()))? {
            (true, path) => Ok(Self::Kept(path)),
            // The state of an earlier demo would mix with the new one.
            (false, path) => bail!("{} is not empty; name a new directory", path.display()),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// Waits for the limit, or forever without one.
async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => time::sleep(limit).await,
        None => std::future::pending().await,
    }
}
