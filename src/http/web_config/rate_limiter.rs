//! The token bucket of `rate_limit`.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::config::RateLimit;

/// When the bucket would be full, as far as requests have emptied it.
pub(in crate::http) struct RateLimiter(Mutex<Instant>);

impl RateLimiter {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Takes a token, if there is one.
    pub(super) fn admits(&self, limit: RateLimit) -> bool {
        let now = Instant::now();
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let burst = u32::try_from(limit.burst).unwrap_or(u32::MAX);
        let next = (*full_at).max(now).checked_add(limit.interval);
        let latest = now.checked_add(limit.interval.saturating_mul(burst));
        match next {
            Some(next) if latest.is_none_or(|latest| next <= latest) => {
                *full_at = next;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_admitted_and_then_one_request_in_each_interval() {
        let limiter = RateLimiter::new();
        let limit = RateLimit {
            interval: Duration::from_secs(1),
            burst: 3,
        };
        let admitted = |count: usize| (0..count).filter(|_| limiter.admits(limit)).count();
        assert_eq!(admitted(10), 3);
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(admitted(10), 1);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(admitted(10), 3);
    }
}
