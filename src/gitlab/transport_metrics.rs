//! The events of the transport that are counted.

use std::time::Duration;

use ci_history::Timestamp;

use crate::base::api::{CircuitState, Endpoint};

/// Counts requests as they end. A method that is not implemented does nothing. The transport calls the
/// methods between requests: they must return at once.
pub trait TransportMetrics: Send + Sync {
    /// One request ended after `elapsed`; `status_class` is `2xx` to `5xx`, or `error` where no
    /// whole answer came. Called for each attempt.
    fn answered(&self, endpoint: Endpoint, status_class: &'static str, elapsed: Duration) {
        let _ = (endpoint, status_class, elapsed);
    }

    /// A request will be sent again, because of [`Error::reason`](super::Error::reason).
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

    /// A pipeline has more jobs than are read.
    fn jobs_cut(&self) {}

    /// A list has more bytes than are read. `subject` says whose list.
    fn listing_cut(&self, subject: &str) {
        let _ = subject;
    }

    /// `Date`: GitLab's clock at the time of the answer.
    fn server_date(&self, date: Timestamp) {
        let _ = date;
    }
}

/// Nobody listens.
impl TransportMetrics for () {}
