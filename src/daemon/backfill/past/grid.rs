//! The times at which samples are written: the multiples of the step.

use ci_history::Timestamp;
use serde::{Deserialize, Serialize};

/// Samples at every multiple of `step`, from `from` to `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::daemon::backfill) struct Grid {
    /// Seconds from one sample to the next, above 0.
    pub(super) step: i64,
    /// Seconds since the Unix epoch.
    pub(super) from: i64,
    /// Seconds since the Unix epoch.
    pub(super) until: i64,
}

impl Grid {
    /// The first step at or after a time.
    pub(super) fn at_or_after(self, time: Timestamp) -> i64 {
        let seconds = time.unix();
        seconds.div_euclid(self.step) + i64::from(seconds.rem_euclid(self.step) > 0)
    }

    /// The first step with samples.
    pub(super) fn first(self) -> i64 {
        self.at_or_after(Timestamp::of_clock(self.from))
    }

    /// The last step with samples.
    pub(super) fn last(self) -> i64 {
        self.until.div_euclid(self.step)
    }

    /// The time of a step, in seconds since the Unix epoch.
    pub(super) fn seconds(self, step: i64) -> i64 {
        step.saturating_mul(self.step)
    }

    /// The time of a step.
    pub(super) fn time(self, step: i64) -> Timestamp {
        Timestamp::of_clock(self.seconds(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_shows_at_the_next_step_and_never_before() {
        let grid = Grid {
            step: 300,
            from: 601,
            until: 1_199,
        };
        let step = |seconds| grid.at_or_after(Timestamp::of_clock(seconds));
        assert_eq!([step(600), step(601), step(900), step(-1)], [2, 3, 3, 0]);
        assert_eq!((grid.first(), grid.last()), (3, 3));
        assert_eq!(grid.time(3).unix(), 900);
    }
}
