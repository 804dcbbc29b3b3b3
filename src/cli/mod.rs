//! The commands, one file each, and which of them runs.

pub mod args;
pub mod assets;
pub mod backfill;
pub mod check_config;
pub mod circuit;
pub mod common;
pub mod explain;
pub mod exporter;
mod exporter_access;
pub mod generate;
pub mod healthcheck;
pub mod init;
pub mod interrupt;
pub mod logging;
mod past_args;
pub mod replay;
pub mod retry;
pub mod state;

mod job_facts;
mod saved;
mod start_log;
mod table;

use std::io::{self, BufRead, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;

use ci_history::clock::SystemClock;
use clap::CommandFactory as _;

use self::args::{Cli, Command};
use self::common::{ConfigArgs, Console, load};
use crate::config::Config;
use crate::daemon::{Daemon, Ended};

/// Runs the command of the command line, with `env` to look environment variables up.
///
/// # Errors
///
/// Why the command could not do its work; the result of a check is in the exit code.
pub async fn run(
    cli: Cli,
    env: &dyn Fn(&str) -> Option<String>,
    console: &mut Console<'_>,
) -> anyhow::Result<ExitCode> {
    let log = cli.log;
    match cli.command {
        None => {
            let config = load(&cli.config, env)?;
            logging::start(log, env);
            start_log::tell(&config, cli.config.config_file.as_deref());
            return Box::pin(run_daemon(config, cli.config)).await;
        }
        Some(Command::CheckConfig(args)) => {
            return Ok(Box::pin(check_config::run(&args, env, console)).await?);
        }
        Some(Command::Backfill(args)) => {
            let config = load(&args.config, env)?;
            logging::start(log, env);
            return Box::pin(backfill::run(&args, config, log.format, console.out)).await;
        }
        Some(Command::State(args)) => {
            logging::start(log, env);
            Box::pin(state::run(args.command, env, console)).await?;
        }
        Some(Command::Explain(args)) => {
            logging::start(log, env);
            Box::pin(explain::run(&args, &SystemClock, console)).await?;
        }
        Some(Command::Retry(args)) => {
            let all_started = Box::pin(retry::run(&args, console)).await?;
            return Ok(if all_started {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Some(Command::Circuit(args)) => Box::pin(circuit::run(&args, console)).await?,
        Some(Command::Healthcheck(args)) => Box::pin(healthcheck::run(&args, console)).await?,
        Some(Command::Replay(args)) if args.remediation.is_some() => {
            let file = args.remediation.clone().unwrap_or_default();
            Box::pin(replay::remediation::run(&args, &file, env, console)).await?;
        }
        Some(Command::Replay(args)) => replay::run(&args, console.out, console.err)?,
        Some(Command::Init(args)) => {
            let stdin = io::stdin();
            let mut input = stdin.is_terminal().then(|| stdin.lock());
            let input = input.as_mut().map(|input| input as &mut dyn BufRead);
            init::run(*args, input, console)?;
        }
        Some(Command::Assets(args)) => assets::run(&args, console)?,
        Some(Command::Completions(args)) => {
            generate::completions(&args, Cli::command(), console.out)?;
        }
        Some(Command::ConfigSchema) => generate::config_schema(console.out)?,
        Some(Command::Man(args)) => generate::man(&args, Cli::command())?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_daemon(config: Config, args: ConfigArgs) -> anyhow::Result<ExitCode> {
    let load = move || {
        let env = |name: &str| std::env::var(name).ok();
        Config::load(args.config_file.as_deref(), &args.overrides(), &env)
    };
    let daemon = Daemon::prepare(config, Arc::new(load), Arc::new(SystemClock)).await?;
    tracing::info!(address = %daemon.local_addr()?, "serving");
    Ok(match Box::pin(daemon.run()).await? {
        Ended::Orderly => ExitCode::SUCCESS,
        Ended::Aborted => ExitCode::FAILURE,
    })
}
