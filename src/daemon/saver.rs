//! Saving: what changed, now and then, and once more at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::gitlab_clock::GitLabClock;
use super::retention::Expiry;
use super::state::{State, Unsaved};
use super::storage::tell_set_aside;
use crate::base::backoff::Backoff;
use crate::model::{Timeline, Timestamp};
use crate::store::{Saved, Store, StoreError, Written};

/// Longest pause between two attempts to save into a store that is away. One that is back is to have
/// everything soon, and an attempt costs a request or a few.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Saves the state.
pub(super) struct Saver {
    pub(super) state: Arc<State>,
    pub(super) store: Store,
    pub(super) clock: Arc<GitLabClock>,
    pub(super) interval: Duration,
}

/// How saving goes, from one time to the next.
#[derive(Default)]
struct Trouble {
    /// Since something could not be saved, and nothing was saved after it.
    failing: bool,
    /// How often in a row the store was away, and took nothing at all.
    outages: u32,
}

impl Saver {
    /// Saves what changed every `interval` until `stop`. The caller saves once more, when nothing
    /// changes the state any longer.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut expiry = Expiry::default();
        let mut trouble = Trouble::default();
        let mut next = Instant::now();
        let backoff = Backoff::new(self.interval, LONGEST_PAUSE).with_jitter(0.5);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep_until(next) => {
                    if expiry.is_due(&self.state) {
                        self.state.expire();
                    }
                    self.save_and_log(&mut trouble).await;
                    next = Instant::now() + match trouble.outages {
                        0 => self.interval,
                        outages => backoff.delay(outages - 1),
                    };
                }
            }
        }
    }

    /// Saves; logs a failure once, and that it is over.
    async fn save_and_log(&self, trouble: &mut Trouble) {
        let Round { saved, error } = self.save_round().await;
        match error {
            Some(error) => {
                // One request that takes too long among others that do not is no outage.
                let is_outage = error.is_outage() && saved == 0;
                trouble.outages = if is_outage { trouble.outages + 1 } else { 0 };
                if std::mem::replace(&mut trouble.failing, true) {
                    tracing::debug!("still not saved: {error}");
                } else if is_outage {
                    tracing::error!("{error}; changes wait, trying again less and less often");
                } else {
                    tracing::error!("{error}; trying again every {:?}", self.interval);
                }
            }
            None if saved == 0 => {}
            None => {
                if std::mem::take(trouble).failing {
                    tracing::info!("saved again, {saved} timelines");
                }
            }
        }
    }

    /// Saves once. Returns how many timelines were saved, or the first error.
    pub(super) async fn save(&self) -> Result<usize, StoreError> {
        let Round { saved, error } = self.save_round().await;
        error.map_or(Ok(saved), Err)
    }

    /// Removes the documents of what was dropped, and saves everything that changed since it was saved.
    /// What fails stays to be saved, and the others go on, unless the store is away.
    async fn save_round(&self) -> Round {
        let away = AtomicBool::new(false);
        let mut round = Round {
            saved: 0,
            error: self.remove_gone(&away).await,
        };
        let batches = self.state.take_unsaved();
        let saving = batches
            .into_iter()
            .map(|batch| self.save_batch(batch, &away));
        let mut results = stream::iter(saving).buffer_unordered(self.store.parallel_saves());
        while let Some(batch) = results.next().await {
            round.saved += batch.saved;
            round.error = round.error.or(batch.error);
        }
        let telemetry = self.state.exposition.telemetry();
        telemetry.unsaved_timelines(self.state.unsaved_count());
        round
    }

    /// Removes the documents of what was dropped; those of which it fails stay to be removed.
    async fn remove_gone(&self, away: &AtomicBool) -> Option<StoreError> {
        let mut first_error = None;
        for key in self.state.take_gone() {
            if away.load(Ordering::Relaxed) {
                self.state.not_removed(key);
            } else if let Err(error) = self.store.remove(key.clone()).await {
                away.fetch_or(error.is_outage(), Ordering::Relaxed);
                self.state.not_removed(key);
                first_error.get_or_insert(error);
            }
        }
        first_error
    }

    /// Saves the changed timelines of one project. Only the last document gets the new watermark, and
    /// only if all before it are saved: a watermark never promises more than the documents hold.
    async fn save_batch(&self, batch: Unsaved, away: &AtomicBool) -> Round {
        let mut result = Round::default();
        let last = batch.timelines.len() - 1;
        for (index, timeline) in batch.timelines.into_iter().enumerate() {
            if away.load(Ordering::Relaxed) {
                self.state.unsaved(&timeline.key);
                continue;
            }
            let complete = index == last && result.saved == last;
            let watermark = if complete {
                batch.watermark
            } else {
                batch.former_watermark
            };
            let project_id = timeline.key.project_id;
            match self.save_one(timeline, watermark).await {
                Ok(()) => {
                    result.saved += 1;
                    if complete {
                        self.state.saved_up_to(project_id, watermark);
                    }
                }
                Err(error) => {
                    away.fetch_or(error.is_outage(), Ordering::Relaxed);
                    result.error.get_or_insert(error);
                }
            }
        }
        result
    }

    async fn save_one(
        &self,
        timeline: Timeline,
        watermark: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let key = timeline.key.clone();
        let saved = Saved {
            timeline,
            watermark,
        };
        let rules = &self.state.policy.rules;
        let telemetry = self.state.exposition.telemetry();
        match self.store.save(saved, rules).await {
            Ok(written) => {
                telemetry.state_saved(self.clock.local_now());
                self.take_in(&written);
                Ok(())
            }
            Err(error) => {
                telemetry.state_save_failed();
                self.state.unsaved(&key);
                Err(error)
            }
        }
    }

    /// What another replica had saved meanwhile becomes part of the state.
    fn take_in(&self, written: &Written) {
        let telemetry = self.state.exposition.telemetry();
        telemetry.state_conflicts(written.conflicts);
        tell_set_aside(&self.state, &written.quarantined);
        if let Some(merged) = &written.merged {
            self.state.take_in(merged);
        }
    }
}

/// How saving went: of everything, or of the timelines of one project.
#[derive(Default)]
struct Round {
    saved: usize,
    error: Option<StoreError>,
}
