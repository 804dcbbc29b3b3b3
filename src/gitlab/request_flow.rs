//! How requests to GitLab go at this moment: rate, waiting requests, pauses.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How requests go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequestFlow {
    /// Most requests a second, as configured.
    pub per_second: f64,
    /// Most requests a second now: fewer while the budget that GitLab tells is spread.
    pub per_second_now: f64,
    /// Requests that were sent in the last minute.
    pub last_minute: u64,
    /// Requests that wait for their turn.
    pub waiting: usize,
    /// Rest of a pause that GitLab asked for.
    pub paused_for: Option<Duration>,
    /// Time until the circuit breaker lets a probe through; `None` while requests go.
    pub next_probe: Option<Duration>,
    /// Bytes of the largest list that was read, of all its pages together.
    pub largest_listing: usize,
}

/// Counts the requests of the last minute, second by second.
#[derive(Debug)]
pub(super) struct Meter {
    start: Instant,
    /// Second since the start, and its requests.
    seconds: Mutex<VecDeque<(u64, u64)>>,
}

/// Seconds that are counted.
const SPAN: u64 = 60;

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            seconds: Mutex::default(),
        }
    }

    pub(super) fn sent(&self) {
        let now = self.start.elapsed().as_secs();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        match seconds.back_mut() {
            Some((second, count)) if *second == now => *count += 1,
            _ => seconds.push_back((now, 1)),
        }
        drop_old(&mut seconds, now);
    }

    pub(super) fn last_minute(&self) -> u64 {
        let now = self.start.elapsed().as_secs();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        drop_old(&mut seconds, now);
        seconds.iter().map(|(_, count)| count).sum()
    }
}

fn drop_old(seconds: &mut VecDeque<(u64, u64)>, now: u64) {
    while seconds
        .front()
        .is_some_and(|(second, _)| second + SPAN <= now)
    {
        seconds.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_the_requests_of_the_last_minute_are_counted() {
        let meter = Meter::new();
        for _ in 0..3 {
            meter.sent();
        }
        tokio::time::advance(Duration::from_secs(59)).await;
        meter.sent();
        assert_eq!(meter.last_minute(), 4);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(meter.last_minute(), 1);
        tokio::time::advance(Duration::from_mins(5)).await;
        assert_eq!(meter.last_minute(), 0);
    }
}
