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

/// A client for the same GitLab, with the token that acts.
pub(super) fn acting_client(
    gitlab: &config::GitLab,
    remediation: &config::Remediation,
    limits: &config::Limits,
    observer: Arc<dyn TransportMetrics>,
) -> Result<Client, BuildError> {
    let token = remediation.token.clone();
    let token_file = remediation.token_file.clone();
    // In the mode `report` the token that reads is enough.
    let has_own = token.is_some() || token_file.is_some();
    let acting = config::GitLab {
        token: if has_own { token } else { gitlab.token.clone() },
        token_file: if has_own {
            token_file
        } else {
            gitlab.token_file.clone()
        },
        ..gitlab.clone()
    };
    client(&acting, Some(limits), observer)
}
