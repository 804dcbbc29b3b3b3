//! Faults of requests that change something: lost and slow answers, limits, and simultaneous retries.

use std::time::Duration;

use super::fault::Fault;
use super::moment::Moment;
use super::rate_limit::RateLimit;

/// The faults of requests that change something, besides those of all requests.
#[derive(Debug)]
pub struct WriteFaults {
    /// Share of these requests that get a fault, 0 to 1.
    pub probability: f64,
    /// The faults to choose from at random.
    pub kinds: Vec<Fault>,
    /// Time before GitLab does what was asked.
    pub delay_before: Duration,
    /// Time between GitLab's doing it and its answer.
    pub delay_after: Duration,
    /// Time between the check whether a job is retryable and its retry. Retries of one job that arrive
    /// within this time all succeed.
    pub race_window: Duration,
    limit: Option<RateLimit>,
    random: fastrand::Rng,
}

impl WriteFaults {
    pub(super) fn none(seed: u64) -> Self {
        Self {
            probability: 0.0,
            kinds: vec![Fault::Reset, Fault::AnswerLost],
            delay_before: Duration::ZERO,
            delay_after: Duration::ZERO,
            race_window: Duration::ZERO,
            limit: None,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Limits these requests per minute of simulated time, as GitLab's application limits do: 429 without
    /// headers. `None` removes the limit.
    pub fn limit_rate(&mut self, per_minute: Option<u32>) {
        self.limit = per_minute.map(RateLimit::new);
    }

    /// Counts a request. False if it is over the limit.
    pub(super) fn admit(&mut self, now: Moment) -> bool {
        self.limit.as_mut().is_none_or(|limit| limit.count(now))
    }

    pub(super) fn draw(&mut self) -> Option<Fault> {
        // Draws both numbers every time, so that the sequence depends on the seed alone.
        let chance = self.random.f64();
        let kind = self.random.usize(..self.kinds.len().max(1));
        let kind = self.kinds.get(kind).copied();
        kind.filter(|_| chance < self.probability)
    }
}
