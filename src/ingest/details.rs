//! The jobs of running pipelines of several projects, by one GraphQL request.
//!
//! Sweeps start the cycles of many projects at once. The first that wants jobs waits a moment for the others, and asks for
//! all. Where webhooks tell of many projects one after the other, it waits longer. What GitLab does not tell is read by REST.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::batch_size::BatchSize;
use super::intervals::{CONCURRENT_REQUESTS, FIRST_DETAILS};
use crate::gitlab::{Client, NotTold, PipelineJobs, Progress};
use ci_history::PipelineObservation;

/// Longest time in which others that a sweep started join a request, and the part of `watch.interval` that it takes at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const WAIT_SHARE: u32 = 10;

/// The same for those that webhooks started: a job that moved is shown so much later.
const LONGEST_HINTED_WAIT: Duration = Duration::from_secs(5);
const HINTED_WAIT_SHARE: u32 = 6;

/// Fewer pipelines are read by REST, with a request for each.
const FEWEST: usize = 2;

/// Most pipelines of one request.
const LARGEST_SIZE: usize = 25;

/// Pipelines in a row that GitLab takes too long for by themselves before all are read by REST.
const TOO_MUCH_IN_A_ROW: u32 = 3;

/// Pipelines that are remembered, of all projects.
const REMEMBERED: usize = 4096;

/// Time in which all are read by REST.
const EXEMPT: Duration = Duration::from_hours(1);

/// How the jobs of pipelines are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DetailsBy {
    Rest,
    /// After a sweep: those of pipelines that go on together with those of other projects, where GraphQL tells enough.
    Swept,
    /// The same after a webhook, which comes alone.
    Hinted,
}

impl DetailsBy {
    /// For so many pipelines of a project of which webhooks tell. Of many, which wait for each other, GraphQL does not tell all.
    pub(super) fn of_hinted(pipelines: usize) -> Self {
        if pipelines > CONCURRENT_REQUESTS {
            Self::Rest
        } else {
            Self::Hinted
        }
    }
}

/// The pipelines that wait for the next request. Clones share them.
#[derive(Clone)]
pub(super) struct Details {
    client: Client,
    /// `watch.interval`.
    interval: Duration,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    waiting: BTreeMap<Progress, Group>,
    size: BatchSize,
    too_much: u32,
    exempt_until: Option<Instant>,
    /// Pipelines of which GraphQL does not tell enough, the newest.
    beyond: BTreeSet<u64>,
    requests: usize,
}

/// Those that wait for the same request.
#[derive(Default)]
struct Group {
    /// When it is sent.
    due: Option<Instant>,
    waiting: Vec<Waiting>,
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
            beyond: BTreeSet::new(),
            requests: 0,
        };
        Self {
            client,
            interval,
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every attempt of the jobs of a pipeline, as GraphQL tells them; `None` if they are to be read by REST.
    pub(super) async fn jobs(
        &self,
        by: DetailsBy,
        project: u64,
        pipeline: &PipelineObservation,
    ) -> Option<PipelineJobs> {
        let wait = match by {
            DetailsBy::Rest => return None,
            DetailsBy::Swept => LONGEST_WAIT.min(self.interval / WAIT_SHARE),
            DetailsBy::Hinted => LONGEST_HINTED_WAIT.min(self.interval / HINTED_WAIT_SHARE),
        };
        let progress = self.would_ask(pipeline)?;
        let due = Instant::now() + wait;
        let (is_sooner, told) = self.join(project, pipeline.id, progress, due);
        if is_sooner {
            // A task of its own: whatever becomes of this project, the others wait for the answer.
            let details = self.clone();
            tokio::spawn(async move {
                sleep_until(due).await;
                let waiting = details.take(progress, due);
                details.ask(progress, waiting).await;
            });
        }
        told.await.ok()
    }

    async fn ask(&self, progress: Progress, mut waiting: Vec<Waiting>) {
        // Several pipelines of a project are one part of the question.
        waiting.sort_by_key(|it| it.project);
        let mut least = FEWEST;
        loop {
            // A project that is not watched any more does not wait.
            waiting.retain(|it| !it.answer.is_closed());
            if waiting.len() < least {
                return;
            }
            least = 1;
            let size = self.lock().size.now();
            let others = waiting.split_off(waiting.len().min(size));
            let projects: BTreeSet<u64> = waiting.iter().map(|it| it.project).collect();
            let projects: Vec<u64> = projects.into_iter().collect();
            self.lock().requests += 1;
            match self.client.jobs_of_pipelines(&projects, progress).await {
                Ok(mut found) => {
                    for one in waiting {
                        if let Some(jobs) = found.of_pipelines.remove(&one.pipeline) {
                            let _ = one.answer.send(jobs);
                        }
                    }
                    self.note_beyond(found.beyond);
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

    /// Whether GraphQL is asked for the jobs of this pipeline, and as one of which progress.
    pub(super) fn would_ask(&self, pipeline: &PipelineObservation) -> Option<Progress> {
        let inner = self.lock();
        let is_exempt = inner.exempt_until.is_some_and(|at| Instant::now() < at);
        let is_told = !is_exempt && !inner.beyond.contains(&pipeline.id);
        Progress::of(pipeline.status).filter(|_| is_told)
    }

    /// Waits with the others. Returns whether the request is due sooner than it was, so that somebody has to send it then.
    fn join(
        &self,
        project: u64,
        pipeline: u64,
        progress: Progress,
        due: Instant,
    ) -> (bool, oneshot::Receiver<PipelineJobs>) {
        let mut inner = self.lock();
        let (answer, told) = oneshot::channel();
        let group = inner.waiting.entry(progress).or_default();
        let is_sooner = group.due.is_none_or(|known| due < known);
        if is_sooner {
            group.due = Some(due);
        }
        group.waiting.push(Waiting {
            project,
            pipeline,
            answer,
        });
        (is_sooner, told)
    }

    /// Those whose request is due then; none if it was sent sooner.
    fn take(&self, progress: Progress, due: Instant) -> Vec<Waiting> {
        let mut inner = self.lock();
        let group = inner.waiting.get_mut(&progress);
        let group = group.filter(|group| group.due == Some(due));
        group.map(std::mem::take).unwrap_or_default().waiting
    }

    /// Requests since this was asked last.
    pub(super) fn take_requests(&self) -> usize {
        std::mem::take(&mut self.lock().requests)
    }

    fn note_beyond(&self, pipelines: Vec<u64>) {
        let mut inner = self.lock();
        inner.beyond.extend(pipelines);
        while inner.beyond.len() > REMEMBERED {
            inner.beyond.pop_first();
        }
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
