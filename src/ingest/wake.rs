//! Polling a project before its time, because somebody said that something has happened there.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// How often a project is woken at once, after it was let alone for a while.
const AT_ONCE: u32 = 5;

/// Longest distance of two wakes in the long run.
const EVERY: Duration = Duration::from_secs(5);

/// While the last call is not older than this, silence means that nothing is going on.
const USUAL: Duration = Duration::from_hours(6);

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Nothing now.
    Nothing,
    /// The jobs of this pipeline, if it had not ended; else everything.
    Pipeline(u64),
    /// Everything that moved.
    Everything,
}

/// Wakes the polling of projects. Clones share it.
#[derive(Clone, Default)]
pub struct Waker(Arc<Mutex<HashMap<u64, Arc<Calls>>>>);

/// The calls for one project.
#[derive(Default)]
pub(super) struct Calls {
    heard: Mutex<Heard>,
    news: Notify,
}

#[derive(Default)]
struct Heard {
    last: Option<Instant>,
    everything: bool,
    pipelines: BTreeSet<u64>,
}

/// What all calls since the last look come to.
pub(super) enum Asked {
    Everything,
    Pipelines(BTreeSet<u64>),
}

/// Spaces the wakes of one project: what comes too soon is put together, not left out.
pub(super) struct Allowance {
    every: Duration,
    /// When as many have been used up as time has brought.
    even_at: Instant,
}

impl Waker {
    /// Somebody has heard of a watched project.
    pub fn wake(&self, project_id: u64, what: Wake) {
        self.of(project_id).note(what);
    }

    /// The calls for a project.
    pub(super) fn of(&self, project_id: u64) -> Arc<Calls> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(project_id).or_default())
    }
}

impl Calls {
    fn note(&self, what: Wake) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.last = Some(Instant::now());
        match what {
            Wake::Nothing => return,
            Wake::Pipeline(id) => {
                heard.pipelines.insert(id);
            }
            Wake::Everything => heard.everything = true,
        }
        drop(heard);
        self.news.notify_one();
    }

    /// Whether somebody usually tells when something happens.
    pub(super) fn are_usual(&self) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.last.is_some_and(|last| last.elapsed() < USUAL)
    }

    /// Waits for a call and until one is allowed. Loses nothing where it is dropped before its end.
    pub(super) async fn asked(&self, allowance: &mut Allowance) -> Asked {
        loop {
            let called = {
                let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.everything || !heard.pipelines.is_empty()
            };
            if !called {
                self.news.notified().await;
                continue;
            }
            sleep_until(allowance.ready_at()).await;
            allowance.take();
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            let pipelines = std::mem::take(&mut heard.pipelines);
            return if std::mem::take(&mut heard.everything) {
                Asked::Everything
            } else {
                Asked::Pipelines(pipelines)
            };
        }
    }
}

impl Allowance {
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
        let mut allowance = Allowance::new(Duration::from_millis(1));
        for id in [3, 4, 3] {
            waker.wake(7, Wake::Pipeline(id));
        }
        let Asked::Pipelines(ids) = calls.asked(&mut allowance).await else {
            panic!("only pipelines were asked for");
        };
        assert_eq!(ids, BTreeSet::from([3, 4]));
        waker.wake(7, Wake::Pipeline(5));
        waker.wake(7, Wake::Everything);
        let asked = calls.asked(&mut allowance).await;
        assert!(matches!(asked, Asked::Everything));
        assert!(calls.are_usual());
        waker.wake(7, Wake::Nothing);
        let more = tokio::time::timeout(Duration::from_millis(20), calls.asked(&mut allowance));
        assert!(more.await.is_err());
    }

    #[test]
    fn a_few_wakes_go_at_once_and_the_rest_at_their_distance() {
        let every = Duration::from_secs(3);
        let mut allowance = Allowance::new(every);
        for _ in 0..AT_ONCE {
            assert!(allowance.ready_at() <= Instant::now());
            allowance.take();
        }
        let first = allowance.ready_at();
        assert!(first > Instant::now() + every / 2);
        allowance.take();
        assert_eq!(allowance.ready_at(), first + every);
    }
}
