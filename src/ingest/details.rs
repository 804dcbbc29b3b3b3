//! The jobs of running pipelines of several projects, by one GraphQL request.
//!
//! Sweeps start the cycles of many projects at once. The first that wants jobs waits a moment for the others, and asks for
//! all. What GitLab does not tell is read by REST.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::batch_size::BatchSize;
use super::intervals::FIRST_DETAILS;
use crate::gitlab::{Client, NotTold, PipelineJobs, Progress};
use ci_history::PipelineObservation;

/// Longest time in which others join a request, and the part of `watch.interval` that it takes at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const WAIT_SHARE: u32 = 10;

/// Fewer pipelines are read by REST, with a request for each.
const FEWEST: usize = 2;

/// Most pipelines of one request.
const LARGEST_SIZE: usize = 25;

/// Pipelines in a row that GitLab takes too long for by themselves before all are read by REST.
const TOO_MUCH_IN_A_ROW: u32 = 3;

/// Time in which all are read by REST.
const EXEMPT: Duration = Duration::from_hours(1);

/// The pipelines that wait for the next request. Clones share them.
#[derive(Clone)]
pub(super) struct Details {
    client: Client,
    /// Time in which others join.
    wait: Duration,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    waiting: BTreeMap<Progress, Vec<Waiting>>,
    size: BatchSize,
    too_much: u32,
    exempt_until: Option<Instant>,
    requests: usize,
}

struct Waiting {
    project: u64,
    pipeline: u64,
    /// Dropped: the jobs are to be read by REST.
    answer: oneshot::Sender<PipelineJobs>,
}

impl Details {
    /// `interval`: time between two cycles.
    pub(super) fn new(client: Client, interval: Duration) -> Self {
        let inner = Inner {
            waiting: BTreeMap::new(),
            size: BatchSize::new(FIRST_DETAILS, LARGEST_SIZE),
            too_much: 0,
            exempt_until: None,
            requests: 0,
        };
        Self {
            client,
            wait: LONGEST_WAIT.min(interval / WAIT_SHARE),
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every attempt of the jobs of a pipeline, as GraphQL tells them; `None` if they are to be read by REST.
    pub(super) async fn jobs(
        &self,
        project: u64,
        pipeline: &PipelineObservation,
    ) -> Option<PipelineJobs> {
        let progress = Progress::of(pipeline.status)?;
        let (is_first, told) = self.join(project, pipeline.id, progress)?;
        if is_first {
            // A task of its own: whatever becomes of this project, the others wait for the answer.
            let details = self.clone();
            tokio::spawn(async move {
                sleep(details.wait).await;
                let waiting = details.lock().waiting.remove(&progress).unwrap_or_default();
                if waiting.len() >= FEWEST {
                    details.ask(progress, waiting).await;
                }
            });
        }
        told.await.ok()
    }

    async fn ask(&self, progress: Progress, mut waiting: Vec<Waiting>) {
        // Several pipelines of a project are one part of the question.
        waiting.sort_by_key(|it| it.project);
        while !waiting.is_empty() {
            let size = self.lock().size.now();
            let others = waiting.split_off(waiting.len().min(size));
            let projects: BTreeSet<u64> = waiting.iter().map(|it| it.project).collect();
            let projects: Vec<u64> = projects.into_iter().collect();
            self.lock().requests += 1;
            match self.client.jobs_of_pipelines(&projects, progress).await {
                Ok(mut found) => {
                    for one in waiting {
                        if let Some(jobs) = found.of_pipelines.remove(&one.pipeline) {
                            // A project that is not watched any more does not wait.
                            let _ = one.answer.send(jobs);
                        }
                    }
                    waiting = others;
                    if !found.is_cut {
                        self.answered();
                    } else if self.took_too_long() == Next::Nothing {
                        return self.exempt("GitLab ran out of time");
                    }
                }
                Err(NotTold::TooMuch(error)) => match self.took_too_long() {
                    Next::Fewer => waiting.extend(others),
                    Next::Others => waiting = others,
                    Next::Nothing => return self.exempt(error),
                },
                Err(NotTold::Unsupported(error)) => return self.exempt(error),
                Err(NotTold::Failed(error)) => {
                    tracing::debug!("the jobs of running pipelines are read by REST: {error}");
                    return;
                }
            }
        }
    }

    /// Waits with the others. Returns whether it is the first, which has to ask; `None` while all are read by REST.
    fn join(
        &self,
        project: u64,
        pipeline: u64,
        progress: Progress,
    ) -> Option<(bool, oneshot::Receiver<PipelineJobs>)> {
        let mut inner = self.lock();
        if inner.exempt_until.is_some_and(|at| Instant::now() < at) {
            return None;
        }
        let (answer, told) = oneshot::channel();
        let waiting = inner.waiting.entry(progress).or_default();
        let is_first = waiting.is_empty();
        waiting.push(Waiting {
            project,
            pipeline,
            answer,
        });
        Some((is_first, told))
    }

    /// Requests since this was asked last.
    pub(super) fn take_requests(&self) -> usize {
        std::mem::take(&mut self.lock().requests)
    }

    /// All are read by REST for some time.
    fn exempt(&self, why: impl Display) {
        tracing::info!(
            "the jobs of running pipelines are read one by one by REST, tried again in an hour: {why}"
        );
        let mut inner = self.lock();
        inner.too_much = 0;
        inner.exempt_until = Some(Instant::now() + EXEMPT);
    }

    fn answered(&self) {
        let mut inner = self.lock();
        inner.too_much = 0;
        inner.size.answered();
    }

    /// GitLab took too long, or refused.
    fn took_too_long(&self) -> Next {
        let mut inner = self.lock();
        if inner.size.halve() {
            return Next::Fewer;
        }
        inner.too_much += 1;
        if inner.too_much < TOO_MUCH_IN_A_ROW {
            Next::Others
        } else {
            Next::Nothing
        }
    }
}

/// What to ask for after an answer that took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The same in parts.
    Fewer,
    /// The pipelines that were not asked for yet.
    Others,
    Nothing,
}
