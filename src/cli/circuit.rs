//! `circuit`: lists the jobs that are given up, takes them up again, and stops or resumes all of remediation.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::common::Console;
use super::exporter::{Exporter, ExporterArgs};
use super::table::{minute, print_aligned, printable};
use ci_history::Timestamp;

/// Arguments of `circuit`.
#[derive(Debug, Args)]
pub struct CircuitArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CircuitCommand,
}

/// What to do with circuits.
#[derive(Debug, Subcommand)]
pub enum CircuitCommand {
    /// List the jobs that failed too often in a row to be brought back.
    List {
        /// Which exporter.
        #[command(flatten)]
        exporter: ExporterArgs,
    },
    /// Bring a job back again although it has not passed, or let everything go on.
    Reset(ResetArgs),
    /// Stop all of remediation at once, in every exporter that shares the state.
    Open(OpenArgs),
}

/// Arguments of `circuit reset`.
#[derive(Debug, Args)]
pub struct ResetArgs {
    /// Path of the project.
    #[arg(
        value_name = "PROJECT",
        required_unless_present = "all",
        requires = "job"
    )]
    pub project: Option<String>,
    /// Name of the job, as in the label `job_name`.
    #[arg(value_name = "JOB")]
    pub job: Option<String>,
    /// Branch or tag.
    #[arg(long = "ref", value_name = "REF", required_unless_present = "all")]
    pub ref_name: Option<String>,
    /// Track of the ref.
    #[arg(long = "track", value_name = "TRACK")]
    pub track: Option<String>,
    /// Undo `circuit open --all`. The circuits of single jobs stay as they are.
    #[arg(long = "all", conflicts_with_all = ["project", "job", "ref_name", "track"])]
    pub all: bool,
    /// Which exporter.
    #[command(flatten)]
    pub exporter: ExporterArgs,
}

/// Arguments of `circuit open`.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Everything; there is nothing less to stop.
    #[arg(long = "all", required = true)]
    pub all: bool,
    /// Which exporter.
    #[command(flatten)]
    pub exporter: ExporterArgs,
}

/// Runs `circuit`.
pub async fn run(args: &CircuitArgs, console: &mut Console<'_>) -> anyhow::Result<()> {
    match &args.command {
        CircuitCommand::List { exporter } => list(&Exporter::of(exporter)?, console).await,
        CircuitCommand::Reset(args) => reset(args, console).await,
        CircuitCommand::Open(args) => {
            let exporter = Exporter::of(&args.exporter)?;
            let body = json!({ "halted": true });
            exporter.act(Method::POST, HALT, &body).await?;
            writeln!(
                console.out,
                "nothing is brought back any more; `circuit reset --all` lets it go on"
            )?;
            Ok(())
        }
    }
}

const HALT: &str = "api/v1/remediations/halt";

async fn list(exporter: &Exporter, console: &mut Console<'_>) -> anyhow::Result<()> {
    let shown = exporter.get("api/v1/remediations").await?;
    let circuits = shown["circuits"].as_array().map_or(&[][..], Vec::as_slice);
    if shown["halted"].is_object() {
        let by = printable(shown["halted"]["by"].as_str().unwrap_or("-"));
        writeln!(console.out, "everything is stopped, by {by}")?;
    }
    if circuits.is_empty() {
        writeln!(console.out, "no circuit is open")?;
        return Ok(());
    }
    let row = |circuit: &Value| {
        let text = |name: &str| printable(circuit[name].as_str().unwrap_or("-"));
        let since = circuit["opened_timestamp_seconds"].as_i64();
        let since = minute(since.and_then(Timestamp::from_unix));
        [
            text("project"),
            text("ref"),
            text("track"),
            text("job"),
            since,
        ]
    };
    let heading = ["PROJECT", "REF", "TRACK", "JOB", "OPEN SINCE"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading)
        .chain(circuits.iter().map(row))
        .collect();
    print_aligned(&rows, console.out)?;
    Ok(())
}

async fn reset(args: &ResetArgs, console: &mut Console<'_>) -> anyhow::Result<()> {
    let exporter = Exporter::of(&args.exporter)?;
    if args.all {
        let body = json!({ "halted": false });
        exporter.act(Method::POST, HALT, &body).await?;
        writeln!(console.out, "failed jobs are brought back again")?;
        return Ok(());
    }
    let body = json!({
        "project": args.project, "ref": args.ref_name, "track": args.track, "job_name": args.job,
    });
    let answer = exporter
        .act(Method::POST, "api/v1/circuits/reset", &body)
        .await?;
    let result = if answer["was_open"] == true {
        "the circuit is closed: the job is brought back again"
    } else {
        "the circuit was not open"
    };
    writeln!(console.out, "{result}")?;
    Ok(())
}
