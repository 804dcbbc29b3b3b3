//! The client for the GitLab of a configuration.

use std::sync::Arc;

use crate::config;
use crate::gitlab::{BuildError, Client, Options, TransportMetrics};

/// A client whose traffic `observer` sees.
pub fn client(
    gitlab: &config::GitLab,
    observer: Arc<dyn TransportMetrics>,
) -> Result<Client, BuildError> {
    let mut options = Options::new(gitlab.url.clone(), gitlab.token.clone());
    options.certificates.clone_from(&gitlab.certificates);
    options.timeout = gitlab.timeout;
    options.requests_per_second = gitlab.requests_per_second;
    Client::new(options, observer)
}
