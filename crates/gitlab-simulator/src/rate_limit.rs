//! Limits of requests per minute of simulated time.

use super::moment::Moment;

/// A limit of requests per minute of simulated time.
#[derive(Debug, Clone)]
pub(super) struct RateLimit {
    per_minute: u32,
    /// The present minute since the Unix epoch.
    window: i64,
    observed: u32,
}

impl RateLimit {
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            window: i64::MIN,
            observed: 0,
        }
    }

    /// Counts a request. False if it is over the limit.
    pub(super) fn count(&mut self, now: Moment) -> bool {
        let window = now.unix().div_euclid(60);
        if window != self.window {
            self.window = window;
            self.observed = 0;
        }
        self.observed = self.observed.saturating_add(1);
        self.observed <= self.per_minute
    }

    /// Start of the next minute, in seconds since the Unix epoch.
    pub(super) fn reset(now: Moment) -> i64 {
        (now.unix().div_euclid(60) + 1) * 60
    }

    pub(super) fn headers(&self, now: Moment) -> Vec<(&'static str, String)> {
        let reset = Self::reset(now);
        let remaining = self.per_minute.saturating_sub(self.observed);
        vec![
            ("ratelimit-limit", self.per_minute.to_string()),
            ("ratelimit-observed", self.observed.to_string()),
            ("ratelimit-remaining", remaining.to_string()),
            ("ratelimit-reset", reset.to_string()),
            ("ratelimit-resettime", Moment::from_unix(reset).http_date()),
        ]
    }
}
