//! Simulated time, which follows a clock at its speed or faster, or stands still.

use std::sync::Arc;
use std::time::Duration;

use ci_history::clock::{Clock, ManualClock};

use super::moment::Moment;

/// Start and speed of simulated time.
#[derive(Clone)]
pub struct Pace {
    /// The clock that drives simulated time.
    pub clock: Arc<dyn Clock>,
    /// The first simulated moment.
    pub start: Moment,
    /// Simulated seconds per second of the clock.
    pub speed: f64,
    /// Whether to follow the clock at its own speed after reaching it.
    pub catches_up: bool,
}

impl Pace {
    /// Time that stands at `start`; only [`super::Handle::advance`] moves it.
    pub fn still(start: Moment) -> Self {
        Self {
            clock: Arc::new(ManualClock::at_unix(0)),
            start,
            speed: 0.0,
            catches_up: false,
        }
    }

    /// The time of `clock`.
    pub fn follow(clock: Arc<dyn Clock>) -> Self {
        let start = clock.now().into();
        Self {
            clock,
            start,
            speed: 1.0,
            catches_up: false,
        }
    }

    /// Time that starts `behind` the clock and runs `speed` times as fast until it reaches the clock's
    /// time.
    pub fn catching_up(clock: Arc<dyn Clock>, behind: Duration, speed: f64) -> Self {
        let start = Moment::from(clock.now()) - behind;
        Self {
            clock,
            start,
            speed,
            catches_up: true,
        }
    }
}

/// Simulated time since its start.
pub(super) struct SimulatedClock {
    pace: Pace,
    origin: Moment,
    skipped: Duration,
}

impl SimulatedClock {
    pub(super) fn start(pace: Pace) -> Self {
        Self {
            origin: pace.clock.now().into(),
            pace,
            skipped: Duration::ZERO,
        }
    }

    /// Moves simulated time forward at once.
    pub(super) fn skip(&mut self, by: Duration) {
        self.skipped += by;
    }

    /// The present simulated time.
    pub(super) fn now(&self) -> Moment {
        let real = Moment::from(self.pace.clock.now());
        let passed = Duration::from_secs_f64(real.seconds_since(self.origin));
        let reached = self.pace.start + passed.mul_f64(self.pace.speed.max(0.0));
        let reached = if self.pace.catches_up {
            reached.min(real)
        } else {
            reached
        };
        reached + self.skipped
    }
}
