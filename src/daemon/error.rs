//! Why the daemon or a backfill failed.

use std::io;

use crate::gitlab::BuildError;
use crate::http::{BindError, WebConfigError};
use crate::store::StoreError;

/// Why the daemon did not start, or failed at its end.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The store of the state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address to serve on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// TLS and users of the server.
    #[error("the file of `web.config_file` cannot be used:\n{0}")]
    Web(#[from] WebConfigError),
    /// How to reach Prometheus and Alertmanager.
    #[error(transparent)]
    Monitor(#[from] crate::alerting::ClientError),
    /// How to reach GitLab.
    #[error(transparent)]
    GitLab(#[from] BuildError),
    /// The exporter's own metrics.
    #[error("cannot set up the exporter's own metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The operating system.
    #[error("cannot catch signals: {0}")]
    Signals(#[from] io::Error),
    /// The operating system's random numbers.
    #[error("cannot read random numbers: {0}")]
    Random(getrandom::Error),
    /// The past that a backfill is to write.
    #[error(transparent)]
    Past(#[from] super::backfill::PastError),
    /// The last changes were lost.
    #[error("the last changes are not saved: {0}")]
    NotSaved(#[source] StoreError),
}
