//! Exponential backoff, the only one of this program.
//!
//! By hand, as `backon` keeps the count of attempts inside a retry loop of its own; here circuit
//! breaker, saver and poller keep it between calls.

use std::time::Duration;

/// A pause that doubles with each failure up to a maximum, shortened by chance so that many clients
/// do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    jitter: f64,
}

impl Backoff {
    /// Starts at `first` and ends at `max`, or at `first` if that is longer. Without jitter.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            jitter: 0.0,
        }
    }

    /// Lets chance take away up to this share of each pause, 0 to 1.
    #[must_use]
    pub const fn with_jitter(self, share: f64) -> Self {
        Self {
            jitter: share,
            ..self
        }
    }

    /// The pause before retry number `retry`, counted from 0, before chance shortens it.
    pub fn ceiling(self, retry: u32) -> Duration {
        self.first
            .saturating_mul(2_u32.saturating_pow(retry))
            .min(self.max.max(self.first))
    }

    /// The pause before retry number `retry`, counted from 0. Tests fix the chance by
    /// [`fastrand::seed`].
    pub fn delay(self, retry: u32) -> Duration {
        self.ceiling(retry)
            .mul_f64(1.0 - self.jitter * fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(3));

    #[test]
    fn the_pause_doubles_up_to_its_maximum() {
        let ceilings: Vec<u128> = (0..5).map(|n| BACKOFF.ceiling(n).as_millis()).collect();
        assert_eq!(ceilings, [500, 1000, 2000, 3000, 3000]);
        assert_eq!(BACKOFF.ceiling(u32::MAX), Duration::from_secs(3));
        assert_eq!(BACKOFF.delay(1), BACKOFF.ceiling(1));
        let long = Backoff::new(Duration::from_mins(2), Duration::from_mins(1));
        assert_eq!(long.ceiling(3), Duration::from_mins(2));
    }

    #[test]
    fn chance_shortens_the_pause_over_the_whole_of_its_share() {
        fastrand::seed(7);
        let full = BACKOFF.with_jitter(1.0);
        let delays: Vec<Duration> = (0..1000).map(|_| full.delay(1)).collect();
        assert!(delays.iter().all(|delay| *delay <= full.ceiling(1)));
        let below_a_tenth = delays.iter().filter(|d| d.as_millis() < 100).count();
        assert!((50..200).contains(&below_a_tenth), "{below_a_tenth}");

        let tenth = BACKOFF.with_jitter(0.1);
        let shortest = tenth.ceiling(2).mul_f64(0.9);
        assert!((0..1000).all(|_| tenth.delay(2) >= shortest));
    }
}
