//! The backfill of one project: what is left to read, checkpoints on the way, and the end in the store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::past::Plan;
use super::report::Progress;
use super::timelines::{BackfillTimelines, SavedTimelines};
use crate::daemon::error::DaemonError;
use crate::daemon::storage;
use crate::gitlab::{Error, Project};
use crate::ingest::{BackfillListing, LISTING_OVERLAP, Reader};
use crate::store::{Aside, BackfillCheckpoint, Saved, Store, StoreError};
use ci_history::{PipelineObservation, Rules, TimelineKey, Timestamp, Tracks};

/// Reads one project after the other.
pub(super) struct ProjectReader {
    pub(super) reader: Reader,
    /// What `reader` fills.
    pub(super) timelines: Arc<BackfillTimelines>,
    pub(super) store: Store,
    pub(super) rules: Rules,
    /// See [`BackfillCheckpoint::scope`].
    pub(super) scope: String,
    pub(super) rebuild: bool,
    /// How far back to read.
    pub(super) target: Timestamp,
    pub(super) save_interval: Duration,
    /// Histories without activity since then are not kept.
    pub(super) cutoff: Timestamp,
    pub(super) retention: Duration,
    /// When the backfill began, by GitLab's clock.
    pub(super) now: Timestamp,
    /// What is to be written of the past.
    pub(super) past: Option<Plan>,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) stop: CancellationToken,
}

/// What is saved of a project.
#[derive(Default)]
pub(super) struct SavedProject {
    timelines: SavedTimelines,
    watermark: Option<Timestamp>,
    moves: Moves,
}

/// What the tracks that are configured now change in the documents.
#[derive(Default)]
struct Moves {
    /// Timelines that gained or lost pipelines.
    changed: BTreeSet<TimelineKey>,
    /// Timelines that are no more.
    former: BTreeSet<TimelineKey>,
}

impl SavedProject {
    /// Adds a document, by the tracks that are configured now.
    pub(super) fn add(&mut self, saved: Saved, tracks: &Tracks, rules: &Rules) {
        self.watermark = self.watermark.max(saved.watermark);
        let former = saved.timeline.key.clone();
        let parts = saved.timeline.place(tracks, rules);
        let is_moved = parts.len() > 1 || parts.iter().any(|part| part.key != former);
        for timeline in parts {
            let key = timeline.key.clone();
            self.moves.former.remove(&key);
            if is_moved {
                self.moves.changed.insert(key.clone());
            }
            if let Some(known) = self.timelines.get_mut(&key) {
                known.timeline.absorb(timeline, rules);
                continue;
            }
            let part = Saved {
                timeline,
                watermark: saved.watermark,
                has_gap: saved.has_gap || is_moved,
                scope: saved.scope.clone(),
            };
            self.timelines.insert(key, part);
        }
        if !self.timelines.contains_key(&former) {
            self.moves.former.insert(former);
        }
    }
}

/// What a project came to.
pub(super) enum ProjectEnd {
    Done { timelines: usize },
    Stopped,
    Failed(Error),
}

impl ProjectReader {
    /// `place`: number of the project, and of all projects.
    pub(super) async fn read(
        &self,
        project: &Project,
        saved: SavedProject,
        place: (usize, usize),
    ) -> Result<ProjectEnd, DaemonError> {
        let since = saved.watermark.map_or(self.target, |end| {
            before(end, LISTING_OVERLAP).min(self.target)
        });
        if (self.past.as_ref()).is_some_and(|past| past.has(project.id)) {
            // An earlier run has saved it and written its part.
            return Ok(ProjectEnd::Done { timelines: 0 });
        }
        let checkpoint = self.store.checkpoint(project.id).await?;
        // The past of a project is written from its beginning.
        let checkpoint = checkpoint.filter(|checkpoint| {
            self.past.is_none() && checkpoint.scope == self.scope && checkpoint.since <= since
        });
        let since = checkpoint
            .as_ref()
            .map_or(since, |checkpoint| checkpoint.since);
        let BackfillListing {
            mut pipelines,
            latest,
        } = tokio::select! {
            listing = self.reader.backfill_listing(project, since) => match listing {
                Ok(listing) => listing,
                Err(error) => return Ok(ProjectEnd::Failed(error)),
            },
            () = self.stop.cancelled() => return Ok(ProjectEnd::Stopped),
        };
        let all = pipelines.len();
        let is_resumed = checkpoint.is_some();
        let checkpoint = checkpoint.unwrap_or_else(|| BackfillCheckpoint {
            scope: self.scope.clone(),
            since,
            listed: latest,
            done: 0,
            timelines: Vec::new(),
        });
        pipelines.retain(|pipeline| !is_done(&checkpoint, pipeline.id, pipeline.updated_at));
        let before = all - pipelines.len();
        self.progress.begins(&project.path, place, all, before);
        let past = self.past.as_ref().map(Plan::project);
        self.timelines.begin(&checkpoint, saved.timelines, past);
        let read = self.read_pipelines(project, pipelines, &checkpoint).await?;
        self.save_checkpoint(project, &checkpoint).await?;
        match read {
            Some(Ok(())) => {}
            Some(Err(error)) => return Ok(ProjectEnd::Failed(error)),
            None => return Ok(ProjectEnd::Stopped),
        }
        let timelines = self
            .commit(project, saved.watermark, latest, is_resumed, &saved.moves)
            .await?;
        Ok(ProjectEnd::Done { timelines })
    }

    /// Reads pipelines, and saves the checkpoint now and then; `None` if it was stopped.
    async fn read_pipelines(
        &self,
        project: &Project,
        pipelines: Vec<PipelineObservation>,
        checkpoint: &BackfillCheckpoint,
    ) -> Result<Option<Result<(), Error>>, StoreError> {
        let reading = self.reader.read_in_order(project, pipelines);
        tokio::pin!(reading);
        let mut saves = tokio::time::interval(self.save_interval);
        saves.set_missed_tick_behavior(MissedTickBehavior::Delay);
        saves.tick().await;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(None),
                read = &mut reading => return Ok(Some(read)),
                _ = saves.tick() => self.save_checkpoint(project, checkpoint).await?,
            }
        }
    }

    async fn save_checkpoint(
        &self,
        project: &Project,
        begun: &BackfillCheckpoint,
    ) -> Result<(), StoreError> {
        let checkpoint = self.timelines.checkpoint(begun);
        self.store
            .save_checkpoint(project.id, checkpoint, &self.rules)
            .await
    }

    /// Replaces what was saved by what was read; returns the number of timelines.
    async fn commit(
        &self,
        project: &Project,
        former: Option<Timestamp>,
        latest: Option<Timestamp>,
        is_resumed: bool,
        moves: &Moves,
    ) -> Result<usize, DaemonError> {
        let (read, mut own, mut past) = self.timelines.end();
        // Not by a clock alone, which may be wrong.
        let cutoff = latest.map_or(self.cutoff, |at| {
            self.cutoff.min(before(at, self.retention))
        });
        let mut own_stays = false;
        let mut timelines = Vec::with_capacity(read.len());
        for (key, read) in read {
            let mut saved = match own.remove(&key) {
                Some(mut own) if !self.rebuild => {
                    own_stays |= own.timeline.merge_backfill(read, &self.rules);
                    own
                }
                _ => Saved {
                    timeline: read,
                    watermark: None,
                    has_gap: false,
                    scope: crate::store::SavedScope::default(),
                },
            };
            let timeline = &mut saved.timeline;
            timeline.project = project.path.clone();
            timeline.project_url.clone_from(&project.web_url);
            if let Some(past) = past.get_mut(&key) {
                past.join(timeline, &self.rules);
            }
            if timeline.last_activity().is_none_or(|at| at >= cutoff) {
                timelines.push(saved);
            }
        }
        own.retain(|key, _| moves.changed.contains(key));
        timelines.extend(own.into_values());
        // What an earlier run has read was not counted into the saved histories: the daemon reads it again.
        let watermark = if is_resumed && own_stays {
            former
        } else {
            former.max(latest)
        };
        let count = timelines.len();
        for (number, mut saved) in (1..).zip(timelines) {
            // As the daemon does: the last document promises what is in all of them.
            saved.watermark = if number == count { watermark } else { former };
            let written = self.store.save(saved, &self.rules).await?;
            storage::log_quarantined(&written.quarantined);
        }
        for key in &moves.former {
            self.store.set_aside(key, self.now, Aside::Move).await?;
        }
        if let Some(plan) = &self.past {
            plan.save(project.id, past.values())?;
        }
        Ok(count)
    }
}

/// Whether an earlier run has read a pipeline, which has not moved since.
fn is_done(checkpoint: &BackfillCheckpoint, id: u64, updated_at: Option<Timestamp>) -> bool {
    let moved_since = match (updated_at, checkpoint.listed) {
        (Some(moved), Some(listed)) => moved >= before(listed, LISTING_OVERLAP),
        _ => true,
    };
    id <= checkpoint.done && !moved_since
}

/// So long before a time.
pub(super) fn before(time: Timestamp, span: Duration) -> Timestamp {
    let span = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    // Not before the epoch: GitLab takes no negative years.
    Timestamp::of_clock(time.unix().saturating_sub(span).max(1))
}
