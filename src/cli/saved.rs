//! Reads the saved timelines that a command wants.

use anyhow::bail;
use ci_history::{JobRow, Rules, Timeline};
use clap::Args;

use super::common::Console;
use super::table::printable;
use crate::base::nearest::nearest;
use crate::config::{Owners, StateConfig};
use crate::daemon::storage;
use crate::http::JobEntry;
use crate::store::Saved;

/// Timelines that a message names.
const NAMED: usize = 10;

/// The wanted timelines.
#[derive(Debug, Args)]
pub struct TimelineFilter {
    /// Only this project, by path or id.
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Only this branch or tag.
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
    /// Only this track of a ref; an empty one means the pipelines without a track.
    #[arg(long, value_name = "TRACK")]
    pub track: Option<String>,
}

impl TimelineFilter {
    /// Whether it matches everything.
    pub(super) fn is_empty(&self) -> bool {
        self.project.is_none() && self.ref_name.is_none() && self.track.is_none()
    }

    pub(super) fn matches(&self, timeline: &Timeline) -> bool {
        let is_project = |wanted: &String| {
            *wanted == *timeline.project || *wanted == timeline.key.project_id.to_string()
        };
        let track = timeline.key.track.as_deref().unwrap_or_default();
        self.project.as_ref().is_none_or(is_project)
            && (self.ref_name.as_deref()).is_none_or(|wanted| wanted == &*timeline.key.ref_name)
            && (self.track.as_deref()).is_none_or(|wanted| wanted == track)
    }
}

/// Reads the wanted timelines, without taking the store from an exporter that runs.
///
/// # Errors
///
/// If there are none.
pub(super) async fn selected(
    config: &StateConfig,
    filter: &TimelineFilter,
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
    timelines.retain(|saved| filter.matches(&saved.timeline));
    if timelines.is_empty() {
        bail!("nothing saved in {location} is of that project, ref and track; there are\n{named}");
    }
    timelines.sort_by(|a, b| {
        let place = |saved: &Saved| (saved.timeline.project.clone(), saved.timeline.key.clone());
        place(a).cmp(&place(b))
    });
    Ok(timelines)
}

/// A job of a timeline, with its owner by the configuration.
pub(super) fn entry(saved: &Saved, row: JobRow, owners: &Owners) -> JobEntry {
    let timeline = &saved.timeline;
    JobEntry {
        project: timeline.project.clone(),
        project_url: timeline.project_url.clone(),
        ref_name: timeline.key.ref_name.clone(),
        track: timeline.key.track.clone(),
        team: owners.team(&timeline.project, &row.name, None).cloned(),
        row,
    }
}

/// The message for a job that none of the timelines has.
pub(super) fn unknown_job(job: &str, saved: &[Saved], rules: &Rules) -> String {
    let rows = saved
        .iter()
        .flat_map(|saved| saved.timeline.rows(rules).jobs);
    let names: Vec<_> = rows.map(|row| row.name).collect();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let hint = nearest(job, &names).map(printable);
    let hint = hint.map(|name| format!("; did you mean `{name}`?"));
    format!(
        "no job `{}` is saved{}",
        printable(job),
        hint.unwrap_or_default()
    )
}

/// A line for each timeline, up to [`NAMED`].
pub(super) fn names<'a>(timelines: impl ExactSizeIterator<Item = &'a Timeline>) -> String {
    let more = timelines.len().saturating_sub(NAMED);
    let mut lines: Vec<String> = timelines.take(NAMED).map(name).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

/// The project and ref of a timeline.
pub(super) fn name(timeline: &Timeline) -> String {
    let (project, key) = (&timeline.project, &timeline.key);
    let (project, ref_name) = (printable(project), printable(&key.ref_name));
    let track = key.track.as_deref().map(|track| format!(", track {track}"));
    let track = track.unwrap_or_default();
    format!("{project} (id {}), ref {ref_name}{track}", key.project_id)
}
