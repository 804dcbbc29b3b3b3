//! Pipelines that webhooks name, kept per project until polling reads them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::debounce::Debounce;

/// Hints of one pipeline that come within this time are one reading.
const GATHER: Duration = Duration::from_millis(20);

/// Pipelines of one project that wait to be read. Beyond them, everything that moved is read.
const MOST_PIPELINES: usize = 64;

/// While the last hint is not older than this, silence means that nothing is going on.
const USUAL: Duration = Duration::from_hours(6);

/// A pipeline that may have moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollHint {
    /// Its id, or the id of a child.
    pub pipeline: u64,
    /// Whether the pipeline itself moved, and not only a job of it.
    pub moved: bool,
    /// Whether somebody waits for it: something has ended.
    pub is_urgent: bool,
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
    /// When the last hint came.
    last: Option<Instant>,
    /// When the first hint since the last reading came.
    first: Option<Instant>,
    hinted: Hinted,
}

/// What all hints since the last reading come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hinted {
    pub(super) pipelines: BTreeMap<u64, Told>,
    /// There were more pipelines.
    pub(super) overflowed: bool,
    /// Whether somebody waits for one of them: something has ended.
    pub(super) is_urgent: bool,
}

/// What the hints of one pipeline say together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The pipeline itself moved, and not only a job of it.
    pub(super) moved: bool,
    /// The pipeline itself ended.
    pub(super) ended: bool,
}

impl Waker {
    /// Something has happened in a watched project. Without a hint nothing is to be read now.
    pub fn wake(&self, project_id: u64, hint: Option<PollHint>) {
        self.of(project_id).note(hint);
    }

    pub(super) fn of(&self, project_id: u64) -> Arc<Calls> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(project_id).or_default())
    }
}

impl Calls {
    fn note(&self, hint: Option<PollHint>) {
        let now = Instant::now();
        let mut pending = self.pending();
        pending.last = Some(now);
        let Some(hint) = hint else { return };
        pending.first.get_or_insert(now);
        pending.hinted.add(hint);
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

    /// Waits for a hint and until a reading is due. Cancel-safe.
    pub(super) async fn wanted(&self, debounce: &mut Debounce) -> Hinted {
        loop {
            let ready_at = {
                let pending = self.pending();
                let gathered = pending.first.map(|first| first + GATHER);
                gathered.map(|at| at.max(debounce.ready_at(pending.hinted.is_urgent)))
            };
            let Some(ready_at) = ready_at else {
                self.news.notified().await;
                continue;
            };
            tokio::select! {
                () = sleep_until(ready_at) => {}
                // It may be urgent.
                () = self.news.notified() => continue,
            }
            debounce.take();
            let mut pending = self.pending();
            pending.first = None;
            return std::mem::take(&mut pending.hinted);
        }
    }
}

impl Hinted {
    /// A pipeline that may have moved.
    pub(super) fn moved(pipeline: u64) -> Self {
        let told = Told {
            moved: true,
            ended: false,
        };
        Self {
            pipelines: BTreeMap::from([(pipeline, told)]),
            overflowed: false,
            is_urgent: true,
        }
    }

    /// The pipelines that ended themselves.
    pub(super) fn ended(&self) -> impl Iterator<Item = u64> {
        let ended = self.pipelines.iter().filter(|(_, told)| told.ended);
        ended.map(|(id, _)| *id)
    }

    fn add(&mut self, hint: PollHint) {
        self.is_urgent |= hint.is_urgent;
        let is_full = self.pipelines.len() >= MOST_PIPELINES;
        if is_full && !self.pipelines.contains_key(&hint.pipeline) {
            self.overflowed = true;
            return;
        }
        let told = self.pipelines.entry(hint.pipeline).or_default();
        told.moved |= hint.moved;
        told.ended |= hint.moved && hint.is_urgent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(pipeline: u64) -> PollHint {
        PollHint {
            pipeline,
            moved: false,
            is_urgent: true,
        }
    }

    fn debounce() -> Debounce {
        Debounce::new(Duration::from_millis(1))
    }

    #[tokio::test(start_paused = true)]
    async fn hints_of_a_moment_are_one_reading() {
        let waker = Waker::default();
        let calls = waker.of(7);
        assert!(!calls.are_usual());
        for id in [3, 4, 3] {
            waker.wake(7, Some(ended(id)));
        }
        let moved = PollHint {
            moved: true,
            ..ended(4)
        };
        waker.wake(7, Some(moved));
        let hinted = calls.wanted(&mut debounce()).await;
        let told = |is_told| Told {
            moved: is_told,
            ended: is_told,
        };
        let wanted = BTreeMap::from([(3, told(false)), (4, told(true))]);
        assert_eq!(hinted.pipelines, wanted);
        assert!(!hinted.overflowed && calls.are_usual());
        waker.wake(7, None);
        let mut debounce = debounce();
        let more = tokio::time::timeout(Duration::from_secs(1), calls.wanted(&mut debounce));
        assert!(more.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_pipelines_ask_for_everything() {
        let waker = Waker::default();
        for id in 1..=MOST_PIPELINES as u64 {
            waker.wake(7, Some(ended(id)));
        }
        waker.wake(7, Some(ended(1)));
        assert!(!waker.of(7).pending().hinted.overflowed);
        waker.wake(7, Some(ended(u64::MAX)));
        let hinted = waker.of(7).wanted(&mut debounce()).await;
        assert!(hinted.overflowed);
        assert_eq!(hinted.pipelines.len(), MOST_PIPELINES);
    }

    #[tokio::test(start_paused = true)]
    async fn an_urgent_hint_does_not_wait_behind_another_one() {
        let waker = Waker::default();
        let calls = waker.of(7);
        let every = Duration::from_secs(4);
        let mut debounce = Debounce::new(every);
        debounce.take();
        let began = Instant::now();
        let started = PollHint {
            is_urgent: false,
            ..ended(1)
        };
        waker.wake(7, Some(started));
        let later = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            waker.wake(7, Some(ended(2)));
        };
        let (hinted, ()) = tokio::join!(calls.wanted(&mut debounce), later);
        assert_eq!(hinted.pipelines.len(), 2);
        assert!(began.elapsed() < every / 2, "{:?}", began.elapsed());
    }
}
