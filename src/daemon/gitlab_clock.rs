//! GitLab's clock, read from the `Date` of its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::UNIX_EPOCH;

use ci_history::Timestamp;
use ci_history::clock::Clock;

/// Our clock, and how far GitLab's is ahead of it.
pub(super) struct GitLabClock {
    clock: Arc<dyn Clock>,
    /// Seconds.
    offset: AtomicI64,
    /// Whether an answer with a `Date` came.
    is_told: AtomicBool,
}

impl GitLabClock {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            offset: AtomicI64::new(0),
            is_told: AtomicBool::new(false),
        }
    }

    /// The time by our own clock.
    pub(super) fn local_now(&self) -> Timestamp {
        Timestamp::of_clock(self.local_seconds())
    }

    /// The time by GitLab's clock.
    pub(super) fn gitlab_now(&self) -> Timestamp {
        Timestamp::of_clock(self.local_seconds() + self.offset.load(Ordering::Relaxed))
    }

    /// Whether [`Self::gitlab_now`] is GitLab's time: before, it is a guess by our own clock.
    pub(super) fn is_told(&self) -> bool {
        self.is_told.load(Ordering::Acquire)
    }

    /// Takes note of GitLab's time; returns by how many seconds it is ahead.
    pub(super) fn note(&self, date: Timestamp) -> i64 {
        let offset = date.unix() - self.local_seconds();
        self.offset.store(offset, Ordering::Relaxed);
        self.is_told.store(true, Ordering::Release);
        offset
    }

    fn local_seconds(&self) -> i64 {
        let since = self.clock.now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs().cast_signed())
    }
}
