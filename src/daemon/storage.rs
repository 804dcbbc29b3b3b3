//! The store as the configuration has it.

use std::sync::Arc;

use url::Url;

use crate::config::{self, Location};
use crate::store::{Directory, Loaded, Quarantined, S3, Store, StoreError};

/// Opens the store of a GitLab's state; with `None`, of whichever GitLab it is. A store that is away for now is no
/// error: whoever loads the state tries again.
pub async fn open(config: &config::Store, gitlab: Option<&Url>) -> Result<Store, StoreError> {
    let instance = gitlab.map(instance_name);
    let s3 = match &config.location {
        Location::Directory(directory) => {
            let directory = Directory::open(directory)?.of_instance(instance);
            let directory = directory.compressing(config.compress);
            return Ok(Store::Directory(Arc::new(directory)));
        }
        Location::S3(s3) => S3::new(s3.clone()).await.of_instance(instance),
    };
    let s3 = s3.compressing(config.compress);
    let store = Store::S3(Arc::new(s3));
    match store.check().await {
        Err(error) if error.is_lasting() => Err(error),
        // Loading the state reports it.
        _ => Ok(store),
    }
}

/// Host, port unless it is the usual one, and path of a GitLab: `gitlab.example.com/git`. Not the scheme, which may
/// change from `http` to `https`.
pub fn instance_name(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}"));
    let host = url.host_str().unwrap_or_default();
    let path = url.path().trim_end_matches('/');
    format!("{host}{}{path}", port.unwrap_or_default())
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
        let path = document.path.display();
        let error = &document.error;
        if document.is_copy() {
            tracing::warn!("{path}: {error} It is not counted; {moved_to}");
        } else {
            tracing::error!("{path}: {error}; {moved_to}; its history is read from GitLab again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gitlab_is_named_by_host_port_and_path() {
        for (url, name) in [
            ("https://GitLab.example.com/", "gitlab.example.com"),
            ("http://gitlab.example.com:80/", "gitlab.example.com"),
            ("https://example.com:8443/git/", "example.com:8443/git"),
        ] {
            assert_eq!(instance_name(&Url::parse(url).unwrap()), name);
        }
    }
}
