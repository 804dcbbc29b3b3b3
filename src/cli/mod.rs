//! The commands, one file each, and which of them runs.

mod alerts;
pub mod args;
pub mod backfill;
pub mod check_config;
pub mod explain;
pub mod interrupt;
pub mod logging;
pub mod replay;
pub mod state;
mod table;
mod thresholds;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;

use self::args::{Cli, Command, ConfigArgs};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::daemon::{Daemon, Ended};

/// Where a command prints; logs go elsewhere.
pub struct Console<'a> {
    /// What was asked for.
    pub out: &'a mut dyn Write,
    /// What is wrong.
    pub err: &'a mut dyn Write,
}

/// Runs the command of the command line, with `env` to look environment variables up.
///
/// # Errors
///
/// What kept the command from its work; what a command found wrong is in the exit code.
pub async fn run(
    cli: Cli,
    env: &dyn Fn(&str) -> Option<String>,
    console: &mut Console<'_>,
) -> anyhow::Result<ExitCode> {
    match cli.command {
        None => {
            let config = load(&cli.config, env)?;
            logging::start(cli.log);
            tracing::info!(gitlab = %config.gitlab.url, version = env!("CARGO_PKG_VERSION"), "starting");
            Box::pin(run_daemon(config)).await
        }
        Some(Command::CheckConfig(args)) => Ok(check_config::run(&args, env, console)?),
        Some(Command::Backfill(args)) => {
            let config = load(&args.config, env)?;
            logging::start(cli.log);
            Box::pin(backfill::run(&args, config, console.out)).await
        }
        Some(Command::State(args)) => {
            logging::start(cli.log);
            Box::pin(state::run(args.command, env, console)).await?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Explain(args)) => {
            logging::start(cli.log);
            explain::run(&args, env, &SystemClock, console).await?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Replay(args)) => {
            replay::run(&args, console.out, console.err)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn load(args: &ConfigArgs, env: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Config> {
    match Config::load(args.config_file.as_deref(), &args.overrides(), env) {
        Ok(config) => Ok(config),
        Err(problems) => {
            let count = problems.len();
            let context = match count {
                1 => "the configuration has a problem".to_owned(),
                _ => format!("the configuration has {count} problems"),
            };
            Err(problems).context(context)
        }
    }
}

async fn run_daemon(config: Config) -> anyhow::Result<ExitCode> {
    let daemon = Daemon::prepare(config, Arc::new(SystemClock)).await?;
    tracing::info!(address = %daemon.local_addr()?, "serving");
    Ok(match daemon.run().await? {
        Ended::Orderly => ExitCode::SUCCESS,
        Ended::Aborted => ExitCode::FAILURE,
    })
}
