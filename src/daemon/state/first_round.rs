//! How far the first round of polling is: for the log, the probes, the page and the metrics.

use std::time::Duration;

use tokio::time::Instant;

use super::shell::State;
use crate::base::human::span;
use crate::ingest::PollProgress;

/// How often the log tells the progress.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// The progress as it was told last.
#[derive(Clone, Default)]
pub(super) struct RoundProgress {
    pub(super) now: PollProgress,
    began: Option<Instant>,
    logged: Option<Instant>,
    was_over: bool,
    had_past: bool,
}

/// What the log is to say.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Nothing,
    UnderWay,
    Over,
    PastUnderWay,
    PastRead,
}

impl RoundProgress {
    /// Takes the progress; returns what the log is to say.
    fn note(&mut self, progress: PollProgress) -> News {
        self.now = progress;
        let at = Instant::now();
        if progress.projects == 0 {
            return News::Nothing;
        }
        self.began.get_or_insert(at);
        let is_due = at - *self.logged.get_or_insert(at) >= LOG_INTERVAL;
        let has_past = progress.with_past > 0;
        let news = if !progress.is_over {
            if is_due {
                News::UnderWay
            } else {
                News::Nothing
            }
        } else if !std::mem::replace(&mut self.was_over, true) {
            News::Over
        } else if !has_past && self.had_past {
            News::PastRead
        } else if has_past && is_due {
            News::PastUnderWay
        } else {
            News::Nothing
        };
        self.had_past = has_past && progress.is_over;
        if news != News::Nothing {
            self.logged = Some(at);
        }
        news
    }

    fn seconds(&self) -> f64 {
        self.began
            .map_or(0.0, |began| began.elapsed().as_secs_f64())
    }

    /// Time until the first round is over, if it goes on as it went; `None` while that is not known, and afterwards.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let PollProgress {
            projects, tried, ..
        } = self.now;
        if tried == 0 || self.now.is_over {
            return None;
        }
        let left = projects.saturating_sub(tried) as f64;
        Duration::try_from_secs_f64(self.seconds() / tried as f64 * left).ok()
    }
}

impl State {
    /// Takes how far polling is.
    pub(super) fn note_progress(&self, progress: PollProgress) {
        let waiting = progress.projects.saturating_sub(progress.tried);
        self.telemetry()
            .first_round(progress.tried, waiting, progress.with_past);
        let mut inner = self.lock();
        let news = inner.health.round.note(progress);
        if news == News::Nothing {
            return;
        }
        let round = inner.health.round.clone();
        let failing = inner.health.failures().count();
        drop(inner);
        self.log_progress(&news, &round, failing);
    }

    fn log_progress(&self, news: &News, round: &RoundProgress, failing: usize) {
        let jobs = self.telemetry().own_figures().jobs;
        let sources = self.report_sources.get();
        let last_minute = sources.map_or(0, |it| it.client.request_flow().last_minute);
        let rate = format!("{:.1} requests a second", last_minute as f64 / 60.0);
        let PollProgress {
            projects,
            tried,
            with_past,
            ..
        } = round.now;
        match news {
            News::UnderWay => {
                let left = round.time_left().map(|left| span(left.as_secs_f64()));
                let left = left.unwrap_or_else(|| "a time not known yet".to_owned());
                tracing::info!(
                    "first round: the newest pipelines of {tried} of {projects} projects are read, {failing} with errors, \
                     {jobs} jobs; {rate}, {left} left"
                );
            }
            News::Over => tracing::info!(
                "first round over after {}: {projects} projects, {failing} with errors, {jobs} jobs; the past of {with_past} \
                 projects is read from now on",
                span(round.seconds())
            ),
            News::PastUnderWay => tracing::info!(
                "the past of {with_past} projects is still to be read; {jobs} jobs, {rate}"
            ),
            News::PastRead => tracing::info!(
                "the past of all projects is read, {} after the start; {jobs} jobs",
                span(round.seconds())
            ),
            News::Nothing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(tried: usize, with_past: usize) -> PollProgress {
        PollProgress {
            projects: 4,
            tried,
            with_past,
            is_over: tried == 4,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_tells_the_progress_every_thirty_seconds_and_each_end_once() {
        let mut round = RoundProgress::default();
        assert_eq!(round.note(PollProgress::default()), News::Nothing);
        assert_eq!(round.note(progress(0, 0)), News::Nothing);
        assert_eq!(round.time_left(), None);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(round.note(progress(1, 0)), News::UnderWay);
        assert_eq!(round.time_left(), Some(Duration::from_secs(90)));
        assert_eq!(round.note(progress(3, 3)), News::Nothing);
        assert_eq!(round.note(progress(4, 3)), News::Over);
        assert_eq!(round.time_left(), None);
        assert_eq!(round.note(progress(4, 3)), News::Nothing);
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(round.note(progress(4, 1)), News::PastUnderWay);
        assert_eq!(round.note(progress(4, 0)), News::PastRead);
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(round.note(progress(4, 0)), News::Nothing);
    }
}
