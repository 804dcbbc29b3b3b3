//! Listing pipelines that moved, and the newest pipelines of refs without a history.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use super::cursor::{Listed, PollCursor};
use super::reader::Reader;
use super::seats::Swept;
use crate::base::DAY;
use crate::config::Backfill;
use crate::gitlab::{Error, Order, PipelineQuery, Project};
use ci_history::{PipelineObservation, Timestamp, Tracks};

/// Pipelines listed for each one wanted per ref, where several refs of a project are backfilled.
const LISTED_FOR_REFS: usize = 4;

impl Reader {
    /// Lists the watched pipelines that moved. `swept`: they were asked for already.
    pub(super) async fn list(
        &self,
        project: &Project,
        cursor: &PollCursor,
        swept: Option<Swept>,
    ) -> Result<Listed, Error> {
        let latest = Latest::default();
        let mut watched = Vec::new();
        let mut since = None;
        if cursor.wants_backfill() {
            watched = self.newest_of_new_refs(project, cursor, &latest).await?;
        }
        if let Some(updated_after) = cursor.updated_after() {
            let mut moved = match swept {
                Some(swept) => {
                    since = Some(swept.since);
                    swept.pipelines_of(project)
                }
                None => self.moved_since(project, updated_after).await?,
            };
            // The end of a pipeline that was watched once is wanted whatever is watched now.
            moved.retain(|pipeline| {
                latest.note(pipeline);
                self.watches(project, pipeline) || cursor.is_open(pipeline.id)
            });
            watched.extend(moved);
        }
        Ok(Listed {
            pipelines: watched,
            latest: self.no_later_than_now(&latest),
            since,
        })
    }

    /// Lists the pipelines that moved at this time or later, of the only watched ref or of all refs.
    pub(super) async fn moved_since(
        &self,
        project: &Project,
        time: Timestamp,
    ) -> Result<Vec<PipelineObservation>, Error> {
        let default_branch = project.default_branch.as_deref();
        let only_ref = default_branch.filter(|_| self.watch.refs.only_default());
        let query = PipelineQuery {
            updated_after: Some(time),
            ref_name: only_ref.map(str::to_owned),
            order: Order::UpdatedAt,
            at_most: None,
        };
        let listing = self.client.pipelines(project.id, &query).await?;
        self.report_rejected(&listing.rejected);
        Ok(listing.items)
    }

    /// The latest time, or now if it is in the future: such a pipeline must not hide what comes until then.
    pub(super) fn no_later_than_now(&self, latest: &Latest) -> Option<Timestamp> {
        latest
            .get()
            .map(|at| at.min(self.observations.gitlab_now()))
    }

    async fn newest_of_new_refs(
        &self,
        project: &Project,
        cursor: &PollCursor,
        latest: &Latest,
    ) -> Result<Vec<PipelineObservation>, Error> {
        let Backfill { pipelines, days } = self.watch.backfill;
        let days = days.and_then(|days| i64::try_from(days).ok());
        let now = self.observations.gitlab_now().unix();
        let default_branch = project.default_branch.as_deref();
        let named = default_branch.filter(|branch| self.watch.refs.matches(branch, default_branch));
        let mut queries = Vec::new();
        if let Some(branch) = named {
            queries.push((Some(branch), pipelines));
        }
        if named.is_none() || !self.watch.refs.only_default() {
            queries.push((None, pipelines * LISTED_FOR_REFS));
        }
        let mut found = Vec::new();
        for (ref_name, at_most) in queries {
            let query = PipelineQuery {
                updated_after: days.and_then(|days| Timestamp::from_unix(now - days * DAY)),
                ref_name: ref_name.map(str::to_owned),
                order: Order::Id,
                // Even if none is wanted, one tells from when on there may be new ones.
                at_most: Some(at_most.max(1)),
            };
            let is_wanted = |pipeline: &PipelineObservation| {
                latest.note(pipeline);
                self.watches(project, pipeline)
                    && cursor.is_new(&self.watch.tracks.ref_of(&pipeline.ref_name))
                    && (ref_name.is_some() || named != Some(&*pipeline.ref_name))
            };
            let listing = self.client.find_pipelines(project.id, &query, &is_wanted);
            let listing = listing.await?;
            self.report_rejected(&listing.rejected);
            found.extend(listing.items);
        }
        newest_of_each_ref(&mut found, pipelines, &self.watch.tracks);
        Ok(found)
    }
}

/// The latest time at which one of the listed pipelines moved.
#[derive(Default)]
pub(super) struct Latest(AtomicI64);

impl Latest {
    pub(super) fn note(&self, pipeline: &PipelineObservation) {
        let at = pipeline.updated_at.map_or(0, Timestamp::unix);
        self.0.fetch_max(at, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Timestamp> {
        Timestamp::from_unix(self.0.load(Ordering::Relaxed))
    }
}

/// Keeps the newest pipelines of each ref; they come newest first.
fn newest_of_each_ref(pipelines: &mut Vec<PipelineObservation>, limit: usize, tracks: &Tracks) {
    let mut counts = HashMap::new();
    pipelines.retain(|pipeline| {
        let count = counts
            .entry(tracks.ref_of(&pipeline.ref_name))
            .or_insert(0_usize);
        *count += 1;
        *count <= limit
    });
}
