//! Counts the adapter's traffic in the exporter's own metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::gitlab_clock::GitLabClock;
use super::steady_offset::Verdict;
use crate::base::api::{CircuitState, Endpoint};
use crate::base::human::span;
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
    /// Whether there was nothing to jump from: the clocks differ since the start.
    is_first: AtomicBool,
}

impl JumpLog {
    /// `offset`: seconds by which GitLab's clock is ahead of ours.
    fn log(&self, clock: &str, verdict: Verdict, offset: i64) {
        match verdict {
            Verdict::Unproved if !self.is_told.swap(true, Ordering::Relaxed) => {
                self.is_first.store(true, Ordering::Relaxed);
                tracing::warn!(
                    "GitLab's clock is {} this machine's, and one of the two is wrong: no history is dropped by them until \
                     GitLab's has held for `clock_jump_hold`",
                    difference(offset)
                );
            }
            Verdict::Jumped(seconds) if !self.is_told.swap(true, Ordering::Relaxed) => {
                tracing::warn!(
                    "{clock} jumped by {seconds} s: no history is dropped by it until the jump has held for \
                     `clock_jump_hold`"
                );
            }
            Verdict::Steady if self.is_first.swap(false, Ordering::Relaxed) => {
                self.is_told.store(false, Ordering::Relaxed);
                tracing::info!("GitLab's clock and this machine's agree now");
            }
            Verdict::Accepted => {
                self.is_told.store(false, Ordering::Relaxed);
                if self.is_first.swap(false, Ordering::Relaxed) {
                    tracing::warn!(
                        "GitLab's clock has held, {} this machine's: `retention` goes by it from now on",
                        difference(offset)
                    );
                } else {
                    tracing::warn!("{clock} has kept its jump: `retention` goes by it from now on");
                }
            }
            _ => {}
        }
    }
}

/// By how much GitLab's clock differs from ours, in words.
fn difference(offset: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "seconds, far below 2^52")]
    let words = span(offset.unsigned_abs() as f64);
    let side = if offset < 0 { "behind" } else { "ahead of" };
    format!("{words} {side}")
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
        let offset = sample.offset;
        self.gitlab_jumps
            .log("GitLab's clock", sample.gitlab, offset);
        self.own_jumps
            .log("this machine's clock", sample.own, offset);
    }
}
