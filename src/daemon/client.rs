//! The client for the GitLab of a configuration.

use std::sync::Arc;
use std::time::Duration;

use crate::base::secret_source::SecretSource;
use crate::config;
use crate::gitlab::{BuildError, Client, Options, TransportMetrics};

/// Attempts of a request of a check, and the longest time for the pauses between them.
const ATTEMPTS: u32 = 2;
const PAUSES: Duration = Duration::from_secs(10);

/// A client whose traffic `observer` sees. Without `limits` it has its own defaults.
pub fn client(
    gitlab: &config::GitLab,
    limits: Option<&config::Limits>,
    observer: Arc<dyn TransportMetrics>,
) -> Result<Client, BuildError> {
    let mut options = options(gitlab);
    if let Some(warning) = gitlab.unencrypted_token() {
        tracing::warn!("{warning}");
    }
    if let Some(limits) = limits {
        options.max_listing_bytes = limits.listing_bytes;
    }
    Client::new(options, observer)
}

/// A client that soon gives up, for somebody who waits for the answer.
pub fn client_for_checks(
    gitlab: &config::GitLab,
    observer: Arc<dyn TransportMetrics>,
) -> Result<Client, BuildError> {
    let options = Options {
        max_attempts: ATTEMPTS,
        max_wait: PAUSES,
        ..options(gitlab)
    };
    Client::new(options, observer)
}

fn options(gitlab: &config::GitLab) -> Options {
    let mut options = Options::new(gitlab.url.clone(), gitlab.token.clone());
    let source = gitlab.token_file.clone();
    options.token_source = source.map(|file| file as Arc<dyn SecretSource>);
    options.certificates.clone_from(&gitlab.certificates);
    options.timeout = gitlab.timeout;
    options.requests_per_second = gitlab.requests_per_second;
    options
}

/// A client for the same GitLab, with the token that acts.
pub(super) fn acting_client(
    gitlab: &config::GitLab,
    remediation: &config::Remediation,
    limits: &config::Limits,
    observer: Arc<dyn TransportMetrics>,
) -> Result<Client, BuildError> {
    client(&acting_gitlab(gitlab, remediation), Some(limits), observer)
}

/// The same GitLab, with the token that acts.
pub fn acting_gitlab(gitlab: &config::GitLab, remediation: &config::Remediation) -> config::GitLab {
    let token = remediation.token.clone();
    let token_file = remediation.token_file.clone();
    // In the mode `report` the token that reads is enough.
    let has_own = token.is_some() || token_file.is_some();
    config::GitLab {
        token: if has_own { token } else { gitlab.token.clone() },
        token_file: if has_own {
            token_file
        } else {
            gitlab.token_file.clone()
        },
        ..gitlab.clone()
    }
}
