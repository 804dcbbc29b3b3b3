//! `state export`: the document of one timeline, to standard output.

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::super::common::{Console, StoreArgs};
use super::super::saved::{TimelineFilter, names, selected};
use crate::store::{encode, encode_v2};

/// Arguments of `state export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  job-failure-exporter state export --project group/app > app.json
  job-failure-exporter state export --format datadog-v2 --project group/app --ref main \\
    > job_executions.v2.json")]
pub struct ExportArgs {
    /// Form of the document.
    #[arg(long = "format", value_name = "FORMAT", default_value = "own")]
    pub document: Format,
    /// Has to leave exactly one timeline.
    #[command(flatten)]
    pub filter: TimelineFilter,
    /// Where the state is.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The exporter's own, with everything.
    #[value(name = "own", aliases = ["v3", "v4"])]
    Own,
    /// datadog-agent's, with streaks and windows only.
    #[value(name = "datadog-v2")]
    DatadogV2,
}

pub(super) async fn run(args: &ExportArgs, console: &mut Console<'_>) -> anyhow::Result<()> {
    let config = args.store.config()?;
    let found = selected(&config, &args.filter, console).await?;
    let [saved] = &found[..] else {
        let named = names(found.iter().map(|saved| &saved.timeline));
        bail!(
            "which one? Give --project, --ref and --track so that one of these is left:\n{named}"
        );
    };
    let text = match args.document {
        Format::Own => encode(saved, &config.counting),
        Format::DatadogV2 => {
            let mut text = encode_v2(&saved.timeline, &config.counting);
            text.push(b'\n');
            text
        }
    };
    console.out.write_all(&text)?;
    console.out.flush()?;
    Ok(())
}
