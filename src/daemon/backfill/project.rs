//! The backfill of one project: what is left to be read, drafts on the way, and the end in the store.

use tokio::time::MissedTickBehavior;

use super::super::storage;
use super::{Backfill, Known, Progress, before};
use crate::daemon::DaemonError;
use crate::gitlab::{Error, Project};
use crate::ingest::{LISTING_OVERLAP, Past};
use crate::model::{PipelineObservation, Timestamp};
use crate::store::{Draft, Saved, StoreError};

/// What a project came to.
pub(super) enum Ended {
    Done { timelines: usize },
    Stopped,
    Failed(Error),
}

impl Backfill {
    pub(super) async fn project(
        &self,
        project: &Project,
        known: Known,
        place: (usize, usize),
        progress: &dyn Progress,
    ) -> Result<Ended, DaemonError> {
        let since = known.watermark.map_or(self.target, |end| {
            before(end, LISTING_OVERLAP).min(self.target)
        });
        let draft = self.store.draft(project.id).await?;
        let draft = draft.filter(|draft| draft.scope == self.scope && draft.since <= since);
        let since = draft.as_ref().map_or(since, |draft| draft.since);
        let Past {
            mut pipelines,
            latest,
        } = tokio::select! {
            past = self.ingest.past(project, since) => match past {
                Ok(past) => past,
                Err(error) => return Ok(Ended::Failed(error)),
            },
            () = self.stop.cancelled() => return Ok(Ended::Stopped),
        };
        let all = pipelines.len();
        let is_resumed = draft.is_some();
        let draft = draft.unwrap_or_else(|| Draft {
            scope: self.scope.clone(),
            since,
            listed: latest,
            done: 0,
            timelines: Vec::new(),
        });
        pipelines.retain(|pipeline| !is_done(&draft, pipeline.id, pipeline.updated_at));
        progress.begins(&project.path, place, all, all - pipelines.len());
        self.reading.begin(&draft, known.timelines);
        let read = self.read(project, pipelines, &draft).await?;
        self.save_draft(project, &draft).await?;
        match read {
            Some(Ok(())) => {}
            Some(Err(error)) => return Ok(Ended::Failed(error)),
            None => return Ok(Ended::Stopped),
        }
        let timelines = self
            .commit(project, known.watermark, latest, is_resumed)
            .await?;
        Ok(Ended::Done { timelines })
    }

    /// Reads pipelines and now and then keeps what was read; `None` if it is to stop.
    async fn read(
        &self,
        project: &Project,
        pipelines: Vec<PipelineObservation>,
        draft: &Draft,
    ) -> Result<Option<Result<(), Error>>, StoreError> {
        let reading = self.ingest.read_past(project, pipelines);
        tokio::pin!(reading);
        let mut saves = tokio::time::interval(self.save_interval);
        saves.set_missed_tick_behavior(MissedTickBehavior::Delay);
        saves.tick().await;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(None),
                read = &mut reading => return Ok(Some(read)),
                _ = saves.tick() => self.save_draft(project, draft).await?,
            }
        }
    }

    async fn save_draft(&self, project: &Project, begun: &Draft) -> Result<(), StoreError> {
        let draft = self.reading.draft(begun);
        self.store.save_draft(project.id, draft, &self.rules).await
    }

    /// Puts what was read in the place of what was saved; returns how many timelines were.
    async fn commit(
        &self,
        project: &Project,
        former: Option<Timestamp>,
        latest: Option<Timestamp>,
        is_resumed: bool,
    ) -> Result<usize, StoreError> {
        let (read, mut own) = self.reading.end();
        let mut own_stays = false;
        let mut timelines = Vec::with_capacity(read.len());
        for (key, read) in read {
            let mut timeline = match own.remove(&key) {
                Some(mut timeline) if !self.reach.rebuild => {
                    own_stays |= timeline.merge_backfill(read, &self.rules);
                    timeline
                }
                _ => read,
            };
            timeline.project = project.path.clone();
            timeline.project_url.clone_from(&project.web_url);
            timeline.expire(self.expired);
            if timeline.last_activity().is_none_or(|at| at >= self.expired) {
                timelines.push(timeline);
            }
        }
        // What an earlier run has read was not counted into the saved histories: the daemon reads it.
        let watermark = if is_resumed && own_stays {
            former
        } else {
            former.max(latest)
        };
        let count = timelines.len();
        for (number, timeline) in (1..).zip(timelines) {
            // As the daemon does: the last document promises what is in all of them.
            let watermark = if number == count { watermark } else { former };
            let saved = Saved {
                timeline,
                watermark,
            };
            let written = self.store.save(saved, &self.rules).await?;
            storage::say_set_aside(&written.set_aside);
        }
        Ok(count)
    }
}

/// Whether an earlier run has read a pipeline, which has not moved since.
fn is_done(draft: &Draft, id: u64, updated_at: Option<Timestamp>) -> bool {
    let moved_since = match (updated_at, draft.listed) {
        (Some(moved), Some(listed)) => moved >= before(listed, LISTING_OVERLAP),
        _ => true,
    };
    id <= draft.done && !moved_since
}
