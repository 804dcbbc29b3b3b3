//! Reads the saved timelines that a command wants.

use std::collections::BTreeSet;

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
        let track = timeline.key.track.as_deref().unwrap_or_default();
        self.is_of_project(timeline)
            && (self.ref_name.as_deref()).is_none_or(|wanted| wanted == &*timeline.key.ref_name)
            && (self.track.as_deref()).is_none_or(|wanted| wanted == track)
    }

    fn is_of_project(&self, timeline: &Timeline) -> bool {
        let is_project = |wanted: &String| {
            *wanted == *timeline.project || *wanted == timeline.key.project_id.to_string()
        };
        self.project.as_ref().is_none_or(is_project)
    }

    /// The message when none of these timelines is wanted: what was looked for, and what there is instead.
    fn nothing_found(&self, all: &[&Timeline], location: &impl std::fmt::Display) -> String {
        let wanted = [
            ("project", &self.project),
            ("ref", &self.ref_name),
            ("track", &self.track),
        ];
        let wanted = wanted.into_iter().filter_map(|(what, name)| {
            let name = name.as_deref()?;
            Some(format!("{what} `{}`", printable(name)))
        });
        let wanted = wanted.collect::<Vec<_>>().join(", ");
        let of_project: Vec<_> = all.iter().filter(|it| self.is_of_project(it)).collect();
        let there = if of_project.is_empty() {
            format!(
                "{}there are\n{}",
                self.near(all),
                names(all.iter().copied())
            )
        } else {
            let of_project = of_project.into_iter().copied();
            format!("there are\n{}", names(of_project))
        };
        format!("nothing saved in {location} is of {wanted}; {there}")
    }

    /// The project that was probably meant. Projects of one group are similar by their group.
    fn near(&self, all: &[&Timeline]) -> String {
        let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
        let wanted = self.project.as_deref().and_then(name).unwrap_or_default();
        let similar = all.iter().find(|it| {
            let own = name(&it.project).unwrap_or_default();
            nearest(&wanted, &[&*own]).is_some()
        });
        similar.map_or(String::new(), |it| {
            format!("did you mean `{}`? ", printable(&it.project))
        })
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
        bail!(
            "there is no saved state in {location}: has an exporter saved there yet? --config.file and --store.directory say where \
             to look"
        );
    }
    let mut timelines = loaded.timelines;
    if !timelines
        .iter()
        .any(|saved| filter.matches(&saved.timeline))
    {
        let all: Vec<_> = timelines.iter().map(|saved| &saved.timeline).collect();
        bail!(filter.nothing_found(&all, location));
    }
    timelines.retain(|saved| filter.matches(&saved.timeline));
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
    let names: BTreeSet<_> = rows.map(|row| row.name).collect();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let hint = match nearest(job, &names) {
        Some(name) => format!("did you mean `{}`?", printable(name)),
        None if names.is_empty() => "no other job is, either".to_owned(),
        None => {
            let shown: Vec<_> = names
                .iter()
                .take(NAMED)
                .map(|name| printable(name))
                .collect();
            let more = names.len() - shown.len();
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            format!("there are {}{more}", shown.join(", "))
        }
    };
    format!("no job `{}` is saved; {hint}", printable(job))
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
