//! `state import`: imports a document as the timeline of one ref.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use ci_history::{Rules, Shard, TimelineKey, Timestamp};
use clap::Args;

use super::super::common::{Console, StoreArgs, unusable};
use super::super::saved::name;
use super::super::table::{counted, printable};
use crate::config::{GitLab, Overrides, StateConfig};
use crate::daemon::{client, storage};
use crate::store::{Saved, Store, decode, decode_v2, names_a_version};

/// Arguments of `state import`.
#[derive(Debug, Args)]
#[command(after_help = "\
A job_executions.v2.json names neither project nor ref. GitLab is asked for the project (GITLAB_TOKEN) \
unless --project-id and --ref are given. The exporter must not run on the same state directory \
meanwhile; started afterwards, it goes on from the document.

Examples:
  job-failure-exporter state import job_executions.v2.json --project group/app
  job-failure-exporter state import job_executions.v2.json --project group/app --project-id 7 \\
    --ref main
  job-failure-exporter state import app.json")]
pub struct ImportArgs {
    /// Document to import; - is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Project of the document, by path or id. The exporter's own documents name it.
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Id of the project. GitLab is not asked then, and --project is the path.
    #[arg(long, value_name = "ID", requires = "project")]
    pub project_id: Option<u64>,
    /// Branch or tag of the document [default: the project's default branch].
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
    /// Replace the saved document of this ref.
    #[arg(long)]
    pub force: bool,
    /// GitLab to ask.
    #[arg(long = "gitlab.url", value_name = "URL")]
    pub gitlab_url: Option<String>,
    /// Where the state is.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The greatest id that GitLab gives.
const GREATEST_ID: u64 = i64::MAX.unsigned_abs();

/// The greatest count up to which every one is a number of its own in Prometheus.
const GREATEST_EXACT: u64 = 1 << 53;

/// The names of the timeline that a document becomes.
struct Identity {
    key: TimelineKey,
    project: Arc<str>,
    project_url: Option<Arc<str>>,
}

pub(super) async fn run(
    args: &ImportArgs,
    env: &dyn Fn(&str) -> Option<String>,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let config = args.store.config()?;
    let text = read(&args.file)?;
    let refused = || format!("{} cannot be imported", args.file.display());
    let own = names_a_version(&text).with_context(refused)?;
    let saved = if own {
        let saved = decode(&text).with_context(refused)?;
        args.check_identity(&saved).with_context(refused)?;
        saved
    } else {
        // Refuses a bad document before GitLab is asked.
        of_v2(&text, nobody(), &config.counting).with_context(refused)?;
        let identity = args.identity(env).await?;
        of_v2(&text, identity, &config.counting).with_context(refused)?
    };
    let timeline = &saved.timeline;
    if timeline.newest_finished() > GREATEST_ID {
        bail!(
            "{}: at `pipeline_id`: found {}, wanted an id of GitLab, at most {GREATEST_ID}",
            refused(),
            timeline.newest_finished()
        );
    }
    let rows = timeline.rows(&config.counting);
    for row in &rows.jobs {
        let streak = row.figures.consecutive_failures;
        if streak > GREATEST_EXACT {
            writeln!(
                console.err,
                "{}: {streak} consecutive failures are more than metrics can show exactly; they stay, and counting ends at {}",
                printable(&row.name),
                u64::MAX
            )?;
        }
    }
    let failing = rows.jobs.iter().filter(|row| row.figures.failing.is_some());
    let said = format!(
        "imported {}: {}, {} of them failing, up to pipeline {}",
        name(timeline),
        counted(rows.jobs.len(), "job"),
        failing.count(),
        timeline.newest_finished()
    );
    let replaced = save(saved, own, args.force, &config).await?;
    let replaced = if replaced {
        "; what was saved of it is replaced"
    } else {
        ""
    };
    writeln!(
        console.out,
        "{said}, into {}{replaced}",
        config.store.location
    )?;
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let text = if file == Path::new("-") {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text).map(|_| text)
    } else {
        fs::read(file)
    };
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    if text.iter().all(u8::is_ascii_whitespace) {
        bail!(
            "{} is empty: wanted a job_executions.v2.json, or a document that `state export` printed",
            file.display()
        );
    }
    Ok(text)
}

fn of_v2(text: &[u8], identity: Identity, rules: &Rules) -> anyhow::Result<Saved> {
    let mut timeline = decode_v2(text, identity.key, identity.project, rules)?;
    timeline.project_url = identity.project_url;
    Ok(Saved {
        timeline,
        watermark: None,
        has_gap: false,
        scope: crate::store::SavedScope::default(),
    })
}

fn nobody() -> Identity {
    Identity {
        key: TimelineKey::new(0, ""),
        project: "".into(),
        project_url: None,
    }
}

impl ImportArgs {
    /// Refuses a document that names another project or ref than the flags.
    fn check_identity(&self, saved: &Saved) -> anyhow::Result<()> {
        let timeline = &saved.timeline;
        let id = timeline.key.project_id;
        let other_project = self.project.as_ref().is_some_and(|wanted| {
            *wanted != *timeline.project && *wanted != id.to_string() && self.project_id != Some(id)
        });
        let other_id = self.project_id.is_some_and(|wanted| wanted != id);
        let ref_name = &timeline.key.ref_name;
        let other_ref = (self.ref_name.as_ref()).is_some_and(|wanted| **wanted != **ref_name);
        if other_project || other_id || other_ref {
            bail!(
                "it is of {}, not of what --project and --ref say; leave them out",
                name(timeline)
            );
        }
        Ok(())
    }

    /// By the flags, and by GitLab where they are not given.
    async fn identity(&self, env: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Identity> {
        let Some(project) = &self.project else {
            bail!(
                "a job_executions.v2.json does not name its project: give --project, by path or id"
            );
        };
        if let Some(project_id) = self.project_id {
            if project.parse::<u64>().is_ok() {
                bail!("with --project-id, --project is the project's path, such as group/app");
            }
            let Some(ref_name) = &self.ref_name else {
                bail!("with --project-id GitLab is not asked for the default branch: give --ref");
            };
            return Ok(Identity {
                key: TimelineKey::new(project_id, ref_name.as_str()),
                project: project.as_str().into(),
                project_url: None,
            });
        }
        let overrides = Overrides {
            gitlab_url: self.gitlab_url.clone(),
            ..Overrides::default()
        };
        let gitlab = GitLab::load(self.store.config_file.as_deref(), &overrides, env);
        let gitlab = gitlab.map_err(unusable)?;
        let found = client(&gitlab, None, Arc::new(()))?.project(project).await;
        let found = found.context(
            "GitLab does not tell the project's id (give --project-id and --ref to do without)",
        )?;
        let ref_name = self.ref_name.as_deref().map(Arc::from);
        let Some(ref_name) = ref_name.or(found.default_branch) else {
            bail!("{} has no default branch: give --ref", found.path);
        };
        Ok(Identity {
            key: TimelineKey::new(found.id, ref_name),
            project: found.path,
            project_url: found.web_url,
        })
    }
}

/// Puts a timeline into the store; returns whether it replaced one.
async fn save(saved: Saved, own: bool, force: bool, config: &StateConfig) -> anyhow::Result<bool> {
    let store = storage::open(&config.store, None).await?;
    let loaded = store.load_shard(Shard::WHOLE).await?;
    storage::log_quarantined(&loaded.quarantined);
    let key = saved.timeline.key.clone();
    let there = loaded
        .timelines
        .iter()
        .find(|other| other.timeline.key == key);
    if let (Some(there), false) = (there, force) {
        let jobs = counted(there.timeline.rows(&config.counting).jobs.len(), "job");
        bail!(
            "{} is saved already, with {jobs} up to pipeline {}: give --force to replace it",
            name(&there.timeline),
            there.timeline.newest_finished()
        );
    }
    let replaces = there.is_some();
    let others = loaded.timelines.into_iter();
    let others = others.filter(|other| {
        other.timeline.key != key && other.timeline.key.project_id == key.project_id
    });
    let others: Vec<Saved> = others.collect();
    let mut saved = saved;
    if own {
        align(&mut saved, others, &store, &config.counting).await?;
    }
    store
        .save(saved, &config.counting)
        .await
        .with_context(|| format!("ref {} is not imported", printable(&key.ref_name)))?;
    Ok(replaces)
}

/// Gives the earliest watermark to all documents of the project, so that the poller reads again what one of
/// them lacks. (An import from version 2 has no watermark: its ref is read like a new one.)
async fn align(
    saved: &mut Saved,
    others: Vec<Saved>,
    store: &Store,
    rules: &Rules,
) -> anyhow::Result<()> {
    let Some(known) = others.iter().map(|other| other.watermark).max() else {
        return Ok(());
    };
    let common: Option<Timestamp> = known.min(saved.watermark);
    saved.watermark = common;
    for mut other in others {
        if other.watermark > common {
            other.watermark = common;
            store.save(other, rules).await?;
        }
    }
    Ok(())
}
