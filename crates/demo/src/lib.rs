//! The demo: the whole way on one machine, from a simulated GitLab to a delivered alert.

mod events;
mod files;
mod haste;
mod program;
mod receiver;
mod stage;
mod streaks;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser;
use tokio::time;

pub use self::haste::hastened;
use self::receiver::ALERT;
use self::stage::{Binaries, Stage};
use ci_history::duration;
use job_failure_exporter::cli::interrupt::Interrupts;

/// See job-failure-exporter work: simulated GitLab, exporter, Prometheus, Alertmanager, delivered alerts.
#[derive(Debug, Clone, Parser)]
#[command(name = "demo", version)]
pub struct DemoArgs {
    /// End by itself after this time, such as 60s; fails where `CIJobFailingRepeatedly` was not
    /// delivered by then. Without it the demo runs until Ctrl-C.
    #[arg(long = "for", value_name = "DURATION", env = "DEMO_FOR")]
    pub run_for: Option<String>,
    /// New or empty directory for configurations, logs and state, kept afterwards. Without it a
    /// temporary one.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Decides what goes on at random once the scripts are over.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

/// How a demo ended.
enum End {
    Interrupted,
    TimeIsUp,
}

/// Runs the demo.
///
/// # Errors
///
/// Where a part is missing, does not start or ends by itself, or where the time is up and
/// `CIJobFailingRepeatedly` was not delivered.
pub async fn run(args: DemoArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let limit = args.limit()?;
    let binaries = Binaries::find()?;
    let mut interrupts = Interrupts::listen().context("cannot listen for signals")?;
    let directory = Directory::open(args.directory.as_deref())?;
    let (mut stage, ports) = Stage::set(directory.path(), args.seed).await?;
    let end = tokio::select! {
        failed = stage.play(&binaries, ports, out) => failed.map(|never| match never {}),
        () = interrupts.wait() => Ok(End::Interrupted),
        () = after(limit) => Ok(End::TimeIsUp),
    };
    let (delivered, summary) = (stage.has_delivered(), stage.summary());
    stage.clear().await;
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
            writeln!(out, "The demo has ended; nothing is left running.")?;
        }
        _ if delivered => writeln!(out, "{ALERT} was delivered. The demo has ended.")?,
        (End::Interrupted, Some(_)) => {
            bail!("the demo was interrupted before {ALERT} was delivered")
        }
        (End::TimeIsUp, limit) => bail!(
            "{ALERT} was not delivered within {}; keep the logs with --directory to see why",
            duration::format(limit.unwrap_or_default())
        ),
    }
    Ok(())
}

impl DemoArgs {
    /// `make` passes an empty text where nothing was asked for.
    fn limit(&self) -> anyhow::Result<Option<Duration>> {
        match self.run_for.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => match duration::parse(text) {
                Ok(limit) => Ok(Some(limit)),
                Err(problem) => bail!("DEMO_FOR or --for is `{text}`: {problem}; such as 60s"),
            },
        }
    }
}

/// Where the demo's files lie.
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
            // What an earlier demo saved would be counted together with this one's.
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

/// Waits for so long, or for ever.
async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => time::sleep(limit).await,
        None => std::future::pending().await,
    }
}
