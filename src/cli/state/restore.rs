//! `state restore`: lists the documents of the attic, and brings one back.

use anyhow::bail;
use ci_history::{Shard, Timestamp};
use clap::Args;

use super::super::common::{Console, StoreArgs};
use super::super::saved::{TimelineFilter, name};
use super::super::table::counted;
use crate::base::human::day;
use crate::daemon::storage;
use crate::store::{AtticName, Saved, Store};

/// Arguments of `state restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --project, --ref and --track, lists what can be brought back. Of several documents of one ref and track the newest is \
brought back. The exporter must not run on the same state directory meanwhile. What is older than `retention` \
goes again: raise it first.

Examples:
  job-failure-exporter state restore
  job-failure-exporter state restore --project group/app --ref main")]
pub struct RestoreArgs {
    /// Has to leave exactly one ref and track.
    #[command(flatten)]
    pub filter: TimelineFilter,
    /// Replace the saved document of this ref. It takes the place of the other one in the attic.
    #[arg(long)]
    pub force: bool,
    /// Where the state is.
    #[command(flatten)]
    pub store: StoreArgs,
}

pub(super) async fn run(args: &RestoreArgs, console: &mut Console<'_>) -> anyhow::Result<()> {
    let config = args.store.config()?;
    let store = storage::open(&config.store, None).await?;
    let location = &config.store.location;
    let found = read_attic(&store, console).await?;
    if found.is_empty() {
        bail!("nothing is in the attic of {location}");
    }
    let wanted: Vec<_> = found
        .into_iter()
        .filter(|(_, saved)| args.filter.matches(&saved.timeline))
        .collect();
    let lists = args.filter.is_empty();
    let Some((newest, saved)) = wanted.last().filter(|_| !lists) else {
        if wanted.is_empty() {
            bail!("nothing in the attic of {location} is of that project, ref and track");
        }
        for (entry, saved) in &wanted {
            writeln!(console.out, "{}", line(entry, saved))?;
        }
        return Ok(());
    };
    let key = &saved.timeline.key;
    if let Some((_, other)) = wanted.iter().find(|(_, it)| it.timeline.key != *key) {
        bail!(
            "which one? Give --project, --ref and --track so that one of these is left: {}, {}",
            name(&saved.timeline),
            name(&other.timeline)
        );
    }
    let loaded = store.load_shard(Shard::WHOLE).await?;
    storage::log_quarantined(&loaded.quarantined);
    let is_there = loaded.timelines.iter().any(|it| it.timeline.key == *key);
    if is_there && !args.force {
        bail!(
            "{} is saved, and would be replaced: give --force to put that one into the attic",
            name(&saved.timeline)
        );
    }
    if is_there {
        let now = Timestamp::of_clock(newest.at.unix().saturating_add(1));
        store.set_aside(key, now, crate::store::Aside::Copy).await?;
    }
    store
        .bring_back(newest, saved.clone(), &config.counting)
        .await?;
    writeln!(
        console.out,
        "brought back {}, into {location}",
        name(&saved.timeline)
    )?;
    Ok(())
}

/// The readable documents, oldest first.
async fn read_attic(
    store: &Store,
    console: &mut Console<'_>,
) -> anyhow::Result<Vec<(AtticName, Saved)>> {
    let mut found = Vec::new();
    for entry in store.attic().await? {
        match store.look_into_attic(&entry).await? {
            Some(Ok(saved)) => found.push((entry, saved)),
            Some(Err(error)) => writeln!(console.err, "left out: {entry}: {error}")?,
            None => {}
        }
    }
    Ok(found)
}

fn line(entry: &AtticName, saved: &Saved) -> String {
    let timeline = &saved.timeline;
    format!(
        "{}: {}, up to pipeline {}, put aside on {}",
        name(timeline),
        counted(timeline.jobs.len(), "job"),
        timeline.newest_finished(),
        day(entry.at.unix())
    )
}
