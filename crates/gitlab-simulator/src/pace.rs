//! How simulated time follows a clock: at its speed, faster, or not at all.

use std::sync::Arc;
use std::time::Duration;

use super::moment::Moment;
use ci_history::clock::{Clock, ManualClock};

/// Where simulated time starts and how fast it goes.
#[derive(Clone)]
pub struct Pace {
    /// The clock it follows.
    pub clock: Arc<dyn Clock>,
    /// The first moment.
    pub start: Moment,
    /// Simulated seconds per second of the clock.
    pub speed: f64,
    /// Goes at the clock's own speed once it has caught up with it.
    pub catches_up: bool,
}

impl Pace {
    /// Stands still at `start`; only [`super::Handle::advance`] moves it.
    pub fn still(start: Moment) -> Self {
        Self {
            clock: Arc::new(ManualClock::at_unix(0)),
            start,
            speed: 0.0,
            catches_up: false,
        }
    }

    /// Is `clock`'s time from now on.
    pub fn follow(clock: Arc<dyn Clock>) -> Self {
        let start = clock.now().into();
        Self {
            clock,
            start,
            speed: 1.0,
            catches_up: false,
        }
    }

    /// Starts so long before `clock`'s time, goes `speed` times as fast until it has caught up,
    /// and with the clock from then on.
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

/// A pace that is under way.
pub(super) struct Course {
    pace: Pace,
    origin: Moment,
    skipped: Duration,
}

impl Course {
    pub(super) fn begin(pace: Pace) -> Self {
        Self {
            origin: pace.clock.now().into(),
            pace,
            skipped: Duration::ZERO,
        }
    }

    /// Leaves out so much time.
    pub(super) fn skip(&mut self, by: Duration) {
        self.skipped += by;
    }

    /// The present simulated moment.
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
