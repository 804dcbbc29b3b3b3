//! What a handler answers from.

use std::sync::Arc;

use ci_history::Timestamp;
use http::HeaderMap;

use super::form_token::Session;
use super::remedies::Remedies;
use super::response::Response;
use super::route_prefix::RoutePrefix;
use super::status::DaemonStatus;
use super::told::Told;
use crate::alerting::Monitor;
use crate::metrics::Exposition;

/// Answers a request.
pub(super) type Handler = fn(&Context, Head<'_>) -> Response;

/// The rendered metrics, the daemon and the time.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) exposition: Exposition,
    pub(super) status: Arc<dyn DaemonStatus>,
    pub(super) now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// `None` if remediation is off.
    pub(super) remedies: Option<Arc<Remedies>>,
    /// Prometheus and Alertmanager; `None` if neither is configured.
    pub(super) monitor: Option<Arc<Monitor>>,
    /// What they told for this request.
    pub(super) told: Told,
    pub(super) prefix: RoutePrefix,
}

impl Context {
    /// Answers, with links below the prefix.
    pub(super) fn answer(&self, handler: Handler, head: Head<'_>) -> Response {
        self.prefix.link(handler(self, head))
    }

    /// The browser that a page with forms is for; `None` if nobody may act.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<Session> {
        self.remedies.as_ref()?.session(headers)
    }
}

/// The head of a request, as far as handlers look at it.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
}
