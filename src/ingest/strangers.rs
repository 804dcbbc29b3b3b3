//! Pipelines of a project that webhooks named and that are not to be read: unknown to GitLab, or not watched.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::debounce::Debounce;

/// How long a pipeline that is not watched is not asked for again.
const NOT_WATCHED: Duration = Duration::from_mins(10);

/// The same for a pipeline that GitLab does not know, at first: a lagging replica may know it soon. Doubles
/// each time, up to [`NOT_WATCHED`].
const NOT_KNOWN: Duration = Duration::from_secs(2);

/// Pipelines that are remembered per project.
const REMEMBERED: usize = 1024;

/// Requests for pipelines that polling does not know: so many at once, then one in each interval.
const ASKED_AT_ONCE: u32 = 8;
const ASKED_EVERY: Duration = Duration::from_secs(10);

/// Pipelines not to be read, and the requests left to find out.
pub(super) struct Strangers {
    known: HashMap<u64, Stranger>,
    /// In the order in which they were first met.
    order: VecDeque<u64>,
    requests: Debounce,
}

struct Stranger {
    until: Instant,
    pause: Duration,
}

impl Strangers {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::new(),
            order: VecDeque::new(),
            requests: Debounce::spaced(ASKED_AT_ONCE, ASKED_EVERY),
        }
    }

    /// Whether a pipeline is not to be asked for now.
    pub(super) fn include(&self, pipeline: u64) -> bool {
        let stranger = self.known.get(&pipeline);
        stranger.is_some_and(|stranger| Instant::now() < stranger.until)
    }

    /// Takes one of the requests; false if none is left now.
    pub(super) fn may_ask(&mut self) -> bool {
        self.requests.try_take()
    }

    /// The pipeline is not watched.
    pub(super) fn not_watched(&mut self, pipeline: u64) {
        self.note(pipeline, NOT_WATCHED);
    }

    /// GitLab does not know the pipeline.
    pub(super) fn not_known(&mut self, pipeline: u64) {
        let before = self.known.get(&pipeline);
        let pause = before.map_or(NOT_KNOWN, |stranger| stranger.pause * 2);
        self.note(pipeline, pause.min(NOT_WATCHED));
    }

    fn note(&mut self, pipeline: u64, pause: Duration) {
        let until = Instant::now() + pause;
        let stranger = Stranger { until, pause };
        if self.known.insert(pipeline, stranger).is_none() {
            self.order.push_back(pipeline);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_unknown_pipeline_is_asked_for_ever_more_seldom() {
        let mut strangers = Strangers::new();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            strangers.not_known(7);
            let since = Instant::now();
            while strangers.include(7) {
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            pauses.push(since.elapsed().as_secs());
        }
        assert_eq!(pauses[..4], [2, 4, 8, 16]);
        assert_eq!(pauses.last(), Some(&600));
    }

    #[tokio::test(start_paused = true)]
    async fn random_ids_take_neither_memory_nor_requests_without_end() {
        let mut strangers = Strangers::new();
        let asked = (0..100_000).filter(|_| strangers.may_ask()).count();
        assert_eq!(asked, ASKED_AT_ONCE as usize);
        for id in 0..100_000 {
            strangers.not_watched(id);
        }
        assert_eq!(strangers.known.len(), REMEMBERED);
        assert_eq!(strangers.order.len(), REMEMBERED);
        assert!(strangers.include(99_999) && !strangers.include(0));
    }
}
