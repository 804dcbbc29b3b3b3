//! Where the report on the daemon itself comes from, besides the state.

use std::sync::{Arc, Weak};

use super::journal::Journal;
use super::webhooks::Inbox;
use crate::config::{Config, Location, Setting};
use crate::gitlab::Client;

/// See the module. Of one configuration.
pub(super) struct ReportSources {
    pub(super) client: Client,
    pub(super) has_token: bool,
    pub(super) gitlab_url: String,
    pub(super) settings: Vec<Setting>,
    pub(super) store_kind: &'static str,
    pub(super) store_place: String,
    /// The queue ends with the service that owns it.
    pub(super) inbox: Option<Weak<Inbox>>,
    pub(super) journal: Arc<Journal>,
}

impl ReportSources {
    pub(super) fn of(
        config: &Config,
        client: Client,
        inbox: Option<&Arc<Inbox>>,
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
            inbox: inbox.map(Arc::downgrade),
            journal,
        }
    }

    /// Webhooks that wait; `None` if none are taken.
    pub(super) fn queued_webhooks(&self) -> Option<usize> {
        let inbox = self.inbox.as_ref()?;
        Some(inbox.upgrade().map_or(0, |inbox| inbox.queued()))
    }
}
