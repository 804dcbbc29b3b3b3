//! The store as the configuration has it.

use std::sync::Arc;

use crate::config::{self, Location};
use crate::store::{Directory, Loaded, S3, S3Options, SetAside, Store, StoreError};

/// Opens the store. A store that is away for now is no error: whoever loads the state tries again.
pub async fn open(config: &config::Store) -> Result<Store, StoreError> {
    let s3 = match &config.location {
        Location::Directory(directory) => {
            return Ok(Store::Directory(Arc::new(Directory::open(directory)?)));
        }
        Location::S3(s3) => bucket(s3).await,
    };
    let store = Store::S3(Arc::new(s3));
    match store.check().await {
        Err(error) if error.is_lasting() => Err(error),
        // Loading the state reports it.
        _ => Ok(store),
    }
}

async fn bucket(s3: &config::S3) -> S3 {
    let s3 = s3.clone();
    S3::new(S3Options {
        bucket: s3.bucket,
        prefix: s3.prefix,
        region: s3.region,
        endpoint_url: s3.endpoint_url,
        force_path_style: s3.force_path_style,
        server_side_encryption: s3.server_side_encryption.map(str::to_owned),
        kms_key_id: s3.kms_key_id,
        timeout: s3.timeout,
    })
    .await
}

/// Reads the state without locking it or changing anything: a daemon may be using it.
pub async fn look(config: &config::Store) -> Result<Loaded, StoreError> {
    match &config.location {
        Location::Directory(directory) => Ok(Directory::look(directory)?),
        Location::S3(s3) => Ok(bucket(s3).await.look().await?),
    }
}

/// Logs which documents could not be read.
pub(crate) fn log_quarantined(set_aside: &[SetAside]) {
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
