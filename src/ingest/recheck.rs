//! When an unsettled pipeline is read again: with pauses that grow with its age and with each reading. No I/O.

use tokio::time::Instant;

use crate::base::DAY;
use ci_history::{PipelineObservation, Timestamp};

const HOUR: i64 = 60 * 60;

/// A pipeline is read every cycle until nothing has happened to it for so many seconds ..
const LIVELY: i64 = HOUR;

/// .. and longer while a runner works on it, or is asked to.
const RUNNING: i64 = 6 * HOUR;

/// Afterwards the pause is this part of its age ..
const PART_OF_AGE: i64 = 16;

/// .. and not longer than this.
const LONGEST_PAUSE: i64 = 6 * HOUR;

/// An unfinished pipeline of which webhooks tell nothing more is followed up after this part of its age while it is
/// lively, ..
const FOLLOWED_PART: i64 = 4;

/// .. and not within so many seconds, ..
const FOLLOWED_FIRST: i64 = 60;

/// .. or later than so many.
const FOLLOWED_LAST: i64 = 15 * 60;

/// A finished pipeline without the jobs that its status promises is doubted for so long after the first such reading.
const MISSING_FOR: i64 = 6 * HOUR;

/// A pipeline that shows trigger jobs only is read when it is so many times as old as at the reading before, ..
const HIDDEN_FACTOR: i64 = 4;

/// .. and not within so many seconds of it. Most such pipelines have no other jobs.
const HIDDEN_PAUSE: i64 = 20;

/// A finished pipeline whose children wait for a user is read for so long.
const WAITING_FOR: i64 = 7 * DAY;

/// A 404 on something that moved in so many last seconds may come from a replica that lags.
const REPLICA_LAG: i64 = 2 * 60;

/// The first pause of a pipeline that moved just now while none of its jobs did.
const UNEXPLAINED_PAUSE: i64 = 8;

/// GitLab moves a pipeline so many seconds after the job that moves it, or sooner.
const STATUS_LAG: i64 = 10;

/// A replica of this age shows all jobs of a pipeline, or none.
const CREATION_LAG: i64 = 10;

/// Why a pipeline is read again although no listing shows that it moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A runner works on it or on a child, or is asked to.
    Running,
    /// It has not ended, and no runner is asked to work on it.
    Moving,
    /// It has ended, and its children wait for a user.
    Waiting,
    /// It has ended, and some of its jobs have not.
    Unsettled,
    /// It has ended, and the jobs that explain its status are missing.
    Missing,
    /// It has ended, and nothing that is listed explains its last movement.
    Unexplained,
    /// It has ended, and shows trigger jobs only.
    Hidden,
    /// Attempts that are known are not listed.
    Unlisted,
    /// Attempts were withdrawn just now.
    Withdrawn,
    /// It could not be read.
    Failing,
}

/// The readings of one pipeline since it last moved.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings {
    count: u32,
    /// By GitLab's clock and by ours: one of them may stand still or be set back.
    last: Option<(Timestamp, Instant)>,
    /// The last time at which something happened to the pipeline or its jobs.
    moved: Option<Timestamp>,
    /// The first reading in a row that was in doubt, by both clocks.
    doubted: Option<(Timestamp, Instant)>,
}

impl Reason {
    /// Seconds until the next reading after one at this age.
    fn pause(self, age: i64, readings: u32) -> i64 {
        let doubling = doubling(readings);
        let share = age / PART_OF_AGE;
        match self {
            Self::Running | Self::Moving if age < self.lively() => 0,
            Self::Running | Self::Moving => share.min(LONGEST_PAUSE),
            Self::Waiting => share.max(doubling),
            Self::Unsettled | Self::Missing => share.max(doubling).min(LONGEST_PAUSE),
            Self::Unexplained if readings <= 1 => UNEXPLAINED_PAUSE,
            Self::Unexplained => (REPLICA_LAG - age).max(UNEXPLAINED_PAUSE),
            Self::Hidden => (age.saturating_mul(HIDDEN_FACTOR - 1)).max(HIDDEN_PAUSE),
            Self::Unlisted => doubling.min(LONGEST_PAUSE),
            Self::Withdrawn => 1,
            // Most errors are over soon.
            Self::Failing => (doubling / 4).min(LONGEST_PAUSE),
        }
    }

    /// Seconds until an unfinished pipeline of this age is followed up, where cycles are rare.
    fn follow_up(self, age: i64, readings: u32) -> i64 {
        if age < self.lively() {
            (age / FOLLOWED_PART).clamp(FOLLOWED_FIRST, FOLLOWED_LAST)
        } else {
            self.pause(age, readings).max(FOLLOWED_FIRST)
        }
    }

    /// Seconds after a movement in which a pipeline is read every cycle.
    fn lively(self) -> i64 {
        match self {
            Self::Running => RUNNING,
            Self::Moving => LIVELY,
            _ => 0,
        }
    }

    /// Whether it counts how long the jobs were in doubt, and not how old the pipeline is.
    fn is_a_doubt_with_an_end(self) -> bool {
        matches!(self, Self::Missing | Self::Unexplained)
    }

    /// Whether a pipeline of this age is read no more until it moves.
    fn is_over(self, age: i64) -> bool {
        match self {
            Self::Waiting => age >= WAITING_FOR,
            Self::Missing | Self::Hidden => age >= MISSING_FOR,
            Self::Unexplained => age >= 2 * REPLICA_LAG,
            _ => false,
        }
    }
}

impl Readings {
    /// A pipeline that the saved state knows. An old one keeps its place in the sequence of readings, so that a
    /// restart reads none of them at once.
    pub(super) fn resumed(moved: Option<Timestamp>, now: Timestamp) -> Self {
        let mut readings = Self {
            moved,
            ..Self::default()
        };
        let age = readings.age(now);
        if age >= DAY {
            let pause = Reason::Moving.pause(age, 0).max(1);
            let last = Timestamp::of_clock(now.unix() - age % pause);
            readings.last = Some((last, Instant::now()));
        }
        readings
    }

    /// A reading begins, which may fail.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.last = Some((now, Instant::now()));
    }

    /// Whether the reading that is noted next is in doubt. The pauses begin anew with the first one.
    pub(super) fn doubt(&mut self, is_in_doubt: bool, now: Timestamp) {
        if !is_in_doubt {
            self.doubted = None;
        } else if self.doubted.is_none() {
            self.doubted = Some((now, Instant::now()));
            self.count = 0;
        }
    }

    /// The pipeline was read.
    pub(super) fn note(&mut self, now: Timestamp) {
        self.count = self.count.saturating_add(1);
        self.begin(now);
        self.moved.get_or_insert(now);
    }

    /// Something happened at this time; the pauses begin anew if it is news.
    pub(super) fn moved_at(&mut self, at: Option<Timestamp>) {
        if at > self.moved {
            self.moved = at;
            self.count = self.count.min(1);
        }
    }

    fn age(&self, now: Timestamp) -> i64 {
        self.moved.map_or(0, |moved| seconds_between(moved, now))
    }

    /// Seconds until the next reading. A reading by a clock that was ahead does not count.
    pub(super) fn due_in(&self, reason: Reason, now: Timestamp) -> i64 {
        let Some((last, at)) = self.last.filter(|(last, _)| *last <= now) else {
            return 0;
        };
        let age = match reason {
            // The age of the pipeline says nothing about the age of the doubt.
            Reason::Unsettled | Reason::Missing if self.doubted.is_some() => 0,
            _ => self.age(last),
        };
        let pause = reason.pause(age, self.count);
        (pause - seconds_between(last, now).max(own_seconds_since(at))).max(0)
    }

    /// Seconds until the pipeline is followed up. It is overdue if its end must have come, or comes soon.
    pub(super) fn follow_up_in(&self, reason: Reason, is_overdue: bool, now: Timestamp) -> i64 {
        let Some((last, at)) = self.last.filter(|(last, _)| *last <= now) else {
            return 0;
        };
        let mut pause = reason.follow_up(self.age(last), self.count);
        if is_overdue {
            pause = pause.min(doubling(self.count));
        }
        (pause - seconds_between(last, now).max(own_seconds_since(at))).max(0)
    }

    /// The pauses begin anew.
    pub(super) fn begin_anew(&mut self) {
        self.count = 0;
    }

    /// Whether the pipeline is read every cycle.
    pub(super) fn is_lively(&self, reason: Reason, now: Timestamp) -> bool {
        self.age(now) < reason.lively()
    }

    /// See [`Reason::is_over`]. A doubt about missing jobs has its own age. GitLab's clock, which may jump, does not
    /// end it before the time for which a replica may lag has passed by ours.
    pub(super) fn is_over(&self, reason: Reason, now: Timestamp) -> bool {
        let doubted = self.doubted.filter(|_| reason.is_a_doubt_with_an_end());
        let age = match doubted {
            None => self.age(now),
            Some((since, at)) => match own_seconds_since(at) {
                own if own < REPLICA_LAG => own,
                own => own.max(seconds_between(since, now)),
            },
        };
        reason.is_over(age)
    }
}

/// Whether a 404 on something that last moved then says "not yet there".
pub(super) fn may_lag(moved: Option<Timestamp>, now: Timestamp) -> bool {
    moved.is_some_and(|moved| seconds_between(moved, now) < REPLICA_LAG)
}

/// Whether something happened so shortly before or after now that a replica that lags may not show it.
pub(super) fn is_recent(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| at.unix().abs_diff(now.unix()) < REPLICA_LAG.unsigned_abs())
}

/// Whether a pipeline moved just now, and none of its jobs, which last moved then. A replica that lags shows such jobs,
/// and they need not contradict the status: of two failed jobs, one passed when it was run again.
pub(super) fn is_unexplained(
    pipeline: &PipelineObservation,
    jobs_moved: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let (Some(updated), Some(moved)) = (pipeline.updated_at, jobs_moved) else {
        return false;
    };
    let explained = pipeline.created_at.max(Some(moved));
    let is_explained = explained.is_some_and(|at| seconds_between(at, updated) <= STATUS_LAG);
    is_recent(Some(updated), now) && !is_explained
}

/// Whether a list of a pipeline created then may lack jobs that were created with it.
pub(super) fn may_lack_jobs(created: Option<Timestamp>, now: Timestamp) -> bool {
    created.is_some_and(|created| seconds_between(created, now) < CREATION_LAG)
}

/// Seconds that double with each reading.
fn doubling(readings: u32) -> i64 {
    1 << readings.saturating_sub(1).min(30)
}

fn own_seconds_since(at: Instant) -> i64 {
    i64::try_from(at.elapsed().as_secs()).unwrap_or(i64::MAX)
}

fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.unix().saturating_sub(from.unix()).max(0)
}

#[cfg(test)]
mod tests;
