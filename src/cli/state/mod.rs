//! `state`: looks into the saved state, takes timelines out and takes them in.

mod export;
mod figures;
mod import;
pub(super) mod show;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};

use self::export::ExportArgs;
use self::import::ImportArgs;
use self::show::ShowArgs;
use super::Console;
use super::args::ConfigArgs;
use super::table::printable;
use crate::base::nearest;
use crate::config::Config;
use crate::daemon::storage;
use crate::model::Timeline;
use crate::store::Saved;

/// Arguments of `state`.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: StateCommand,
}

/// What to do with the saved state.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Show how the jobs stand. Works while the exporter runs.
    Show(ShowArgs),
    /// Print the document of one ref. Works while the exporter runs.
    Export(ExportArgs),
    /// Take in a `job_executions.v2.json` of datadog-agent, or an exported document.
    Import(ImportArgs),
}

/// Where the state is.
#[derive(Debug, Args)]
#[command(next_help_heading = "State")]
pub struct StoreArgs {
    /// YAML file of the exporter: where the state is, and how executions are counted.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Directory that keeps the state [default: ./state].
    #[arg(long = "store.directory", value_name = "DIR")]
    pub store_directory: Option<String>,
}

/// Which timelines.
#[derive(Debug, Args)]
pub struct Selection {
    /// Only this project, by path or id.
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Only this branch or tag.
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
}

/// What is watched does not matter to the state, but a configuration must say something.
const ANY_PROJECT: &str = "0";

/// Candidates that a message names.
const NAMED: usize = 10;

/// Runs one of the commands.
pub async fn run(
    command: StateCommand,
    env: &dyn Fn(&str) -> Option<String>,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    match command {
        StateCommand::Show(args) => show::run(&args, env, console).await,
        StateCommand::Export(args) => export::run(&args, env, console).await,
        StateCommand::Import(args) => Box::pin(import::run(&args, env, console)).await,
    }
}

impl StoreArgs {
    pub(super) fn config(
        &self,
        gitlab_url: Option<&String>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Config> {
        let args = ConfigArgs {
            config_file: self.config_file.clone(),
            projects: vec![ANY_PROJECT.to_owned()],
            gitlab_url: gitlab_url.cloned(),
            store_directory: self.store_directory.clone(),
            ..ConfigArgs::default()
        };
        super::load(&args, env)
    }
}

impl Selection {
    fn matches(&self, timeline: &Timeline) -> bool {
        let is_project = |wanted: &String| {
            *wanted == *timeline.project || *wanted == timeline.key.project_id.to_string()
        };
        self.project.as_ref().is_none_or(is_project)
            && (self.ref_name.as_deref()).is_none_or(|wanted| wanted == &*timeline.key.ref_name)
    }
}

/// The saved timelines that are selected, read without taking the store from an exporter that runs.
pub(super) async fn selected(
    config: &Config,
    selection: &Selection,
    console: &mut Console<'_>,
) -> anyhow::Result<Vec<Saved>> {
    let loaded = storage::look(&config.store).await?;
    for aside in &loaded.quarantined {
        writeln!(
            console.err,
            "left out: {}: {}",
            aside.path.display(),
            aside.error
        )?;
    }
    let location = &config.store.location;
    if loaded.timelines.is_empty() {
        bail!("there is no saved state in {location}");
    }
    let named = names(loaded.timelines.iter().map(|saved| &saved.timeline));
    let mut timelines = loaded.timelines;
    timelines.retain(|saved| selection.matches(&saved.timeline));
    if timelines.is_empty() {
        bail!("nothing saved in {location} is of that project and ref; there are\n{named}");
    }
    timelines.sort_by(|a, b| {
        let place = |saved: &Saved| (saved.timeline.project.clone(), saved.timeline.key.clone());
        place(a).cmp(&place(b))
    });
    Ok(timelines)
}

/// A hint at the job that may have been meant.
pub(super) fn nearest(job: &str, names: &[Arc<str>]) -> String {
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    nearest::nearest(job, &names)
        .map(|name| format!("; did you mean `{}`?", printable(name)))
        .unwrap_or_default()
}

/// Lines that name timelines; not all of very many.
fn names<'a>(timelines: impl ExactSizeIterator<Item = &'a Timeline>) -> String {
    let more = timelines.len().saturating_sub(NAMED);
    let mut lines: Vec<String> = timelines.take(NAMED).map(name).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

pub(super) fn name(timeline: &Timeline) -> String {
    let (project, key) = (&timeline.project, &timeline.key);
    let (project, ref_name) = (printable(project), printable(&key.ref_name));
    format!("{project} (id {}), ref {ref_name}", key.project_id)
}
