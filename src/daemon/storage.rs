//! The store as the configuration has it.

use std::sync::Arc;

use crate::config::{self, Location};
use crate::store::{Directory, Loaded, Quarantined, S3, Store, StoreError};

/// Opens the store. A store that is away for now is no error: whoever loads the state tries again.
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
        // Loading the state reports it.
        _ => Ok(store),
    }
}

/// Reads the state without locking it or changing anything: a daemon may be using it.
pub async fn look(config: &config::Store) -> Result<Loaded, StoreError> {
    match &config.location {
        Location::Directory(directory) => Ok(Directory::look(directory)?),
        Location::S3(s3) => Ok(S3::new(s3.clone()).await.look().await?),
    }
}

/// Logs which documents could not be read.
pub(crate) fn log_quarantined(quarantined: &[Quarantined]) {
    for document in quarantined {
        let moved_to = document.moved_to.as_ref().map_or_else(
            || "it could not be moved and stays".to_owned(),
            |path| format!("moved to {}", path.display()),
        );
        tracing::error!(
            "{}: {}; {moved_to}; its history is read from GitLab again",
            document.path.display(),
            document.error
        );
    }
}
