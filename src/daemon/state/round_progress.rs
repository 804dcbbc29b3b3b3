//! How far the first round of polling is: for the log, the probes, the page and the metrics.

use std::time::Duration;

use tokio::time::Instant;

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
pub(super) enum News {
    Nothing,
    UnderWay,
    Over,
    PastUnderWay,
    PastRead,
}

impl RoundProgress {
    /// Takes the progress; returns what the log is to say.
    pub(super) fn note(&mut self, progress: PollProgress) -> News {
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

    /// Seconds since the first discovery.
    pub(super) fn seconds(&self) -> f64 {
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
