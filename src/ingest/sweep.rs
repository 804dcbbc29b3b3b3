//! Sweeps: which pipelines of many projects moved, by one request for up to 100 projects.
//!
//! A project takes part once it was listed by itself. An answer starts its cycle. A project that is not answered goes on
//! as if there were no sweeps: the time of its next listing comes.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ci_history::{PipelineObservation, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::batch_size::BatchSize;
use super::cursor::LISTING_OVERLAP;
use super::events::SweepReport;
use super::intervals::{FEWEST_PROJECTS, FIRST_SIZE, INTERVALS_SWEPT, LISTED_ANYWAY};
use super::reader::Reader;
use crate::config::{Api, ChildPipelines};
use crate::gitlab::{Besides, Error, MOST_PROJECTS, Moved, MovedChild, NotTold, Project};

/// Projects in a row that GitLab takes too long for by themselves before all are listed by REST.
const TOO_MUCH_IN_A_ROW: u32 = 3;

/// Time without sweeps for a project that GitLab takes too long for by itself, and for all where it does not know them.
const EXEMPT: Duration = Duration::from_hours(1);

/// The part of [`LISTED_ANYWAY`] that a project relies on sweeps at least after a restart, by chance: projects are not all listed at once.
const LEAST_RELIED: f64 = 0.25;

/// What a sweep told of one project.
#[derive(Debug, Clone)]
pub(super) struct Swept {
    /// From when on all that moved are among the pipelines.
    pub(super) since: Timestamp,
    /// When GitLab was asked, by its clock.
    asked_at: Timestamp,
    pipelines: Vec<PipelineObservation>,
    /// Child pipelines that moved.
    pub(super) children: Vec<MovedChild>,
    /// Whether the project has schedules, where that was asked.
    pub(super) has_schedules: Option<bool>,
}

impl Swept {
    /// When GitLab was asked, by its clock: all that moved before is told.
    pub(super) fn asked_at(&self) -> Timestamp {
        self.asked_at
    }

    /// The pipelines with their addresses, as a listing of the project has them.
    pub(super) fn pipelines_of(self, project: &Project) -> Vec<PipelineObservation> {
        let mut pipelines = self.pipelines;
        for pipeline in &mut pipelines {
            pipeline.web_url = project.url_of_pipeline(pipeline.id);
        }
        pipelines
    }
}

/// The projects that take part. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Sweeps {
    places: Arc<Mutex<BTreeMap<u64, Place>>>,
    /// Cancelled when the first projects have their places.
    begun: CancellationToken,
    /// Cancelled when the first sweep has ended, or there is none.
    first_ended: CancellationToken,
}

/// A project that takes part.
struct Place {
    /// From when on its pipelines are wanted; `None` while a listing of its own is.
    since: Option<Timestamp>,
    exempt_until: Option<Instant>,
    /// When it is to be asked for again, where that is not every time.
    not_before: Option<Instant>,
    /// When sweeps ask again whether it has schedules.
    schedules_at: Instant,
    answers: watch::Sender<Option<Swept>>,
}

/// A project's side of the sweeps. Leaves them when it is dropped.
pub(super) struct Seat {
    sweeps: Sweeps,
    project: u64,
    answers: watch::Receiver<Option<Swept>>,
    /// Until when answers spare the project a listing of its own.
    relies_until: Option<Instant>,
    is_answered: bool,
}

impl Sweeps {
    pub(super) fn seat(&self, project: u64) -> Seat {
        let (sender, answers) = watch::channel(None);
        let place = Place {
            since: None,
            exempt_until: None,
            not_before: None,
            schedules_at: Instant::now(),
            answers: sender,
        };
        self.places().insert(project, place);
        Seat {
            sweeps: self.clone(),
            project,
            answers,
            relies_until: None,
            is_answered: false,
        }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<u64, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first projects have their places.
    pub(super) fn begin(&self) {
        self.begun.cancel();
    }

    /// Projects that take part, also those that are not to be asked for now.
    fn len(&self) -> usize {
        self.places().len()
    }

    /// The projects to ask for, those that were listed last first: a project that lags would make GitLab list more of
    /// the others.
    fn wanted(&self) -> Vec<(Timestamp, u64)> {
        let now = Instant::now();
        let places = self.places();
        let mut wanted: Vec<_> = places
            .iter()
            .filter(|(_, place)| place.exempt_until.is_none_or(|until| until <= now))
            .filter(|(_, place)| place.not_before.is_none_or(|at| at <= now))
            .filter_map(|(id, place)| Some((place.since?, *id)))
            .collect();
        wanted.sort_unstable_by(|one, other| other.cmp(one));
        wanted
    }

    fn answer(&self, project: u64, moved: Moved, asked_at: Timestamp) {
        let Moved {
            mut pipelines,
            mut children,
            has_schedules,
        } = moved;
        let places = self.places();
        let Some(place) = places.get(&project) else {
            return;
        };
        let Some(since) = place.since else { return };
        pipelines.retain(|pipeline| pipeline.updated_at >= Some(since));
        children.retain(|child| child.updated_at >= since);
        place.answers.send_replace(Some(Swept {
            since,
            asked_at,
            pipelines,
            children,
            has_schedules,
        }));
    }

    /// Whether it is time to ask for the schedules of one of these projects. If so, all are asked for.
    fn take_schedules(&self, projects: &[(Timestamp, u64)], pause: Duration) -> bool {
        let now = Instant::now();
        let mut places = self.places();
        let is_due = |(_, id): &(Timestamp, u64)| {
            let place = places.get(id);
            place.is_some_and(|place| place.schedules_at <= now)
        };
        let any = projects.iter().any(is_due);
        for (_, id) in projects.iter().filter(|_| any) {
            if let Some(place) = places.get_mut(id) {
                place.schedules_at = now + pause;
            }
        }
        any
    }

    fn exempt(&self, projects: &[(Timestamp, u64)]) {
        let mut places = self.places();
        for (_, id) in projects {
            if let Some(place) = places.get_mut(id) {
                place.exempt_until = Some(Instant::now() + EXEMPT);
            }
        }
    }
}

impl Seat {
    /// Waits for an answer that spares the project a listing of its own. Cancel-safe.
    pub(super) async fn answered(&mut self) -> Swept {
        loop {
            if self.answers.changed().await.is_err() {
                // Somebody else has the seat.
                return std::future::pending().await;
            }
            let relies = self.relies_until.is_some_and(|at| Instant::now() < at);
            let answer = self.answers.borrow_and_update().clone();
            if let Some(swept) = answer.filter(|_| relies) {
                return swept;
            }
        }
    }

    /// An earlier process has listed all that moved before this time: the project takes part from the first sweep on.
    pub(super) fn resume(&mut self, asked_at: Timestamp) {
        let share = LEAST_RELIED + (1.0 - LEAST_RELIED) * fastrand::f64();
        self.relies_until = Some(Instant::now() + LISTED_ANYWAY.mul_f64(share));
        self.take_place(Some(asked_at));
    }

    /// Cancelled when the first sweep has ended, or it is known that there is none. [`Self::answered`] has its answer by then.
    pub(super) fn first_sweep(&self) -> CancellationToken {
        self.sweeps.first_ended.clone()
    }

    /// The project was read, with what a sweep told or by a listing of its own that GitLab was asked for at `asked_at`.
    /// `takes_part`: it can be swept from now on.
    pub(super) fn read(&mut self, swept: Option<&Swept>, asked_at: Timestamp, takes_part: bool) {
        self.is_answered = swept.is_some();
        if swept.is_none() {
            self.relies_until = Some(Instant::now() + LISTED_ANYWAY);
        }
        let asked_at = swept.map_or(asked_at, Swept::asked_at);
        self.take_place(Some(asked_at).filter(|_| takes_part));
    }

    fn take_place(&self, asked_at: Option<Timestamp>) {
        let overlap = i64::try_from(LISTING_OVERLAP.as_secs()).unwrap_or(i64::MAX);
        let since = asked_at.map(|at| at.unix().saturating_sub(overlap));
        if let Some(place) = self.sweeps.places().get_mut(&self.project) {
            place.since = since.and_then(Timestamp::from_unix);
        }
    }

    /// Sweeps leave the project out until then; `None`: they do not.
    pub(super) fn wait_until(&self, at: Option<Instant>) {
        if let Some(place) = self.sweeps.places().get_mut(&self.project) {
            place.not_before = at;
        }
    }

    /// Whether the last cycle was spared its listing.
    pub(super) fn is_answered(&self) -> bool {
        self.is_answered
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Closed: another seat was given for the project since.
        if self.answers.has_changed().is_ok() {
            self.sweeps.places().remove(&self.project);
        }
    }
}

/// How much one request asks for.
struct Size {
    batch: BatchSize,
    /// What it may ask for besides: older GitLabs do not tell all of it.
    besides: Besides,
}

/// How a sweep ended.
#[derive(Debug)]
enum End {
    Whole,
    /// Some projects were not asked for. The next sweep asks again.
    Broken,
    /// This GitLab does not know such questions.
    Unsupported(Error),
}

/// One sweep.
struct Sweep {
    end: End,
    /// Projects that were told of.
    answered: usize,
    requests: usize,
}

impl Reader {
    /// Sweeps every `watch.interval`, for as long as it is polled, from [`Sweeps::begin`] on. `report` takes what each came to.
    pub(super) async fn sweep(
        &self,
        sweeps: &Sweeps,
        api: Api,
        report: impl Fn(SweepReport),
    ) -> Infallible {
        if api == Api::Rest {
            sweeps.first_ended.cancel();
            return std::future::pending().await;
        }
        sweeps.begun.cancelled().await;
        let mut size = Size {
            batch: BatchSize::new(FIRST_SIZE, MOST_PROJECTS),
            besides: Besides {
                children: self.watch.child_pipelines == ChildPipelines::Follow,
                schedules: self.watch.schedules,
            },
        };
        let mut is_told = false;
        loop {
            let next = Instant::now() + self.watch.interval;
            let wanted = sweeps.wanted();
            if wanted.is_empty() || (api == Api::Auto && sweeps.len() < FEWEST_PROJECTS) {
                sweeps.first_ended.cancel();
                report(SweepReport::default());
                sleep_until(next).await;
                continue;
            }
            let asking = self.sweep_once(sweeps, &wanted, &mut size);
            let Sweep {
                end,
                answered,
                requests,
            } = asking.await;
            sweeps.first_ended.cancel();
            report(SweepReport {
                asked: wanted.len(),
                answered,
                size: if matches!(end, End::Unsupported(_)) {
                    0
                } else {
                    size.batch.now()
                },
                requests,
            });
            match end {
                End::Unsupported(error) => {
                    tracing::warn!(
                        "GitLab does not answer by GraphQL which pipelines moved, so each project is listed by REST; \
                         tried again in an hour: {error}"
                    );
                    is_told = false;
                    sleep(EXEMPT).await;
                }
                End::Whole if !is_told => {
                    is_told = true;
                    tracing::info!(
                        projects = answered,
                        "GitLab tells by GraphQL which pipelines moved"
                    );
                    sleep_until(next).await;
                }
                End::Whole | End::Broken => sleep_until(next).await,
            }
        }
    }

    /// Asks once for all of these projects.
    async fn sweep_once(
        &self,
        sweeps: &Sweeps,
        wanted: &[(Timestamp, u64)],
        size: &mut Size,
    ) -> Sweep {
        let (mut answered, mut requests) = (0, 0);
        let end = |end, answered, requests| Sweep {
            end,
            answered,
            requests,
        };
        let mut too_much = 0;
        let mut left = wanted;
        while !left.is_empty() {
            let (asked, others) = left.split_at(size.batch.now().min(left.len()));
            let since = asked.iter().map(|(since, _)| *since).min();
            let ids: Vec<u64> = asked.iter().map(|(_, id)| *id).collect();
            let asked_at = self.observations.gitlab_now();
            requests += 1;
            let pause = self.watch.idle_interval * INTERVALS_SWEPT;
            let besides = Besides {
                schedules: size.besides.schedules && sweeps.take_schedules(asked, pause),
                ..size.besides
            };
            let moved = self
                .client
                .moved_pipelines(&ids, since.unwrap_or(asked_at), besides)
                .await;
            match moved {
                Ok(mut moved) => {
                    let ids: BTreeSet<_> = ids.into_iter().collect();
                    moved.of_projects.retain(|id, _| ids.contains(id));
                    answered += moved.of_projects.len();
                    for (id, moved) in moved.of_projects {
                        sweeps.answer(id, moved, asked_at);
                    }
                    if !moved.is_cut {
                        size.batch.answered();
                    } else if !size.batch.halve() {
                        sweeps.exempt(asked);
                    }
                    too_much = 0;
                    left = others;
                }
                Err(NotTold::TooMuch(error)) if size.batch.halve() => {
                    tracing::debug!(
                        projects = size.batch.now(),
                        "fewer projects at once: {error}"
                    );
                }
                Err(NotTold::TooMuch(error)) if too_much + 1 == TOO_MUCH_IN_A_ROW => {
                    return end(End::Unsupported(error), answered, requests);
                }
                Err(NotTold::TooMuch(error)) => {
                    too_much += 1;
                    tracing::warn!("the project is listed by REST for an hour: {error}");
                    sweeps.exempt(asked);
                    left = others;
                }
                Err(NotTold::Unsupported(error)) if besides.schedules => {
                    tracing::info!("schedules are not asked for by GraphQL: {error}");
                    size.besides.schedules = false;
                }
                Err(NotTold::Unsupported(error)) if besides.children => {
                    tracing::info!("child pipelines are not asked for by GraphQL: {error}");
                    size.besides.children = false;
                }
                Err(NotTold::Unsupported(error)) => {
                    return end(End::Unsupported(error), answered, requests);
                }
                Err(NotTold::Failed(error)) => {
                    tracing::warn!("not all projects were swept: {error}");
                    return end(End::Broken, answered, requests);
                }
            }
        }
        end(End::Whole, answered, requests)
    }
}
