//! Pipelines of a project that webhooks named and that are not to be read: unknown to GitLab, not moved, or not watched.
//!
//! A replica that lags may not show yet what a webhook tells. So GitLab is asked again, with growing pauses.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::debounce::Debounce;

/// How long a pipeline that is not watched is not asked for again.
const NOT_WATCHED: Duration = Duration::from_mins(10);

/// The same for a pipeline that GitLab does not show, or not to have moved, at first. Doubles each time, up to
/// [`NOT_WATCHED`].
const NOT_YET: Duration = Duration::from_secs(2);

/// After longer pauses no replica lags: GitLab is asked again only if another webhook came.
const LONGEST_LAG: Duration = Duration::from_mins(1);

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
    may_be_read: bool,
    /// Whether GitLab is asked again after the pause.
    is_awaited: bool,
}

impl Strangers {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::new(),
            order: VecDeque::new(),
            requests: Debounce::spaced(ASKED_AT_ONCE, ASKED_EVERY),
        }
    }

    /// A webhook named a pipeline. Returns whether it is not to be asked for now; it may be later.
    pub(super) fn include(&mut self, pipeline: u64) -> bool {
        let Some(stranger) = self.known.get_mut(&pipeline) else {
            return false;
        };
        let is_paused = Instant::now() < stranger.until;
        stranger.is_awaited = is_paused && stranger.may_be_read;
        is_paused
    }

    /// When GitLab is asked again for the next one.
    pub(super) fn ask_at(&self) -> Option<Instant> {
        let awaited = self.known.values().filter(|it| it.is_awaited);
        let first = awaited.map(|it| it.until).min()?;
        Some(first.max(self.requests.ready_at(true)))
    }

    /// A pipeline to ask GitLab for again now.
    pub(super) fn take_awaited(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.requests.ready_at(true) > now {
            return None;
        }
        let mut awaited = self.known.iter_mut();
        let (id, stranger) = awaited.find(|(_, it)| it.is_awaited && it.until <= now)?;
        stranger.is_awaited = false;
        Some(*id)
    }

    /// Takes one of the requests; false if none is left now.
    pub(super) fn may_ask(&mut self) -> bool {
        self.requests.try_take()
    }

    /// The pipeline is not watched.
    pub(super) fn not_watched(&mut self, pipeline: u64) {
        self.note(pipeline, NOT_WATCHED, false);
    }

    /// GitLab does not know the pipeline, or says that it has not moved.
    pub(super) fn not_yet(&mut self, pipeline: u64) {
        let before = self.known.get(&pipeline);
        let pause = before.map_or(NOT_YET, |stranger| stranger.pause * 2);
        self.note(pipeline, pause.min(NOT_WATCHED), true);
    }

    fn note(&mut self, pipeline: u64, pause: Duration, may_be_read: bool) {
        let stranger = Stranger {
            until: Instant::now() + pause,
            pause,
            may_be_read,
            is_awaited: may_be_read && pause <= LONGEST_LAG,
        };
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
            strangers.not_yet(7);
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
    async fn what_a_replica_may_not_show_yet_is_asked_for_again_and_not_for_ever() {
        let mut strangers = Strangers::new();
        strangers.not_watched(8);
        strangers.not_yet(7);
        let mut waited = Vec::new();
        while let Some(at) = strangers.ask_at() {
            assert_eq!(strangers.take_awaited(), None);
            waited.push((at - Instant::now()).as_secs());
            tokio::time::sleep_until(at).await;
            assert_eq!(strangers.take_awaited(), Some(7));
            strangers.not_yet(7);
        }
        assert_eq!(waited, [2, 4, 8, 16, 32]);
        assert!(strangers.include(7) && strangers.include(8));
        let again = strangers.ask_at().expect("a webhook came meanwhile");
        assert_eq!((again - Instant::now()).as_secs(), 64);
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
