//! Reading the logs of jobs that newly fail: a few a minute, one after the other, beside polling.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::empty_log::EmptyLog;
use super::log_queue::WantedLog;
use super::own_secrets::OwnSecrets;
use super::state::State;
use crate::config::Classification;
use crate::gitlab::{Client, Error, ErrorKind, LogTail};
use crate::metrics::LogRead;
use ci_history::{FailureClass, LogFinding, LogRules, LogText, Masker};

/// How long nothing is read after GitLab did not answer.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// How long nothing is read of a project whose logs the token may not see.
const PAUSE_OF_PROJECT: Duration = Duration::from_hours(1);

/// GitLab refuses single logs to some roles, such as those of jobs with `CI_DEBUG_TRACE`. So many in a row concern the
/// project.
const MOST_REFUSED: u32 = 5;

/// What a reading comes to.
enum Reading {
    Done(LogRead, LogFinding),
    /// The log is empty, and may not be for long.
    Again(Duration),
}

/// Reads the logs in the queue of the state.
pub(super) struct LogReader {
    client: Client,
    state: Arc<State>,
    rules: LogRules,
    own: OwnSecrets,
    /// From the start of one reading to the start of the next.
    pause: Duration,
    /// Projects whose logs the token may not see, and until when they are skipped.
    closed: HashMap<u64, Instant>,
    /// Logs that the token may not see, in a row for each project.
    refused: HashMap<u64, u32>,
}

impl LogReader {
    pub(super) fn new(
        client: Client,
        state: Arc<State>,
        how: &Classification,
        own: OwnSecrets,
    ) -> Self {
        let a_minute = u32::try_from(how.log_reads_per_minute).unwrap_or(u32::MAX);
        Self {
            client,
            state,
            rules: how.rules.clone(),
            own,
            pause: Duration::from_mins(1) / a_minute.max(1),
            closed: HashMap::new(),
            refused: HashMap::new(),
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
        let state = Arc::clone(&self.state);
        let (telemetry, logs) = (state.telemetry(), &state.log_queue);
        loop {
            let wanted = logs.next().await;
            telemetry.logs_waiting(logs.len());
            if self.is_closed(wanted.key.project_id) || !state.wants_log(&wanted) {
                logs.forget(&wanted);
                continue;
            }
            let next = Instant::now() + self.pause;
            match self.read(&wanted).await {
                Ok(Reading::Again(pause)) => logs.read_later(wanted, pause),
                Ok(Reading::Done(result, finding)) => {
                    telemetry.log_read(result);
                    state.log_was_read(&wanted, &finding);
                    logs.forget(&wanted);
                    self.refused.remove(&wanted.key.project_id);
                }
                Err(error) => self.failed(wanted, &error).await,
            }
            sleep_until(next).await;
        }
    }

    /// Reads a log, and asks whether it was erased if it is empty.
    async fn read(&self, wanted: &WantedLog) -> Result<Reading, Error> {
        let (project, job) = (wanted.key.project_id, wanted.job_id);
        let missing = || Reading::Done(LogRead::Missing, unclassified(wanted));
        let Some(log) = self.client.job_log(project, job).await? else {
            return Ok(missing());
        };
        let (rules, failed) = (self.rules.clone(), wanted.clone());
        let masker = self.own.masker(&self.client);
        let work = move || classified(&rules, &masker, &failed, &log);
        let (text, finding) = off_thread(work).await;
        let now = self.state.clock.gitlab_now();
        let empty =
            (text.is_blank()).then(|| EmptyLog::judge(wanted.finished_at, wanted.was_empty, now));
        Ok(match empty {
            Some(_) if self.client.log_was_erased(project, job).await? => missing(),
            Some(EmptyLog::SaysNothing) => missing(),
            Some(EmptyLog::ReadAgain(pause)) => Reading::Again(pause),
            Some(EmptyLog::NeverRan) | None => Reading::Done(LogRead::Read, finding),
        })
    }

    fn is_closed(&self, project_id: u64) -> bool {
        self.closed
            .get(&project_id)
            .is_some_and(|until| Instant::now() < *until)
    }

    async fn failed(&mut self, wanted: WantedLog, error: &Error) {
        let state = Arc::clone(&self.state);
        let logs = &state.log_queue;
        let is_unasked = error.attempts() == 0 && error.is_retryable();
        if let Some(wait) = held_back_for(error.kind(), is_unasked) {
            tracing::debug!("a log is not read yet: {error}");
            logs.put_back(wanted);
            sleep(wait).await;
            return;
        }
        let telemetry = self.state.telemetry();
        telemetry.log_read(LogRead::Failed);
        if self.concerns_project(wanted.key.project_id, error) {
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

impl LogReader {
    /// Whether a failure meets the other logs of its project, too: the token is refused, or many logs in a row are.
    fn concerns_project(&mut self, project_id: u64, error: &Error) -> bool {
        if error.is_of_the_token() {
            return true;
        }
        if !matches!(error.kind(), ErrorKind::Forbidden(_)) {
            return false;
        }
        let refused = self.refused.entry(project_id).or_default();
        *refused += 1;
        let are_many = *refused >= MOST_REFUSED;
        if are_many {
            self.refused.remove(&project_id);
        }
        are_many
    }
}

/// How long to wait before a log that GitLab was not asked for, or does not give yet, is tried again; `None` if
/// GitLab answered, or could not be reached.
fn held_back_for(fault: &ErrorKind, is_unasked: bool) -> Option<Duration> {
    match fault {
        ErrorKind::CircuitOpen { retry_in } => Some(*retry_in),
        ErrorKind::RateLimited { retry_after, .. } => {
            Some(retry_after.unwrap_or(PAUSE_AFTER_FAILURE))
        }
        _ if is_unasked => Some(PAUSE_AFTER_FAILURE),
        _ => None,
    }
}

/// The finding about an attempt that has no log: by GitLab's reason alone.
fn unclassified(wanted: &WantedLog) -> LogFinding {
    LogFinding {
        pipeline_id: wanted.pipeline_id,
        job_id: wanted.job_id,
        class: FailureClass::of_reason(wanted.failure_reason.as_deref()),
        rule: None,
        excerpt: None,
    }
}

/// Classifies and masks.
fn classified(
    rules: &LogRules,
    masker: &Masker,
    wanted: &WantedLog,
    log: &LogTail,
) -> (LogText, LogFinding) {
    let text = LogText::read(&log.bytes, !log.cut_before);
    let (class, rule) = rules.class(wanted.failure_reason.as_deref(), text.unmasked());
    let pattern = rules.deciding_pattern(wanted.failure_reason.as_deref(), text.unmasked());
    let excerpt = text.excerpt(wanted.job_id, masker, pattern.as_ref());
    let finding = LogFinding {
        class,
        rule: rule.cloned(),
        // The last lines of a log that was cut short are not its last lines.
        excerpt: excerpt.filter(|_| !log.cut_after),
        ..unclassified(wanted)
    };
    (text, finding)
}

/// Does work that takes its time off the async threads.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime ends, and with it whoever waits here.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitlab::RateLimit;

    #[test]
    fn a_log_waits_as_long_as_the_open_circuit_or_gitlab_says() {
        let told = Duration::from_secs(5);
        let open = ErrorKind::CircuitOpen { retry_in: told };
        assert_eq!(held_back_for(&open, true), Some(told));
        for (retry_after, wait) in [(Some(told), told), (None, PAUSE_AFTER_FAILURE)] {
            let limited = ErrorKind::RateLimited {
                retry_after,
                told: RateLimit::Answer,
            };
            assert_eq!(held_back_for(&limited, false), Some(wait));
        }
        let late = ErrorKind::Timeout { after: told };
        assert_eq!(held_back_for(&late, true), Some(PAUSE_AFTER_FAILURE));
        assert_eq!(held_back_for(&late, false), None, "it was asked for");
    }
}
