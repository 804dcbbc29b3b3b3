//! `state`: shows, exports and imports the saved state.

mod adopt;
mod export;
mod import;
mod restore;
mod show;

use clap::{Args, Subcommand};

use self::adopt::AdoptArgs;
use self::export::ExportArgs;
use self::import::ImportArgs;
use self::restore::RestoreArgs;
use self::show::ShowArgs;
use super::common::Console;

/// Arguments of `state`.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// Which part of `state`.
    #[command(subcommand)]
    pub command: StateCommand,
}

/// The commands on the saved state.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Show the jobs. Works while the exporter runs.
    Show(ShowArgs),
    /// Print the document of one ref. Works while the exporter runs.
    Export(ExportArgs),
    /// Import a `job_executions.v2.json` of datadog-agent, or an exported document.
    Import(ImportArgs),
    /// List what fell to the retention in the last 30 days, or bring back one ref of it.
    Restore(RestoreArgs),
    /// Take the saved state over for a GitLab that has moved to a new address.
    Adopt(AdoptArgs),
}

/// Runs one of the commands.
pub async fn run(
    command: StateCommand,
    env: &dyn Fn(&str) -> Option<String>,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    match command {
        StateCommand::Show(args) => show::run(&args, console).await,
        StateCommand::Export(args) => export::run(&args, console).await,
        StateCommand::Import(args) => Box::pin(import::run(&args, env, console)).await,
        StateCommand::Restore(args) => Box::pin(restore::run(&args, console)).await,
        StateCommand::Adopt(args) => Box::pin(adopt::run(&args, env, console)).await,
    }
}
