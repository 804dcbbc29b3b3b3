//! Delivery of webhooks over HTTP.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

/// GitLab's default timeout for webhooks.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One webhook event.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// `Job Hook` or `Pipeline Hook`.
    pub event: &'static str,
    /// JSON payload.
    pub body: Value,
}

/// The receiver of webhooks.
#[derive(Clone)]
pub struct HookTarget {
    /// Full URL.
    pub url: String,
    /// Secret token, sent as `X-Gitlab-Token`.
    pub token: String,
}

impl fmt::Debug for HookTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookTarget")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Sends webhooks one after the other until the channel is closed.
pub(super) async fn deliver(target: HookTarget, mut hooks: mpsc::UnboundedReceiver<Hook>) {
    let builder = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
    let Ok(client) = builder.tls_certs_only([]).build() else {
        return;
    };
    while let Some(hook) = hooks.recv().await {
        let sent = client
            .post(&target.url)
            .header("X-Gitlab-Event", hook.event)
            .header("X-Gitlab-Token", &target.token)
            .header("Content-Type", "application/json")
            .body(hook.body.to_string());
        if let Err(error) = sent.send().await {
            tracing::debug!(%error, "a webhook was not delivered");
        }
    }
}
