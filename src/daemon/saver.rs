//! Saving: what changed, now and then, and once more at the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::expiry::ExpiryTimer;
use super::gitlab_clock::GitLabClock;
use super::journal::Journal;
use super::loading::report_quarantined;
use super::state::{ProjectBatch, State, Unsaved, UnsavedSights};
use super::writers::{WRITERS, Writers};
use crate::base::DAY;
use crate::base::backoff::Backoff;
use crate::store::{Aside, Store, StoreError, Written};
use ci_history::Timestamp;

/// Longest pause between two attempts to save into a store that is away. An attempt costs few requests, and a
/// store that is back is to have everything soon.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How long a document stays in the attic.
const ATTIC_DAYS: i64 = 30;

/// Saves the state.
pub(super) struct Saver {
    pub(super) state: Arc<State>,
    pub(super) store: Store,
    pub(super) clock: Arc<GitLabClock>,
    pub(super) interval: Duration,
    pub(super) journal: Arc<Journal>,
}

/// How saving went lately.
#[derive(Default)]
struct Trouble {
    /// Whether saving failed, and nothing was saved since.
    failing: bool,
    /// Rounds in a row in which the store was away and nothing was saved.
    outages: u32,
}

impl Saver {
    /// Saves what changed every `interval` until `stop`. The caller saves once more, when nothing
    /// changes the state any longer.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut expiry = ExpiryTimer::default();
        let mut trouble = Trouble::default();
        let mut next = Instant::now();
        let backoff = Backoff::new(self.interval, LONGEST_PAUSE).with_jitter(0.5);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep_until(next) => {
                    let is_due = expiry.is_due(&self.state);
                    if is_due {
                        self.state.expire();
                    }
                    self.state.exposition.compress();
                    self.save_and_log(&mut trouble).await;
                    // A store that cannot be written has been told already.
                    if is_due && !trouble.failing {
                        self.clear_attic().await;
                    }
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
        let Round { saved, error } = self.save_round(false).await;
        match error {
            Some(error) => {
                // A single slow request is no outage.
                let is_outage = error.is_outage() && saved == 0;
                let now = self.clock.local_now();
                self.journal.not_saved(now, error.to_string());
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
                self.journal.saved();
                if std::mem::take(trouble).failing {
                    tracing::info!("saved again, {saved} timelines");
                }
            }
        }
    }

    /// Saves for the last time. Returns how many timelines were saved, or the first error.
    pub(super) async fn save(&self) -> Result<usize, StoreError> {
        let Round { saved, error } = self.save_round(true).await;
        error.map_or(Ok(saved), Err)
    }

    /// Saves the changed timelines, and removes the documents of dropped ones. A document that fails is tried again
    /// in the next round, and the others go on, unless the store is away.
    async fn save_round(&self, is_last: bool) -> Round {
        let writers = Writers::new();
        let away = &writers.away;
        let mut round = Round {
            saved: 0,
            error: self.copy_to_attic(away).await,
        };
        let (batches, mut sights) = self.state.unsaved(is_last);
        let saving = batches.into_iter().map(async |batch| {
            let (id, wanted) = (batch.project_id, batch.timelines.len());
            let saved = self.save_batch(batch, &writers).await;
            (Some(id).filter(|_| saved.saved < wanted), saved)
        });
        let mut incomplete = BTreeSet::new();
        let mut results = stream::iter(saving).buffer_unordered(WRITERS);
        while let Some((unsaved, batch)) = results.next().await {
            incomplete.extend(unsaved);
            round.add(batch);
        }
        self.save_memories(away).await;
        // Histories that moved to another document are saved there by now.
        let removed = self.remove_dropped(away).await;
        round.error = round.error.or(removed);
        sights.retain(|it| !incomplete.contains(&it.project_id));
        self.save_sights(sights, away).await;
        let telemetry = self.state.telemetry();
        telemetry.unsaved_timelines(self.state.unsaved_count());
        round
    }

    /// Saves what is remembered of projects, and removes what is forgotten. Nothing is lost for good by a failure: it is no
    /// failure of the round.
    async fn save_memories(&self, away: &AtomicBool) {
        let (memories, removed) = self.state.take_unsaved_memories();
        let saving = memories.into_iter().map(async |memory| {
            let id = memory.project_id;
            (id, unless_away(away, self.store.save_memory(&memory)).await)
        });
        let mut results = stream::iter(saving).buffer_unordered(WRITERS);
        while let Some((id, result)) = results.next().await {
            self.memory_saved(id, result);
        }
        for id in removed {
            let result = unless_away(away, self.store.remove_memory(id)).await;
            self.memory_saved(id, result);
        }
    }

    /// Saves what polling knew before this round of projects whose timelines are saved by now, and removes what is forgotten. A
    /// failure only costs requests after a restart.
    async fn save_sights(&self, sights: Vec<UnsavedSights>, away: &AtomicBool) {
        let saving = sights.into_iter().map(async |unsaved| {
            let saved = self.state.sights_to_save(unsaved);
            match unless_away(away, self.store.save_sights(&saved)).await {
                Ok(true) => self.state.sights_saved(&saved),
                Ok(false) => {}
                Err(error) => tracing::debug!("sights are not saved: {error}"),
            }
        });
        let mut results = stream::iter(saving).buffer_unordered(WRITERS);
        while results.next().await.is_some() {}
        for id in self.state.take_removed_sights() {
            if let Err(error) = unless_away(away, self.store.remove_sights(id)).await {
                tracing::debug!("sights are not removed: {error}");
            }
        }
    }

    fn memory_saved(&self, project_id: u64, result: Result<bool, StoreError>) {
        match result {
            Ok(true) => {
                if self.state.memory_saved() {
                    tracing::info!("what is remembered of projects over a restart is saved again");
                }
            }
            Ok(false) => {
                self.state.save_memory_again(project_id);
            }
            Err(error) => {
                if self.state.save_memory_again(project_id) {
                    tracing::warn!(
                        "what is remembered of projects over a restart is not saved: {error}; trying again"
                    );
                }
            }
        }
    }

    /// Copies the documents that are about to lose something.
    async fn copy_to_attic(&self, away: &AtomicBool) -> Option<StoreError> {
        let mut first_error = None;
        let now = self.attic_time();
        for key in self.state.take_to_copy() {
            if let Err(error) = self.store.set_aside(&key, now, Aside::Copy).await {
                away.fetch_or(error.is_outage(), Ordering::Relaxed);
                first_error.get_or_insert(error);
            }
        }
        first_error
    }

    /// Moves the documents of dropped timelines into the attic.
    async fn remove_dropped(&self, away: &AtomicBool) -> Option<StoreError> {
        let mut first_error = None;
        let now = self.attic_time();
        for key in self.state.take_removed() {
            if away.load(Ordering::Relaxed) {
                self.state.remove_again(key);
            } else if let Err(error) = self.store.set_aside(&key, now, Aside::Move).await {
                away.fetch_or(error.is_outage(), Ordering::Relaxed);
                self.state.remove_again(key);
                first_error.get_or_insert(error);
            } else {
                self.state.document_written(&key, None);
            }
        }
        first_error
    }

    /// When documents move to the attic. A time that is too late only makes them stay longer.
    fn attic_time(&self) -> Timestamp {
        let proved = self.state.retention_now();
        proved.unwrap_or_else(|| self.clock.local_now().max(self.clock.gitlab_now()))
    }

    /// Removes what has been in the attic for too long.
    async fn clear_attic(&self) {
        let Some(now) = self.state.retention_now() else {
            return;
        };
        let before = Timestamp::of_clock(now.unix() - ATTIC_DAYS * DAY);
        match self.store.clear_attic(before).await {
            Ok(0) => {}
            Ok(count) => {
                tracing::info!("removed {count} documents from the attic, {ATTIC_DAYS} days old");
            }
            Err(error) => tracing::warn!("the attic was not cleared: {error}"),
        }
    }

    /// Saves the changed timelines of one project. Only the last document gets the new watermark, and
    /// only if all before it are saved: a watermark never promises more than the documents hold.
    async fn save_batch(&self, batch: ProjectBatch, writers: &Writers) -> Round {
        let Some((last, others)) = batch.timelines.split_last() else {
            return Round::default();
        };
        let of_refs = others.chunk_by(|a, b| a.key.ref_name == b.key.ref_name);
        let of_refs: Vec<_> = of_refs.map(<[Unsaved]>::to_vec).collect();
        let saving = of_refs
            .into_iter()
            .map(|of_ref| self.save_ref(of_ref, writers));
        let mut results = stream::iter(saving).buffer_unordered(WRITERS);
        let mut result = Round::default();
        while let Some(of_ref) = results.next().await {
            result.add(of_ref);
        }
        let is_complete = result.saved == others.len();
        let watermark = batch.watermark.filter(|_| is_complete);
        let of_last = self.save_one(last, watermark, writers).await;
        if is_complete && of_last.saved == 1 {
            self.state.saved_up_to(batch.project_id, batch.watermark);
        }
        result.add(of_last);
        result
    }

    /// One after the other, in their order.
    async fn save_ref(&self, of_ref: Vec<Unsaved>, writers: &Writers) -> Round {
        let mut result = Round::default();
        for unsaved in &of_ref {
            result.add(self.save_one(unsaved, None, writers).await);
        }
        result
    }

    /// Copies a timeline out of the state as soon as there is room, and saves it. Nothing happens while the store is away.
    async fn save_one(
        &self,
        unsaved: &Unsaved,
        watermark: Option<Timestamp>,
        writers: &Writers,
    ) -> Round {
        let _room = writers.room_for(unsaved.jobs).await;
        if writers.away.load(Ordering::Relaxed) {
            return Round::default();
        }
        let Some(mut saved) = self.state.begin_save(&unsaved.key) else {
            // Dropped meanwhile: its document is removed.
            return Round::of_one();
        };
        saved.watermark = watermark.or(saved.watermark);
        let telemetry = self.state.telemetry();
        match self.store.save(saved, &self.state.policy.rules).await {
            Ok(written) => {
                telemetry.state_saved(self.clock.local_now());
                self.state.document_written(&unsaved.key, written.checksum);
                self.take_written(&written);
                Round::of_one()
            }
            Err(error) => {
                telemetry.state_save_failed();
                self.state.save_again(&unsaved.key);
                writers.away.fetch_or(error.is_outage(), Ordering::Relaxed);
                Round {
                    saved: 0,
                    error: Some(error),
                }
            }
        }
    }

    /// Joins what another replica saved meanwhile.
    fn take_written(&self, written: &Written) {
        let telemetry = self.state.telemetry();
        telemetry.state_conflicts(written.conflicts);
        report_quarantined(&self.state, &written.quarantined);
        if let Some(merged) = &written.merged {
            self.state.merge_saved(merged);
        }
    }
}

/// What was saved in one round, of all projects or of one.
#[derive(Default)]
struct Round {
    saved: usize,
    error: Option<StoreError>,
}

impl Round {
    fn of_one() -> Self {
        Self {
            saved: 1,
            error: None,
        }
    }

    fn add(&mut self, other: Self) {
        self.saved += other.saved;
        if self.error.is_none() {
            self.error = other.error;
        }
    }
}

/// `Ok(false)` if the store is away.
async fn unless_away(
    away: &AtomicBool,
    work: impl Future<Output = Result<(), StoreError>>,
) -> Result<bool, StoreError> {
    if away.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let done = work.await;
    let is_outage = done.as_ref().is_err_and(StoreError::is_outage);
    away.fetch_or(is_outage, Ordering::Relaxed);
    done.map(|()| true)
}
