//! Spaces the requests that webhooks cause in one project.

use std::time::Duration;

use tokio::time::Instant;

/// Readings of a project that go without delay after a quiet time.
const AT_ONCE: u32 = 10;

/// Time between two readings of a project under steady hints, unless its poll interval is shorter.
const EVERY: Duration = Duration::from_secs(5);

/// Spaces readings: a few at once, then one in each interval.
pub(super) struct Debounce {
    at_once: u32,
    every: Duration,
    /// When the readings so far are paid for, at one per `every`.
    even_at: Instant,
}

impl Debounce {
    /// For the readings of a project that is polled at this interval.
    pub(super) fn new(interval: Duration) -> Self {
        Self::spaced(AT_ONCE, interval.min(EVERY))
    }

    pub(super) fn spaced(at_once: u32, every: Duration) -> Self {
        Self {
            at_once,
            every,
            even_at: Instant::now(),
        }
    }

    /// When the next reading may begin. One that is not urgent leaves those at once to the others.
    pub(super) fn ready_at(&self, is_urgent: bool) -> Instant {
        let ahead = if is_urgent {
            self.every * (self.at_once - 1)
        } else {
            Duration::ZERO
        };
        self.even_at.checked_sub(ahead).unwrap_or(self.even_at)
    }

    pub(super) fn take(&mut self) {
        self.even_at = self.even_at.max(Instant::now()) + self.every;
    }

    /// Takes one that is ready; returns whether there was one.
    pub(super) fn try_take(&mut self) -> bool {
        let is_ready = self.ready_at(true) <= Instant::now();
        if is_ready {
            self.take();
        }
        is_ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_readings_go_at_once_and_the_rest_at_their_distance() {
        let every = Duration::from_secs(3);
        let mut debounce = Debounce::new(every);
        for _ in 0..AT_ONCE {
            assert!(debounce.try_take());
        }
        assert!(!debounce.try_take());
        let first = debounce.ready_at(true);
        assert!(first > Instant::now() + every / 2);
        debounce.take();
        assert_eq!(debounce.ready_at(true), first + every);
    }

    #[test]
    fn what_is_not_urgent_waits_until_all_before_are_paid_for() {
        let every = Duration::from_secs(3);
        let mut debounce = Debounce::new(every);
        assert!(debounce.ready_at(false) <= Instant::now());
        debounce.take();
        assert!(debounce.ready_at(true) <= Instant::now());
        assert!(debounce.ready_at(false) > Instant::now() + every / 2);
    }
}
