//! Where the report on the daemon itself comes from, besides the state.

use std::sync::Arc;

use super::journal::Journal;
use crate::config::{Config, Location, Setting};
use crate::gitlab::Client;

/// Counts something now.
pub(super) type Count = Box<dyn Fn() -> usize + Send + Sync>;

/// See the module. Of one configuration.
pub(super) struct ReportSources {
    pub(super) client: Client,
    pub(super) has_token: bool,
    pub(super) gitlab_url: String,
    pub(super) settings: Vec<Setting>,
    pub(super) store_kind: &'static str,
    pub(super) store_place: String,
    /// Counts the webhooks that wait; `None` if none are taken.
    pub(super) queued_webhooks: Option<Count>,
    pub(super) journal: Arc<Journal>,
}

impl ReportSources {
    pub(super) fn of(
        config: &Config,
        client: Client,
        queued_webhooks: Option<Count>,
        journal: Arc<Journal>,
    ) -> Self {
        Self {
            client,
            has_token: config.gitlab.token.is_some() || config.gitlab.token_file.is_some(),
            gitlab_url: config.gitlab.url.to_string(),
            settings: config.settings().to_vec(),
            store_kind: match config.store.location {
                Location::Directory(_) => "directory",
                Location::S3(_) => "s3",
            },
            store_place: config.store.location.to_string(),
            queued_webhooks,
            journal,
        }
    }
}
