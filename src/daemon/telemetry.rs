//! Counts the adapter's traffic in the exporter's own metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::gitlab_clock::GitLabClock;
use super::steady_offset::Verdict;
use crate::base::api::{CircuitState, Endpoint};
use crate::gitlab::TransportMetrics;
use crate::metrics::{Limit, Telemetry};
use ci_history::Timestamp;

/// Counts the adapter's traffic.
pub(super) struct Traffic {
    telemetry: Telemetry,
    clock: Arc<GitLabClock>,
    gitlab_jumps: JumpLog,
    own_jumps: JumpLog,
    jobs_cut_logged: AtomicBool,
    listing_cut_logged: AtomicBool,
}

impl Traffic {
    pub(super) fn new(telemetry: Telemetry, clock: Arc<GitLabClock>) -> Self {
        Self {
            telemetry,
            clock,
            gitlab_jumps: JumpLog::default(),
            own_jumps: JumpLog::default(),
            jobs_cut_logged: AtomicBool::new(false),
            listing_cut_logged: AtomicBool::new(false),
        }
    }
}

/// Logs a jump of a clock once, however often it jumps, until it is believed.
#[derive(Default)]
struct JumpLog {
    is_told: AtomicBool,
}

impl JumpLog {
    fn log(&self, clock: &str, verdict: Verdict) {
        match verdict {
            Verdict::Jumped(seconds) if !self.is_told.swap(true, Ordering::Relaxed) => {
                tracing::warn!(
                    "{clock} jumped by {seconds} s: no history is dropped by it until the jump has held for \
                     `clock_jump_hold`"
                );
            }
            Verdict::Accepted => {
                self.is_told.store(false, Ordering::Relaxed);
                tracing::warn!("{clock} has kept its jump: `retention` goes by it from now on");
            }
            _ => {}
        }
    }
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

    fn listing_cut(&self, subject: &str) {
        self.telemetry.limit_reached(Limit::ListingBytes, 1);
        if !self.listing_cut_logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "GitLab's list for {subject} has more bytes than `limits.listing_bytes`; its end is not read"
            );
        }
    }

    fn server_date(&self, date: Timestamp) {
        let sample = self.clock.note(date);
        #[expect(clippy::cast_precision_loss, reason = "seconds, far below 2^52")]
        self.telemetry.clock_offset(sample.offset as f64);
        let (gitlab, own) = self.clock.suspects();
        self.telemetry.clock_suspects(gitlab, own);
        self.gitlab_jumps.log("GitLab's clock", sample.gitlab);
        self.own_jumps.log("this machine's clock", sample.own);
    }
}
