//! The client for the GitLab of a configuration.

use std::sync::Arc;

use crate::base::secret_source::SecretSource;
use crate::config;
use crate::gitlab::{BuildError, Client, Options, TransportMetrics};

/// A client whose traffic `observer` sees. Without `limits` it has its own defaults.
pub fn client(
    gitlab: &config::GitLab,
    limits: Option<&config::Limits>,
    observer: Arc<dyn TransportMetrics>,
) -> Result<Client, BuildError> {
    let mut options = Options::new(gitlab.url.clone(), gitlab.token.clone());
    if let Some(warning) = gitlab.unencrypted_token() {
        tracing::warn!("{warning}");
    }
    let source = gitlab.token_file.clone();
    options.token_source = source.map(|file| file as Arc<dyn SecretSource>);
    options.certificates.clone_from(&gitlab.certificates);
    options.timeout = gitlab.timeout;
    options.requests_per_second = gitlab.requests_per_second;
    if let Some(limits) = limits {
        options.max_listing_bytes = limits.listing_bytes;
    }
    Client::new(options, observer)
}
