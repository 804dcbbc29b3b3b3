//! Counts the adapter's traffic in the exporter's own metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::gitlab_clock::GitLabClock;
use crate::base::api::{CircuitState, Endpoint};
use crate::gitlab::TransportMetrics;
use crate::metrics::{Limit, Telemetry};
use ci_history::Timestamp;

/// Counts the adapter's traffic.
pub(super) struct Traffic {
    pub(super) telemetry: Telemetry,
    pub(super) clock: Arc<GitLabClock>,
    pub(super) jobs_cut_logged: AtomicBool,
}

impl TransportMetrics for Traffic {
    fn answered(&self, endpoint: Endpoint, status_class: &'static str, elapsed: Duration) {
        self.telemetry.api_request(endpoint, status_class, elapsed);
    }

    fn retried(&self, _: Endpoint, _: &'static str) {
        self.telemetry.api_retry();
    }

    fn budget_remaining(&self, remaining: u64) {
        self.telemetry.api_budget_remaining(remaining);
    }

    fn circuit(&self, state: CircuitState) {
        match state {
            CircuitState::Open if self.telemetry.circuit_is_closed() => tracing::warn!(
                "GitLab keeps failing: it is left alone but for a probe now and then, and what is shown \
                 gets old"
            ),
            CircuitState::Closed => tracing::info!("GitLab answers again"),
            _ => {}
        }
        self.telemetry.circuit_breaker(state);
    }

    fn jobs_cut(&self) {
        self.telemetry.limit_reached(Limit::JobsPerPipeline, 1);
        if !self.jobs_cut_logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a pipeline has more jobs than are read of one; the oldest attempts are left out"
            );
        }
    }

    fn server_date(&self, date: Timestamp) {
        let offset = self.clock.note(date);
        #[expect(clippy::cast_precision_loss, reason = "seconds, far below 2^52")]
        self.telemetry.clock_offset(offset as f64);
    }
}
