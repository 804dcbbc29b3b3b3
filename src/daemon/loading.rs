//! Loading the saved state, at the start or as soon as the store answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::state::State;
use super::storage::log_quarantined;
use crate::base::backoff::Backoff;
use crate::store::{Quarantined, Store, StoreError};

/// Pauses between attempts to reach a store that does not answer. Replicas do not come all at once.
const BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(500), Duration::from_mins(1)).with_jitter(0.5);

/// How long the start waits for a bucket.
const FIRST_TRY: Duration = Duration::from_secs(10);

/// Loads the state at the start. If the store does not answer now, the rest of the program works all the same.
///
/// # Errors
///
/// If a newer version saved some of it, or it is of another GitLab.
pub(super) async fn load_at_once(store: &Store, state: &Arc<State>) -> Result<(), StoreError> {
    let loaded = match store {
        Store::Directory(_) => try_load(store, state).await,
        Store::S3(_) => match timeout(FIRST_TRY, try_load(store, state)).await {
            Ok(loaded) => loaded,
            Err(_) => return Ok(()),
        },
    };
    match loaded {
        Ok(()) => Ok(()),
        Err(error @ StoreError::Refused { .. }) => Err(error),
        Err(error) => {
            report_not_loaded(state, &error);
            Ok(())
        }
    }
}

/// Loads the state, retrying while the store does not answer; false if `stop` came first. Polling must not begin
/// before: it would read everything from GitLab once more.
pub(super) async fn load(store: &Store, state: &Arc<State>, stop: &CancellationToken) -> bool {
    let loading = async {
        let mut failures = 0;
        while let Err(error) = try_load(store, state).await {
            report_not_loaded(state, &error);
            sleep(BACKOFF.delay(failures)).await;
            failures += 1;
        }
    };
    tokio::select! {
        () = loading => true,
        () = stop.cancelled() => false,
    }
}

async fn try_load(store: &Store, state: &Arc<State>) -> Result<(), StoreError> {
    let loaded = store.load_shard(state.policy.shard).await?;
    report_conditional_writes(store, state);
    report_quarantined(state, &loaded.quarantined);
    let count = loaded.timelines.len();
    if count > 0 {
        tracing::info!("loaded {count} timelines");
    }
    let restored = state.clone();
    // Rendering everything takes its time: probes are answered meanwhile.
    let restoring = tokio::task::spawn_blocking(move || {
        restored.restore_memories(loaded.memories);
        let known = restored.restore_sights(loaded.sights, loaded.checksums);
        if known > 0 {
            tracing::info!("of {known} projects only what moved since is read");
        }
        restored.restore(loaded.timelines);
        for key in &loaded.unsealed {
            restored.save_again(key);
        }
    });
    if let Err(error) = restoring.await
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
    Ok(())
}

fn report_not_loaded(state: &State, error: &StoreError) {
    let error = error.to_string();
    if state.not_loaded(&error) {
        tracing::error!("the saved state cannot be read: {error}; trying again");
    } else {
        tracing::debug!("the saved state still cannot be read: {error}");
    }
}

fn report_conditional_writes(store: &Store, state: &State) {
    let Some(conditional) = store.conditional_writes() else {
        return;
    };
    let telemetry = state.telemetry();
    telemetry.state_conditional_writes(conditional);
    if !conditional {
        tracing::warn!(
            "this store ignores If-None-Match and If-Match: of two replicas on one bucket and prefix the \
             last to write wins, and what the other has counted meanwhile can be lost. Run one replica, or \
             use a store that honours conditional writes"
        );
    }
}

/// Counts and logs documents that could not be read.
pub(super) fn report_quarantined(state: &State, quarantined: &[Quarantined]) {
    for _ in quarantined {
        state.telemetry().document_quarantined();
    }
    log_quarantined(quarantined);
}
