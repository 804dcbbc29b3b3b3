//! What the empty log of a failed job says. Pure.

use std::time::Duration;

use crate::base::DAY;
use ci_history::Timestamp;

/// GitLab moves a log to its final place some time after the job has ended. Meanwhile the log may be empty.
const SETTLES: i64 = 5 * 60;

/// Of an older log nobody knows whether the retention of the place has removed it.
const TRUSTED: i64 = DAY;

/// What to make of an empty log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EmptyLog {
    /// Read it again, after this time.
    ReadAgain(Duration),
    /// The job never got to its script.
    NeverRan,
    /// It says nothing.
    SaysNothing,
}

impl EmptyLog {
    /// `was_empty`: also when it was read before.
    pub(super) fn judge(finished_at: Option<Timestamp>, was_empty: bool, now: Timestamp) -> Self {
        let Some(finished_at) = finished_at else {
            return Self::SaysNothing;
        };
        let age = now.unix().saturating_sub(finished_at.unix());
        // The end of a job may lie in the future by a clock that is wrong.
        let left = (SETTLES - age).clamp(0, SETTLES);
        if age >= TRUSTED {
            Self::SaysNothing
        } else if left > 0 || !was_empty {
            Self::ReadAgain(Duration::from_secs(left.unsigned_abs()))
        } else {
            Self::NeverRan
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_log_is_believed_if_it_is_young_has_settled_and_was_read_twice() {
        let now = Timestamp::of_clock(1_700_000_000);
        let judge = |age: i64, was_empty| {
            let finished_at = Timestamp::of_clock(now.unix() - age);
            EmptyLog::judge(Some(finished_at), was_empty, now)
        };
        let again = |seconds| EmptyLog::ReadAgain(Duration::from_secs(seconds));
        assert_eq!(judge(10, false), again(290));
        assert_eq!(judge(299, true), again(1));
        assert_eq!(judge(-3600, true), again(300));
        assert_eq!(judge(300, false), again(0));
        assert_eq!(judge(300, true), EmptyLog::NeverRan);
        assert_eq!(judge(DAY - 1, true), EmptyLog::NeverRan);
        for was_empty in [false, true] {
            assert_eq!(judge(DAY, was_empty), EmptyLog::SaysNothing);
            assert_eq!(EmptyLog::judge(None, was_empty, now), EmptyLog::SaysNothing);
        }
    }
}
