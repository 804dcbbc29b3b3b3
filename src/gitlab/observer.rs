//! What the adapter tells about its traffic while it works, for whoever counts it.

use std::time::Duration;

use crate::base::api::{CircuitState, Endpoint};
use crate::model::Timestamp;

/// Hears of every request as it ends. All methods do nothing unless they are implemented.
///
/// The methods are called on the way of a request: they must return at once.
pub trait Observer: Send + Sync {
    /// One request ended after `elapsed`; `status_class` is `2xx` to `5xx`, or `error` where no
    /// whole answer came. Each attempt of a retried request is told.
    fn answered(&self, endpoint: Endpoint, status_class: &'static str, elapsed: Duration) {
        let _ = (endpoint, status_class, elapsed);
    }

    /// A request is going to be sent again; `reason` is that of [`Error::reason`](super::Error::reason).
    fn retried(&self, endpoint: Endpoint, reason: &'static str) {
        let _ = (endpoint, reason);
    }

    /// `RateLimit-Remaining`: requests left in GitLab's current window.
    fn budget_remaining(&self, remaining: u64) {
        let _ = remaining;
    }

    /// The circuit breaker has moved.
    fn circuit(&self, state: CircuitState) {
        let _ = state;
    }

    /// `Date`: GitLab's clock at the time of the answer.
    fn server_date(&self, date: Timestamp) {
        let _ = date;
    }
}

/// Nobody listens.
impl Observer for () {}
