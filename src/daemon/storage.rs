//! The store as the configuration has it, and the state that is read from it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::state::State;
use crate::base::backoff::Backoff;
use crate::config::{self, Location};
use crate::store::{Directory, Loaded, S3, SetAside, Store, StoreError};

/// Pauses between the attempts to reach a store that does not answer. Replicas do not come all at once.
const BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(500), Duration::from_mins(1)).with_jitter(0.5);

/// How long the start waits for a bucket.
const FIRST_TRY: Duration = Duration::from_secs(10);

/// Opens the store. One that cannot be used for a reason that stays is an error; one that is away for
/// now is none.
pub async fn open(config: &config::Store) -> Result<Store, StoreError> {
    let s3 = match &config.location {
        Location::Directory(directory) => {
            return Ok(Store::Directory(Arc::new(Directory::open(directory)?)));
        }
        Location::S3(s3) => S3::new(s3.clone()).await,
    };
    let store = Store::S3(Arc::new(s3));
    match store.check().await {
        Err(error) if error.is_lasting() => Err(error),
        // Told by `load`, which goes on trying.
        _ => Ok(store),
    }
}

/// Reads the state from wherever it is, without taking it from a daemon that uses it, and changes nothing.
pub async fn look(config: &config::Store) -> Result<Loaded, StoreError> {
    match &config.location {
        Location::Directory(directory) => Ok(Directory::look(directory)?),
        Location::S3(s3) => Ok(S3::new(s3.clone()).await.look().await?),
    }
}

/// Reads the state before anything is served; false if the store does not answer now, so that the rest
/// of the program starts all the same.
///
/// # Errors
///
/// Where a newer version has saved some of it.
pub(super) async fn load_at_once(store: &Store, state: &State) -> Result<bool, StoreError> {
    let loaded = match store {
        Store::Directory(_) => try_load(store, state).await,
        Store::S3(_) => match timeout(FIRST_TRY, try_load(store, state)).await {
            Ok(loaded) => loaded,
            Err(_) => return Ok(false),
        },
    };
    match loaded {
        Ok(()) => Ok(true),
        Err(error @ StoreError::Newer { .. }) => Err(error),
        Err(error) => {
            tell_not_loaded(state, &error);
            Ok(false)
        }
    }
}

/// Reads the state, again and again while the store does not answer; false if `stop` came first.
/// Polling must not begin before: it would read everything from GitLab once more.
pub(super) async fn load(store: &Store, state: &State, stop: &CancellationToken) -> bool {
    let loading = async {
        let mut failures = 0;
        while let Err(error) = try_load(store, state).await {
            tell_not_loaded(state, &error);
            sleep(BACKOFF.delay(failures)).await;
            failures += 1;
        }
    };
    tokio::select! {
        () = loading => true,
        () = stop.cancelled() => false,
    }
}

async fn try_load(store: &Store, state: &State) -> Result<(), StoreError> {
    let loaded = store.load_shard(state.policy.shard).await?;
    say_whether_writes_are_conditional(store, state);
    restore(state, loaded);
    Ok(())
}

fn tell_not_loaded(state: &State, error: &StoreError) {
    let error = error.to_string();
    if state.state_not_loaded(&error) {
        tracing::error!("the saved state cannot be read: {error}; trying again");
    } else {
        tracing::debug!("the saved state still cannot be read: {error}");
    }
}

fn say_whether_writes_are_conditional(store: &Store, state: &State) {
    let Some(conditional) = store.conditional_writes() else {
        return;
    };
    let telemetry = state.exposition.telemetry();
    telemetry.state_conditional_writes(conditional);
    if !conditional {
        tracing::warn!(
            "this store ignores If-None-Match and If-Match: of two replicas on one bucket and prefix the \
             last to write wins, and what the other has counted meanwhile can be lost. Run one replica, or \
             use a store that honours conditional writes"
        );
    }
}

/// Counts and tells what could not be read.
pub(super) fn tell_set_aside(state: &State, set_aside: &[SetAside]) {
    for _ in set_aside {
        state.exposition.telemetry().document_set_aside();
    }
    say_set_aside(set_aside);
}

/// Tells what could not be read.
pub(crate) fn say_set_aside(set_aside: &[SetAside]) {
    for aside in set_aside {
        let moved_to = aside.moved_to.as_ref().map_or_else(
            || "it could not be moved and stays".to_owned(),
            |path| format!("moved to {}", path.display()),
        );
        tracing::error!(
            "{}: {}; {moved_to}; its history is read from GitLab again",
            aside.path.display(),
            aside.error
        );
    }
}

fn restore(state: &State, loaded: Loaded) {
    tell_set_aside(state, &loaded.set_aside);
    let count = loaded.timelines.len();
    if count > 0 {
        tracing::info!("loaded {count} timelines");
    }
    state.restore(loaded.timelines);
}
