//! Reading the logs of jobs that newly fail: a few a minute, one after the other, beside polling.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::state::State;
use crate::config::Classification;
use crate::gitlab::{Client, Error, ErrorKind, LogTail};
use crate::metrics::LogRead;
use crate::model::{FailureClass, LogFinding, LogRules, LogText, TimelineKey, TimelineRows};

/// Logs that wait at most. One that finds no room is wanted again when its timeline changes.
const LONGEST_QUEUE: usize = 1000;

/// How often one log is tried while GitLab does not answer.
const TRIES: u32 = 3;

/// How long nothing is read after GitLab did not answer.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// How long nothing is read of a project whose logs the token may not see.
const PAUSE_OF_PROJECT: Duration = Duration::from_hours(1);

/// Attempts that are remembered as given up.
const REMEMBERED: usize = 10_000;

/// A log that is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedLog {
    pub(super) key: TimelineKey,
    /// Name of the job's history.
    pub(super) job: Arc<str>,
    pub(super) pipeline_id: u64,
    /// The attempt.
    pub(super) job_id: u64,
    pub(super) failure_reason: Option<Arc<str>>,
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
    /// Attempts in the queue or being read.
    known: HashSet<u64>,
    /// Attempts whose logs are not tried again.
    given_up: HashSet<u64>,
}

impl LogQueue {
    /// Takes in the failures whose logs were not read yet.
    pub(super) fn offer(&self, project_id: u64, rows: &TimelineRows) {
        let mut waiting = self.waiting();
        for row in &rows.jobs {
            let Some(failing) = row.figures.failing.as_ref().filter(|f| !f.log_was_read) else {
                continue;
            };
            let (Some(job_id), Some(pipeline_id)) = (failing.job_id, failing.pipeline_id) else {
                continue;
            };
            let is_known = waiting.known.contains(&job_id) || waiting.given_up.contains(&job_id);
            if is_known || waiting.queue.len() >= LONGEST_QUEUE {
                continue;
            }
            waiting.known.insert(job_id);
            waiting.queue.push_back(WantedLog {
                key: TimelineKey {
                    project_id,
                    ref_name: rows.ref_name.clone(),
                },
                job: row.name.clone(),
                pipeline_id,
                job_id,
                failure_reason: failing.failure_reason.clone(),
                tries: 0,
            });
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// How many logs wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().queue.len()
    }

    async fn next(&self) -> WantedLog {
        loop {
            if let Some(wanted) = self.waiting().queue.pop_front() {
                return wanted;
            }
            self.filled.notified().await;
        }
    }

    /// Puts back one that was never asked for.
    fn put_back(&self, wanted: WantedLog) {
        self.waiting().queue.push_back(wanted);
    }

    fn again(&self, mut wanted: WantedLog) {
        wanted.tries += 1;
        if wanted.tries < TRIES {
            self.waiting().queue.push_back(wanted);
        } else {
            self.give_up(&wanted);
        }
    }

    fn give_up(&self, wanted: &WantedLog) {
        let mut waiting = self.waiting();
        waiting.known.remove(&wanted.job_id);
        if waiting.given_up.len() >= REMEMBERED {
            waiting.given_up.clear();
        }
        waiting.given_up.insert(wanted.job_id);
    }

    /// Done with, or not wanted now: it may be offered again.
    fn forget(&self, wanted: &WantedLog) {
        self.waiting().known.remove(&wanted.job_id);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the logs that wait.
pub(super) struct LogReader {
    pub(super) client: Client,
    pub(super) state: Arc<State>,
    rules: LogRules,
    /// From the beginning of one reading to that of the next.
    pause: Duration,
    /// Projects whose logs the token may not see, and until when they are left alone.
    closed: HashMap<u64, Instant>,
}

impl LogReader {
    pub(super) fn new(client: Client, state: Arc<State>, how: &Classification) -> Self {
        let a_minute = u32::try_from(how.log_reads_per_minute).unwrap_or(u32::MAX);
        Self {
            client,
            state,
            rules: how.rules.clone(),
            pause: Duration::from_mins(1) / a_minute.max(1),
            closed: HashMap::new(),
        }
    }

    /// Reads until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.read_all() => {}
        }
    }

    async fn read_all(&mut self) {
        let telemetry = self.state.exposition.telemetry().clone();
        let state = Arc::clone(&self.state);
        loop {
            let wanted = state.logs.next().await;
            telemetry.logs_waiting(state.logs.len());
            if self.is_closed(wanted.key.project_id) || !state.wants_log(&wanted) {
                state.logs.forget(&wanted);
                continue;
            }
            let next = Instant::now() + self.pause;
            let result = self
                .client
                .job_log(wanted.key.project_id, wanted.job_id)
                .await;
            match result {
                Ok(log) => {
                    telemetry.log_read(match log {
                        Some(_) => LogRead::Read,
                        None => LogRead::Missing,
                    });
                    let finding = look(self.rules.clone(), wanted.clone(), log).await;
                    state.log_was_read(&wanted, &finding);
                    state.logs.forget(&wanted);
                }
                Err(error) => self.failed(wanted, &error).await,
            }
            sleep_until(next).await;
        }
    }

    fn is_closed(&self, project_id: u64) -> bool {
        self.closed
            .get(&project_id)
            .is_some_and(|until| Instant::now() < *until)
    }

    async fn failed(&mut self, wanted: WantedLog, error: &Error) {
        let logs = &self.state.logs;
        let is_unasked = error.attempts() == 0 && error.is_retryable();
        if let Some(wait) = held_back_for(error.kind(), is_unasked) {
            tracing::debug!("a log is not read yet: {error}");
            logs.put_back(wanted);
            sleep(wait).await;
            return;
        }
        let telemetry = self.state.exposition.telemetry();
        telemetry.log_read(LogRead::Failed);
        if matches!(
            error.kind(),
            ErrorKind::Unauthorized(_) | ErrorKind::Forbidden(_)
        ) {
            logs.forget(&wanted);
            let until = Instant::now() + PAUSE_OF_PROJECT;
            if self.closed.insert(wanted.key.project_id, until).is_none() {
                tracing::warn!("logs of this project's jobs cannot be read: {error}");
            }
            return;
        }
        tracing::debug!("a log was not read: {error}");
        if !error.is_retryable() {
            logs.give_up(&wanted);
            return;
        }
        logs.again(wanted);
        sleep(PAUSE_AFTER_FAILURE).await;
    }
}

/// How long to wait with a log that was not asked for, or not at its turn; `None` where GitLab answered, or
/// could not be reached.
fn held_back_for(fault: &ErrorKind, is_unasked: bool) -> Option<Duration> {
    match fault {
        ErrorKind::CircuitOpen { retry_in } => Some(*retry_in),
        ErrorKind::RateLimited { retry_after } => Some(retry_after.unwrap_or(PAUSE_AFTER_FAILURE)),
        _ if is_unasked => Some(PAUSE_AFTER_FAILURE),
        _ => None,
    }
}

/// Classifies and masks, off the async threads: it takes its time.
async fn look(rules: LogRules, wanted: WantedLog, log: Option<LogTail>) -> LogFinding {
    let work = move || {
        let reason = wanted.failure_reason.as_deref();
        let mut finding = LogFinding {
            pipeline_id: wanted.pipeline_id,
            job_id: wanted.job_id,
            class: FailureClass::of_reason(reason),
            excerpt: None,
        };
        if let Some(log) = log {
            let text = LogText::read(&log.bytes, !log.cut_before);
            finding.class = rules.class(reason, text.unmasked());
            // Of a log that was not read to its end the last lines are not the last ones.
            finding.excerpt = text.excerpt().filter(|_| !log.cut_after);
        }
        finding
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(finding) => finding,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime ends, and with it whoever waits here.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> WantedLog {
        WantedLog {
            key: TimelineKey {
                project_id: 7,
                ref_name: "main".into(),
            },
            job: "unit".into(),
            pipeline_id: 1,
            job_id: 10,
            failure_reason: None,
            tries: 0,
        }
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

    #[test]
    fn a_log_waits_as_long_as_the_open_circuit_or_gitlab_says() {
        let told = Duration::from_secs(5);
        let open = ErrorKind::CircuitOpen { retry_in: told };
        assert_eq!(held_back_for(&open, true), Some(told));
        for (retry_after, wait) in [(Some(told), told), (None, PAUSE_AFTER_FAILURE)] {
            let limited = ErrorKind::RateLimited { retry_after };
            assert_eq!(held_back_for(&limited, false), Some(wait));
        }
        let late = ErrorKind::Timeout { after: told };
        assert_eq!(held_back_for(&late, true), Some(PAUSE_AFTER_FAILURE));
        assert_eq!(held_back_for(&late, false), None, "it was asked for");
    }
}
