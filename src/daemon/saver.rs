//! Saving: what changed, now and then, and once more at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::gitlab_clock::GitLabClock;
use super::state::{State, Unsaved};
use crate::model::{Timeline, Timestamp};
use crate::store::{Directory, SaveError, Saved, encode};

/// How often histories are looked through for what has outlived the retention.
const EXPIRY_INTERVAL: Duration = Duration::from_hours(1);

/// Saves the state into a directory.
pub(super) struct Saver {
    pub(super) state: Arc<State>,
    pub(super) store: Arc<Directory>,
    pub(super) clock: Arc<GitLabClock>,
    pub(super) interval: Duration,
    pub(super) retention: Duration,
}

impl Saver {
    /// Saves what changed every `interval` until `stop`. The caller saves once more, when nothing
    /// changes the state any longer.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut saves = tokio::time::interval(self.interval);
        let mut expiries = tokio::time::interval(EXPIRY_INTERVAL);
        let mut failing = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                // A wrong clock of ours must not cost the histories: GitLab's decides.
                _ = expiries.tick(), if self.clock.is_told() => self.expire().await,
                _ = saves.tick() => failing = self.save_and_log(failing).await,
            }
        }
    }

    /// Saves; logs a failure once, and that it is over. Returns whether saving fails.
    async fn save_and_log(&self, was_failing: bool) -> bool {
        match self.save().await {
            Err(error) if was_failing => {
                tracing::debug!("still not saved: {error}");
                true
            }
            Err(error) => {
                tracing::error!("{error}; trying again every {:?}", self.interval);
                true
            }
            Ok(count) => {
                if was_failing && count > 0 {
                    tracing::info!("saved again, {count} timelines");
                }
                was_failing && count == 0
            }
        }
    }

    /// Saves everything that changed since it was saved. What fails stays to be saved, and the others
    /// go on. Returns how many were saved, or the first error.
    pub(super) async fn save(&self) -> Result<usize, SaveError> {
        let mut saved = 0;
        let mut first_error = None;
        for batch in self.state.take_unsaved() {
            for result in self.save_batch(batch).await {
                match result {
                    Ok(()) => saved += 1,
                    Err(error) => {
                        first_error.get_or_insert(error);
                    }
                }
            }
        }
        let telemetry = self.state.exposition.telemetry();
        telemetry.unsaved_timelines(self.state.unsaved_count());
        first_error.map_or(Ok(saved), Err)
    }

    /// Saves the changed timelines of one project. Only the last document gets the new watermark, and
    /// only if all before it are on disk: a watermark never promises more than the documents hold.
    async fn save_batch(&self, batch: Unsaved) -> Vec<Result<(), SaveError>> {
        let mut results = Vec::with_capacity(batch.timelines.len());
        let last = batch.timelines.len() - 1;
        for (index, timeline) in batch.timelines.into_iter().enumerate() {
            let all_before = results.iter().all(Result::is_ok);
            let watermark = if index == last && all_before {
                batch.watermark
            } else {
                batch.former_watermark
            };
            let (project_id, complete) = (timeline.key.project_id, index == last && all_before);
            let result = self.save_one(timeline, watermark).await;
            if result.is_ok() && complete {
                self.state.saved_up_to(project_id, watermark);
            }
            results.push(result);
        }
        results
    }

    async fn save_one(
        &self,
        timeline: Timeline,
        watermark: Option<Timestamp>,
    ) -> Result<(), SaveError> {
        let key = timeline.key.clone();
        let (store, state) = (self.store.clone(), self.state.clone());
        let written = spawn_blocking(move || {
            let saved = Saved {
                timeline,
                watermark,
            };
            store.save(&saved.timeline.key, &encode(&saved, &state.policy.rules))
        });
        let telemetry = self.state.exposition.telemetry();
        // A task that panics is none of ours, and one that was aborted ends with the process.
        let result = written.await.unwrap_or(Ok(()));
        if result.is_ok() {
            telemetry.state_saved(self.clock.local_now());
        } else {
            telemetry.state_save_failed();
            self.state.unsaved(&key);
        }
        result
    }

    /// Drops what has outlived the retention, and its documents.
    async fn expire(&self) {
        let retention = i64::try_from(self.retention.as_secs()).unwrap_or(i64::MAX);
        let before = self.clock.gitlab_now().unix().saturating_sub(retention);
        let gone = self.state.expire(Timestamp::of_clock(before));
        let store = self.store.clone();
        let removed = spawn_blocking(move || {
            for key in gone {
                if let Err(error) = store.remove(&key) {
                    tracing::error!("{error}");
                }
            }
        });
        let _ = removed.await;
    }
}
