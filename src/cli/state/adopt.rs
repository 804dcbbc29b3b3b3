//! `state adopt`: takes the saved state over for the GitLab of the configuration.

use anyhow::bail;
use ci_history::Shard;
use clap::Args;

use super::super::common::{ConfigArgs, Console, load};
use super::super::table::counted;
use crate::daemon::storage;

/// Arguments of `state adopt`.
#[derive(Debug, Args)]
#[command(after_help = "\
For a GitLab that has moved to a new address. The state of another GitLab must not be adopted: ids of \
projects and pipelines would be mistaken for each other. The exporter must not run meanwhile.

Example:
  job-failure-exporter state adopt --config.file config.yml")]
pub struct AdoptArgs {
    /// Names the GitLab and the state.
    #[command(flatten)]
    pub config: ConfigArgs,
}

pub(super) async fn run(
    args: &AdoptArgs,
    env: &dyn Fn(&str) -> Option<String>,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let config = load(&args.config, env)?;
    let any = storage::open(&config.store, None).await?;
    let loaded = any.load_shard(Shard::WHOLE).await?;
    storage::log_quarantined(&loaded.quarantined);
    let Some(own) = any.of_instance(storage::instance_name(&config.gitlab.url)) else {
        bail!("the state is in use by another part of this program");
    };
    let count = loaded.timelines.len();
    for saved in loaded.timelines {
        own.save(saved, &config.counting).await?;
    }
    for memory in &loaded.memories {
        own.save_memory(memory).await?;
    }
    writeln!(
        console.out,
        "{} in {} now belong to the GitLab at {}",
        counted(count, "document"),
        config.store.location,
        config.gitlab.url
    )?;
    Ok(())
}
