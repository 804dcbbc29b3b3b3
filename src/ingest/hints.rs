//! Polling a project before its time, because a webhook says that something has happened there.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Wakes of a project that go without delay after a quiet time.
const AT_ONCE: u32 = 5;

/// Time between two wakes of a project under steady hints, unless its poll interval is shorter.
const EVERY: Duration = Duration::from_secs(5);

/// While the last hint is not older than this, silence means that nothing is going on.
const USUAL: Duration = Duration::from_hours(6);

/// What polling is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollHint {
    /// Nothing now.
    Nothing,
    /// The jobs of this pipeline if it had not ended, else everything.
    Pipeline(u64),
    /// Everything that moved.
    Everything,
}

/// Wakes the polling of projects. Clones share it.
#[derive(Clone, Default)]
pub struct Waker(Arc<Mutex<HashMap<u64, Arc<Calls>>>>);

/// The hints for one project.
#[derive(Default)]
pub(super) struct Calls {
    pending: Mutex<PendingHints>,
    news: Notify,
}

#[derive(Default)]
struct PendingHints {
    last: Option<Instant>,
    everything: bool,
    pipelines: BTreeSet<u64>,
}

/// What all hints since the last reading come to.
pub(super) enum Wanted {
    Everything,
    Pipelines(BTreeSet<u64>),
}

/// Spaces the wakes of one project. Hints that come too soon are merged, not dropped.
pub(super) struct Debounce {
    every: Duration,
    /// When the wakes so far are paid for, at one per `every`.
    even_at: Instant,
}

impl Waker {
    /// Something has happened in a watched project.
    pub fn wake(&self, project_id: u64, hint: PollHint) {
        self.of(project_id).note(hint);
    }

    pub(super) fn of(&self, project_id: u64) -> Arc<Calls> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(project_id).or_default())
    }
}

impl Calls {
    fn note(&self, hint: PollHint) {
        let mut pending = self.pending();
        pending.last = Some(Instant::now());
        match hint {
            PollHint::Nothing => return,
            PollHint::Pipeline(id) => {
                pending.pipelines.insert(id);
            }
            PollHint::Everything => pending.everything = true,
        }
        drop(pending);
        self.news.notify_one();
    }

    fn pending(&self) -> MutexGuard<'_, PendingHints> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether hints usually come when something happens.
    pub(super) fn are_usual(&self) -> bool {
        let pending = self.pending();
        pending.last.is_some_and(|last| last.elapsed() < USUAL)
    }

    /// Waits for a hint and until a wake is due. Cancel-safe.
    pub(super) async fn wanted(&self, debounce: &mut Debounce) -> Wanted {
        loop {
            let hinted = {
                let pending = self.pending();
                pending.everything || !pending.pipelines.is_empty()
            };
            if !hinted {
                self.news.notified().await;
                continue;
            }
            sleep_until(debounce.ready_at()).await;
            debounce.take();
            let mut pending = self.pending();
            let pipelines = std::mem::take(&mut pending.pipelines);
            return if std::mem::take(&mut pending.everything) {
                Wanted::Everything
            } else {
                Wanted::Pipelines(pipelines)
            };
        }
    }
}

impl Debounce {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            every: interval.min(EVERY),
            even_at: Instant::now(),
        }
    }

    fn ready_at(&self) -> Instant {
        let ahead = self.every * (AT_ONCE - 1);
        self.even_at.checked_sub(ahead).unwrap_or(self.even_at)
    }

    fn take(&mut self) {
        self.even_at = self.even_at.max(Instant::now()) + self.every;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_put_together_and_everything_includes_the_rest() {
        let waker = Waker::default();
        let calls = waker.of(7);
        assert!(!calls.are_usual());
        let mut debounce = Debounce::new(Duration::from_millis(1));
        for id in [3, 4, 3] {
            waker.wake(7, PollHint::Pipeline(id));
        }
        let Wanted::Pipelines(ids) = calls.wanted(&mut debounce).await else {
            panic!("only pipelines were asked for");
        };
        assert_eq!(ids, BTreeSet::from([3, 4]));
        waker.wake(7, PollHint::Pipeline(5));
        waker.wake(7, PollHint::Everything);
        let asked = calls.wanted(&mut debounce).await;
        assert!(matches!(asked, Wanted::Everything));
        assert!(calls.are_usual());
        waker.wake(7, PollHint::Nothing);
        let more = tokio::time::timeout(Duration::from_millis(20), calls.wanted(&mut debounce));
        assert!(more.await.is_err());
    }

    #[test]
    fn a_few_wakes_go_at_once_and_the_rest_at_their_distance() {
        let every = Duration::from_secs(3);
        let mut debounce = Debounce::new(every);
        for _ in 0..AT_ONCE {
            assert!(debounce.ready_at() <= Instant::now());
            debounce.take();
        }
        let first = debounce.ready_at();
        assert!(first > Instant::now() + every / 2);
        debounce.take();
        assert_eq!(debounce.ready_at(), first + every);
    }
}
