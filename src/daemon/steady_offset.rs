//! How far one clock is ahead of another, believed only as long as many samples agree. Pure.

use std::time::Duration;

/// Samples closer than this agree. Retention counts in days.
const TOLERANCE: i64 = 10 * 60;

/// Samples in a row that have to agree on a jump.
const SAMPLES: u32 = 20;

/// The offset between two clocks. A jump is suspect until enough samples in a row, over enough time, agree on it.
#[derive(Debug)]
pub(super) struct SteadyOffset {
    /// How long a jump has to hold.
    hold: Duration,
    /// The offset that is believed; `None` before the first.
    believed: Option<i64>,
    suspect: Option<Jump>,
}

#[derive(Debug)]
struct Jump {
    offset: i64,
    since: Duration,
    samples: u32,
}

/// What a sample says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The first of all, which nothing confirms yet.
    Unproved,
    /// As before.
    Steady,
    /// The first sample that differs, by so many seconds.
    Jumped(i64),
    /// It differs, as the ones before.
    Suspect,
    /// The jump has held, and is believed.
    Accepted,
    /// The jump is over.
    Returned,
}

impl SteadyOffset {
    /// `believed`: an offset that is known from elsewhere.
    pub(super) fn new(hold: Duration, believed: Option<i64>) -> Self {
        Self {
            hold,
            believed,
            suspect: None,
        }
    }

    /// The offset that is believed, in seconds.
    pub(super) fn believed(&self) -> Option<i64> {
        self.believed
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.suspect.is_some()
    }

    /// Believes an offset without proof: another source says the same.
    pub(super) fn believe(&mut self, offset: i64) {
        self.believed = Some(offset);
        self.suspect = None;
    }

    /// Takes a sample at a time of a clock that never jumps.
    pub(super) fn note(&mut self, offset: i64, at: Duration) -> Verdict {
        if self.believed.is_some_and(|it| agree(it, offset)) {
            // Clocks drift.
            self.believed = Some(offset);
            return match self.suspect.take() {
                Some(_) => Verdict::Returned,
                None => Verdict::Steady,
            };
        }
        let before = self.suspect.take();
        let was_suspect = before.is_some();
        let mut jump = before
            .filter(|jump| agree(jump.offset, offset))
            .unwrap_or(Jump {
                offset,
                since: at,
                samples: 0,
            });
        jump.samples += 1;
        if jump.samples >= SAMPLES && at.saturating_sub(jump.since) >= self.hold {
            self.believed = Some(offset);
            return Verdict::Accepted;
        }
        self.suspect = Some(jump);
        if was_suspect {
            return Verdict::Suspect;
        }
        match self.believed {
            Some(believed) => Verdict::Jumped(offset.saturating_sub(believed)),
            None => Verdict::Unproved,
        }
    }
}

fn agree(a: i64, b: i64) -> bool {
    a.abs_diff(b) <= TOLERANCE.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_mins(30);
    const DAYS_45: i64 = 45 * 24 * 3600;

    fn steady() -> SteadyOffset {
        SteadyOffset::new(HOLD, Some(0))
    }

    fn minutes(count: u64) -> Duration {
        Duration::from_mins(count)
    }

    #[test]
    fn one_wrong_node_of_three_is_never_believed() {
        let mut clock = steady();
        for sample in 0..10_000 {
            let offset = if sample % 3 == 0 { DAYS_45 } else { 2 };
            clock.note(offset, minutes(sample));
            assert_eq!(
                clock.believed(),
                Some(if offset == 2 {
                    2
                } else {
                    clock.believed().unwrap()
                })
            );
            assert!(clock.believed() < Some(TOLERANCE));
        }
    }

    #[test]
    fn a_jump_is_believed_after_twenty_samples_and_half_an_hour_and_not_before() {
        let mut clock = steady();
        assert_eq!(clock.note(DAYS_45, minutes(0)), Verdict::Jumped(DAYS_45));
        // Many samples in a short time prove nothing.
        for _ in 0..1000 {
            assert_eq!(clock.note(DAYS_45, minutes(29)), Verdict::Suspect);
        }
        assert_eq!(clock.believed(), Some(0));
        assert_eq!(clock.note(DAYS_45 + 3, minutes(30)), Verdict::Accepted);
        assert_eq!(clock.believed(), Some(DAYS_45 + 3));
        assert!(!clock.is_suspect());
        // Nor do few samples over a long time.
        for sample in 0..19 {
            clock.note(-DAYS_45, minutes(100 + sample * 10));
        }
        assert_eq!(clock.believed(), Some(DAYS_45 + 3));
        assert_eq!(clock.note(-DAYS_45, minutes(300)), Verdict::Accepted);
    }

    #[test]
    fn a_jump_that_goes_on_jumping_is_another_one() {
        let mut clock = steady();
        for sample in 0..1000_i64 {
            clock.note(DAYS_45 + sample * 3600, minutes(sample.unsigned_abs()));
        }
        assert_eq!(clock.believed(), Some(0));
        assert_eq!(clock.note(5, minutes(2000)), Verdict::Returned);
        assert_eq!(clock.note(5, minutes(2001)), Verdict::Steady);
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let mut clock = steady();
        for step in 0..1000 {
            assert_eq!(clock.note(step * 60, minutes(0)), Verdict::Steady);
        }
        assert_eq!(clock.believed(), Some(999 * 60));
    }

    #[test]
    fn without_a_believed_offset_the_first_one_has_to_hold_too() {
        let mut clock = SteadyOffset::new(HOLD, None);
        assert_eq!(clock.note(DAYS_45, minutes(0)), Verdict::Unproved);
        assert_eq!(clock.believed(), None);
        clock.believe(7);
        assert_eq!(clock.note(8, minutes(1)), Verdict::Steady);
    }
}
