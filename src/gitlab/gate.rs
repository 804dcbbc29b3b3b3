//! When the next request may go: one rate and one pause for all clones of a client.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The longest period GitLab's limits are counted in by default; a longer pause is asked for again.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Spreads requests over time, and holds them while GitLab asked for a pause.
#[derive(Debug)]
pub(super) struct Gate {
    /// Distance between two requests in the long run.
    interval: Duration,
    /// How far requests may run ahead of that after a quiet time.
    burst: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next_slot: Instant,
    paused_until: Instant,
}

impl Gate {
    /// Lets through `per_second` requests, after a quiet second as many at once.
    pub(super) fn new(per_second: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(LONGEST_PAUSE);
        let now = Instant::now();
        Self {
            interval,
            burst: Duration::from_secs(1).saturating_sub(interval),
            state: Mutex::new(State {
                next_slot: now,
                paused_until: now,
            }),
        }
    }

    /// Waits for this request's turn; an error is the rest of a pause longer than `patience`.
    pub(super) async fn admit(&self, patience: Duration) -> Result<(), Duration> {
        loop {
            if let Some(end) = self.pause_end(patience)? {
                sleep_until(end).await;
                continue;
            }
            sleep_until(self.take_slot()).await;
            if self.pause_end(patience)?.is_none() {
                return Ok(());
            }
        }
    }

    /// Holds all requests from now on for `time`, or as long as an earlier call said.
    pub(super) fn pause(&self, time: Duration) {
        let end = Instant::now() + time.min(LONGEST_PAUSE);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.paused_until = state.paused_until.max(end);
    }

    fn pause_end(&self, patience: Duration) -> Result<Option<Instant>, Duration> {
        let now = Instant::now();
        let end = self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .paused_until;
        let left = end.saturating_duration_since(now);
        if left > patience {
            return Err(left);
        }
        Ok((end > now).then_some(end))
    }

    fn take_slot(&self) -> Instant {
        let now = Instant::now();
        let earliest = now.checked_sub(self.burst).unwrap_or(now);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = state.next_slot.max(earliest);
        state.next_slot = slot + self.interval;
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(2);

    #[tokio::test]
    async fn requests_keep_to_the_rate() {
        let gate = Gate::new(200.0);
        let start = Instant::now();
        for _ in 0..21 {
            gate.admit(PATIENCE).await.unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn less_than_one_request_a_second_is_a_rate_too() {
        let gate = Gate::new(0.5);
        let start = Instant::now();
        assert!(gate.take_slot() <= Instant::now());
        assert!(gate.take_slot() >= start + Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_pause_holds_everybody_until_it_ends() {
        let gate = Gate::new(f64::INFINITY);
        let start = Instant::now();
        gate.pause(Duration::from_millis(60));
        gate.pause(Duration::from_millis(5));
        let (one, two) = tokio::join!(gate.admit(PATIENCE), gate.admit(PATIENCE));
        assert_eq!((one, two), (Ok(()), Ok(())));
        assert!(start.elapsed() >= Duration::from_millis(60));
    }

    #[tokio::test]
    async fn a_pause_longer_than_the_patience_is_told_at_once() {
        let gate = Gate::new(1.0);
        gate.pause(Duration::from_hours(1));
        let left = gate.admit(PATIENCE).await.unwrap_err();
        assert!(left > Duration::from_mins(59), "{left:?}");
    }
}
