//! Takes how far the first round of polling is, and logs it.

use super::round_progress::{News, RoundProgress};
use super::shell::State;
use crate::base::human::span;
use crate::ingest::PollProgress;

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
