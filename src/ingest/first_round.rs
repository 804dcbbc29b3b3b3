//! The first round: the newest pipelines of every project are read before anybody's past.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::events::PollProgress;

/// How far the first round is. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Round(Arc<Counts>);

#[derive(Default)]
struct Counts {
    over: CancellationToken,
    projects: AtomicUsize,
    tried: AtomicUsize,
    with_past: AtomicUsize,
}

/// Held by a project of the first discovery until its newest pipelines were read, or it failed, or is dropped.
pub(super) struct Untried {
    round: Round,
    _held: mpsc::Sender<Infallible>,
}

impl Drop for Untried {
    fn drop(&mut self) {
        self.round.0.tried.fetch_add(1, Ordering::Relaxed);
    }
}

/// Held by a project whose past is still to be read.
pub(super) struct WithPast(Round);

impl Drop for WithPast {
    fn drop(&mut self) {
        self.0.0.with_past.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Round {
    /// Waits until the first round is over.
    pub(super) async fn over(&self) {
        self.0.over.cancelled().await;
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.over.is_cancelled()
    }

    pub(super) fn with_past(&self) -> WithPast {
        self.0.with_past.fetch_add(1, Ordering::Relaxed);
        WithPast(self.clone())
    }

    pub(super) fn progress(&self) -> PollProgress {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        PollProgress {
            projects: count(&self.0.projects),
            tried: count(&self.0.tried),
            with_past: count(&self.0.with_past),
            is_over: self.is_over(),
        }
    }
}

/// Whether each project of the first discovery was tried.
pub(super) struct FirstRound {
    pub(super) round: Round,
    /// Until the first discovery has brought its projects.
    untried: Option<mpsc::Sender<Infallible>>,
    all_tried: mpsc::Receiver<Infallible>,
}

impl FirstRound {
    pub(super) fn new() -> Self {
        let (untried, all_tried) = mpsc::channel(1);
        Self {
            round: Round::default(),
            untried: Some(untried),
            all_tried,
        }
    }

    /// For so many projects of the first discovery; nothing for those of later ones.
    pub(super) fn begin(&mut self, projects: usize) -> Vec<Untried> {
        let Some(held) = self.untried.take() else {
            return Vec::new();
        };
        self.round.0.projects.store(projects, Ordering::Relaxed);
        let untried = || Untried {
            round: self.round.clone(),
            _held: held.clone(),
        };
        (0..projects).map(|_| untried()).collect()
    }

    /// Returns once, when nobody holds an [`Untried`].
    pub(super) async fn ended(&mut self) {
        self.all_tried.recv().await;
        self.round.0.over.cancel();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_first_round_ends_when_each_of_its_projects_was_tried_or_dropped() {
        let mut first = FirstRound::new();
        let mut untried = first.begin(2);
        assert_eq!(first.begin(7).len(), 0, "a later discovery");
        untried.pop();
        assert_eq!(first.ended().now_or_never(), None);
        assert_eq!(first.round.progress().tried, 1);
        untried.pop();
        assert_eq!(first.ended().now_or_never(), Some(()));
        let progress = first.round.progress();
        assert!(progress.is_over && progress.tried == 2 && progress.projects == 2);
    }

    #[test]
    fn projects_with_a_past_are_counted() {
        let round = Round::default();
        let one = round.with_past();
        let two = round.with_past();
        drop(one);
        assert_eq!(round.progress().with_past, 1);
        drop(two);
        assert_eq!(round.progress().with_past, 0);
    }
}
