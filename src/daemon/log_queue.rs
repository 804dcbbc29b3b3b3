//! The logs of jobs that newly fail, waiting to be read.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use ci_history::{TimelineKey, TimelineRows, Timestamp};

/// Logs that wait at most. A log that finds no room is offered again when its timeline changes.
const LONGEST_QUEUE: usize = 1000;

/// How often one log is tried while GitLab does not answer.
const TRIES: u32 = 3;

/// Attempts that are remembered as given up.
const REMEMBERED: usize = 10_000;

/// The log of a failed attempt, to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedLog {
    pub(super) key: TimelineKey,
    /// Name of the job's history.
    pub(super) job: Arc<str>,
    pub(super) pipeline_id: u64,
    pub(super) job_id: u64,
    pub(super) failure_reason: Option<Arc<str>>,
    /// End of the attempt.
    pub(super) finished_at: Option<Timestamp>,
    /// Whether it was read before, and was empty.
    pub(super) was_empty: bool,
    tries: u32,
}

/// Logs that wait to be read, each once.
#[derive(Default)]
pub(super) struct LogQueue {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<WantedLog>,
    /// Empty logs, and when each is read again.
    later: BTreeMap<(Instant, u64), WantedLog>,
    /// Attempts in the queue or being read.
    known: HashSet<u64>,
    /// Attempts whose logs are not read.
    given_up: HashSet<u64>,
}

impl LogQueue {
    /// Takes the failures whose logs were not read yet. Returns whether there was room for all.
    pub(super) fn offer(&self, project_id: u64, rows: &TimelineRows) -> bool {
        let mut has_room = true;
        let mut waiting = self.waiting();
        for row in &rows.jobs {
            let Some(failing) = row.figures.failing.as_ref().filter(|f| !f.log_was_read) else {
                continue;
            };
            let (Some(job_id), Some(pipeline_id)) = (failing.job_id, failing.pipeline_id) else {
                continue;
            };
            let is_known = waiting.known.contains(&job_id) || waiting.given_up.contains(&job_id);
            if is_known {
                continue;
            }
            if waiting.queue.len() >= LONGEST_QUEUE {
                has_room = false;
                continue;
            }
            waiting.known.insert(job_id);
            waiting.queue.push_back(WantedLog {
                key: TimelineKey::new(project_id, rows.ref_name.clone())
                    .with_track(rows.track.clone()),
                job: row.name.clone(),
                pipeline_id,
                job_id,
                failure_reason: failing.failure_reason.clone(),
                finished_at: row.figures.window.last().and_then(|it| it.finished_at),
                was_empty: false,
                tries: 0,
            });
        }
        drop(waiting);
        self.filled.notify_one();
        has_room
    }

    /// How many logs wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().queue.len()
    }

    /// Waits for a log to read.
    pub(super) async fn next(&self) -> WantedLog {
        loop {
            let (wanted, due) = self.waiting().take(Instant::now());
            if let Some(wanted) = wanted {
                return wanted;
            }
            let filled = self.filled.notified();
            match due {
                // Due, or filled: both are looked up.
                Some(due) => timeout_at(due, filled).await.unwrap_or_default(),
                None => filled.await,
            }
        }
    }

    /// Puts an empty log back, to be read once more.
    pub(super) fn read_later(&self, wanted: WantedLog, pause: Duration) {
        let wanted = WantedLog {
            was_empty: true,
            ..wanted
        };
        let mut waiting = self.waiting();
        if waiting.later.len() < LONGEST_QUEUE {
            let key = (Instant::now() + pause, wanted.job_id);
            waiting.later.insert(key, wanted);
        } else {
            waiting.known.remove(&wanted.job_id);
        }
    }

    /// Puts a log back that was not asked for.
    pub(super) fn put_back(&self, wanted: WantedLog) {
        self.waiting().queue.push_back(wanted);
    }

    /// Puts a log back that could not be read, a few times.
    pub(super) fn again(&self, mut wanted: WantedLog) {
        wanted.tries += 1;
        if wanted.tries < TRIES {
            self.waiting().queue.push_back(wanted);
        } else {
            self.give_up(&wanted);
        }
    }

    /// Drops a log for good.
    pub(super) fn give_up(&self, wanted: &WantedLog) {
        let mut waiting = self.waiting();
        waiting.known.remove(&wanted.job_id);
        if waiting.given_up.len() >= REMEMBERED {
            waiting.given_up.clear();
        }
        waiting.given_up.insert(wanted.job_id);
    }

    /// Drops a log. It may be offered again.
    pub(super) fn forget(&self, wanted: &WantedLog) {
        self.waiting().known.remove(&wanted.job_id);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Takes the next log to read; also returns when an empty one is due.
    fn take(&mut self, now: Instant) -> (Option<WantedLog>, Option<Instant>) {
        let due = self.later.first_key_value().map(|((at, _), _)| *at);
        let wanted = if due.is_some_and(|at| at <= now) {
            self.later.pop_first().map(|(_, wanted)| wanted)
        } else {
            self.queue.pop_front()
        };
        (wanted, due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> WantedLog {
        WantedLog {
            key: TimelineKey::new(7, "main"),
            job: "unit".into(),
            pipeline_id: 1,
            job_id: 10,
            failure_reason: None,
            finished_at: None,
            was_empty: false,
            tries: 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_log_waits_for_its_time_and_holds_no_other_back() {
        const PAUSE: Duration = Duration::from_mins(5);
        let logs = LogQueue::default();
        let began = Instant::now();
        logs.read_later(wanted(), PAUSE);
        let other = WantedLog {
            job_id: 11,
            ..wanted()
        };
        logs.put_back(other.clone());
        assert_eq!(logs.next().await, other);
        assert_eq!(began.elapsed(), Duration::ZERO);
        let again = logs.next().await;
        assert_eq!((again.job_id, again.was_empty), (10, true));
        assert!(began.elapsed() >= PAUSE);
    }

    #[tokio::test]
    async fn a_log_that_was_never_asked_for_is_not_given_up_however_often_it_waits() {
        let logs = LogQueue::default();
        logs.put_back(wanted());
        for _ in 0..10 * TRIES {
            let next = logs.next().await;
            assert_eq!(next, wanted());
            logs.put_back(next);
        }
        for left in (0..TRIES).rev() {
            let next = logs.next().await;
            logs.again(next);
            assert_eq!(logs.len(), usize::from(left > 0));
        }
    }
}
