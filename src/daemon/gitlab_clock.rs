//! GitLab's clock, read from the `Date` of its answers, and how far it is proved.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use ci_history::Timestamp;
use ci_history::clock::Clock;
use tokio::time::Instant;

use super::steady_offset::{SteadyOffset, Verdict};

/// Our clock and GitLab's are right if they agree so far, in seconds.
const AGREEMENT: u64 = 10 * 60;

/// GitLab's clock and our own, both measured against one that never jumps.
pub(super) struct GitLabClock {
    clock: Arc<dyn Clock>,
    started: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Seconds by which GitLab's clock was ahead of ours in its last answer.
    last_offset: i64,
    /// GitLab's clock against the steady one.
    gitlab: SteadyOffset,
    /// Our clock against the steady one.
    own: SteadyOffset,
}

/// What an answer of GitLab said about the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockSample {
    /// Seconds by which GitLab's clock is ahead of ours.
    pub(super) offset: i64,
    pub(super) gitlab: Verdict,
    pub(super) own: Verdict,
}

impl GitLabClock {
    /// `hold`: how long a jump of a clock has to hold before it is believed.
    pub(super) fn new(clock: Arc<dyn Clock>, hold: Duration) -> Self {
        let own = SteadyOffset::new(hold, Some(seconds_of(&*clock)));
        Self {
            clock,
            started: Instant::now(),
            inner: Mutex::new(Inner {
                last_offset: 0,
                gitlab: SteadyOffset::new(hold, None),
                own,
            }),
        }
    }

    /// The time by our own clock.
    pub(super) fn local_now(&self) -> Timestamp {
        Timestamp::of_clock(self.local_seconds())
    }

    /// The time by GitLab's clock, as its last answer said. Nothing irreversible may go by it.
    pub(super) fn gitlab_now(&self) -> Timestamp {
        Timestamp::of_clock(self.local_seconds().saturating_add(self.lock().last_offset))
    }

    /// The time by GitLab's clock, as far as it is proved; `None` if it is not, or if it is suspect now.
    pub(super) fn proved_now(&self) -> Option<Timestamp> {
        let steady = self.steady().as_secs().cast_signed();
        let inner = self.lock();
        let is_suspect = inner.gitlab.is_suspect() || inner.own.is_suspect();
        let offset = inner.gitlab.believed().filter(|_| !is_suspect)?;
        Some(Timestamp::of_clock(steady.saturating_add(offset)))
    }

    /// The time by which replicas of one GitLab are compared: GitLab's as far as it is proved, before that the earlier one
    /// of ours and GitLab's. A replica whose own clock is ahead must not look as if it knew more than the others.
    pub(super) fn shared_now(&self) -> Timestamp {
        let unproved = || self.local_now().min(self.gitlab_now());
        self.proved_now().unwrap_or_else(unproved)
    }

    /// Whether a clock has jumped, and the jump is not believed yet: GitLab's and our own.
    pub(super) fn suspects(&self) -> (bool, bool) {
        let inner = self.lock();
        let gitlab = inner.gitlab.is_suspect() && inner.gitlab.believed().is_some();
        (gitlab, inner.own.is_suspect())
    }

    /// Takes note of GitLab's time.
    pub(super) fn note(&self, date: Timestamp) -> ClockSample {
        let steady = self.steady();
        let local = self.local_seconds();
        let since_start = steady.as_secs().cast_signed();
        let offset = date.unix().saturating_sub(local);
        let mut inner = self.lock();
        inner.last_offset = offset;
        let own = inner.own.note(local.saturating_sub(since_start), steady);
        let to_steady = date.unix().saturating_sub(since_start);
        let is_first = inner.gitlab.believed().is_none();
        if is_first && !inner.own.is_suspect() && offset.unsigned_abs() <= AGREEMENT {
            inner.gitlab.believe(to_steady);
        }
        let gitlab = inner.gitlab.note(to_steady, steady);
        ClockSample {
            offset,
            gitlab,
            own,
        }
    }

    fn steady(&self) -> Duration {
        self.started.elapsed()
    }

    fn local_seconds(&self) -> i64 {
        seconds_of(&*self.clock)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds_of(clock: &dyn Clock) -> i64 {
    let since = clock.now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
}

#[cfg(test)]
mod tests {
    use ci_history::clock::ManualClock;

    use super::*;

    const HOLD: Duration = Duration::from_mins(30);
    const NOW: u64 = 1_700_000_000;
    const DAY: u64 = 24 * 60 * 60;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::of_clock(seconds.cast_signed())
    }

    fn clock() -> (GitLabClock, ManualClock) {
        let own = ManualClock::at_unix(NOW);
        (GitLabClock::new(Arc::new(own.clone()), HOLD), own)
    }

    #[tokio::test(start_paused = true)]
    async fn two_clocks_that_agree_prove_each_other_at_once() {
        let (clock, _) = clock();
        assert_eq!(clock.proved_now(), None);
        clock.note(at(NOW + 3));
        assert_eq!(clock.proved_now(), Some(at(NOW + 3)));
    }

    #[tokio::test(start_paused = true)]
    async fn gitlabs_clock_is_proved_by_holding_where_ours_differs() {
        let (clock, own) = clock();
        for _ in 0..30 {
            clock.note(at(NOW + 9 * DAY + clock.steady().as_secs()));
            assert_eq!(clock.proved_now(), None);
            tokio::time::advance(Duration::from_mins(1)).await;
            own.advance(Duration::from_mins(1));
        }
        clock.note(at(NOW + 9 * DAY + 1800));
        assert_eq!(clock.proved_now(), Some(at(NOW + 9 * DAY + 1800)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_of_our_own_clock_does_not_move_gitlabs() {
        let (clock, own) = clock();
        clock.note(at(NOW));
        own.advance(Duration::from_hours(24 * 45));
        assert_eq!(clock.proved_now(), Some(at(NOW)), "before an answer came");
        let sample = clock.note(at(NOW + 1));
        assert_eq!(sample.gitlab, Verdict::Steady);
        assert_eq!(sample.own, Verdict::Jumped((45 * DAY).cast_signed()));
        assert_eq!(clock.suspects(), (false, true));
        assert_eq!(clock.proved_now(), None, "nothing goes by it meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn replicas_are_compared_by_a_clock_that_is_not_ahead_of_gitlabs() {
        let (clock, own) = clock();
        assert_eq!(clock.shared_now(), at(NOW), "before an answer came");
        clock.note(at(NOW - 2 * DAY));
        assert_eq!(clock.proved_now(), None);
        assert_eq!(clock.shared_now(), at(NOW - 2 * DAY), "ours is ahead");
        clock.note(at(NOW + 2 * DAY));
        assert_eq!(clock.shared_now(), at(NOW), "GitLab's is ahead");
        clock.note(at(NOW + 5));
        assert_eq!(clock.shared_now(), at(NOW + 5), "both agree");
        own.advance(Duration::from_hours(48));
        clock.note(at(NOW + 6));
        assert_eq!(clock.shared_now(), at(NOW + 6), "ours has jumped");
    }

    #[tokio::test(start_paused = true)]
    async fn a_date_that_jumps_is_followed_only_where_nothing_goes_by_it() {
        let (clock, _) = clock();
        clock.note(at(NOW));
        clock.note(at(NOW + 45 * DAY));
        assert_eq!(clock.gitlab_now(), at(NOW + 45 * DAY));
        assert_eq!(clock.proved_now(), None);
        clock.note(at(NOW));
        assert_eq!(clock.proved_now(), Some(at(NOW)));
    }
}
