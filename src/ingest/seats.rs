//! The projects that take part in sweeps, and what each was told.
//!
//! A project takes part once it was listed by itself. An answer starts its cycle. A project that is not answered goes on
//! as if there were no sweeps: the time of its next listing comes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ci_history::{PipelineObservation, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cursor::LISTING_OVERLAP;
use super::intervals::LISTED_ANYWAY;
use crate::gitlab::{Moved, MovedChild, Project};

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
    /// Whether GitLab answered the last sweep.
    are_answered: Arc<AtomicBool>,
}

/// A project that takes part.
struct Place {
    /// From when on its pipelines are wanted; `None` while a listing of its own is.
    since: Option<Timestamp>,
    exempt_until: Option<Instant>,
    /// When it is to be asked for again, where that is not every time.
    not_before: Option<Instant>,
    /// Whether something goes on in it.
    is_active: bool,
    /// When sweeps ask again whether it has schedules.
    schedules_at: Instant,
    answers: watch::Sender<Option<Swept>>,
}

impl Place {
    fn is_exempt(&self, now: Instant) -> bool {
        self.exempt_until.is_some_and(|until| now < until)
    }
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
            is_active: false,
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

    /// Waits until the first projects have their places.
    pub(super) async fn have_begun(&self) {
        self.begun.cancelled().await;
    }

    /// The first sweep has ended, or there is none.
    pub(super) fn end_first(&self) {
        self.first_ended.cancel();
    }

    /// GitLab answered a sweep, or does not know such questions.
    pub(super) fn note_answered(&self, is_answered: bool) {
        self.are_answered.store(is_answered, Ordering::Relaxed);
    }

    /// The first projects have their places.
    pub(super) fn begin(&self) {
        self.begun.cancel();
    }

    /// Projects that take part, also those that are not to be asked for now.
    pub(super) fn len(&self) -> usize {
        self.places().len()
    }

    /// The projects to ask for, active ones first: their cycles begin together, so that the jobs of their pipelines are
    /// asked for together. Then those that were listed last: a project that lags would make GitLab list more of the others.
    pub(super) fn wanted(&self) -> Vec<(Timestamp, u64)> {
        let now = Instant::now();
        let places = self.places();
        let mut wanted: Vec<_> = places
            .iter()
            .filter(|(_, place)| !place.is_exempt(now))
            .filter(|(_, place)| place.not_before.is_none_or(|at| at <= now))
            .filter_map(|(id, place)| Some((place.is_active, place.since?, *id)))
            .collect();
        wanted.sort_unstable_by(|one, other| other.cmp(one));
        let wanted = wanted.into_iter();
        wanted.map(|(_, since, id)| (since, id)).collect()
    }

    pub(super) fn answer(&self, project: u64, moved: Moved, asked_at: Timestamp) {
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
    pub(super) fn take_schedules(&self, projects: &[(Timestamp, u64)], pause: Duration) -> bool {
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

    pub(super) fn exempt(&self, projects: &[(Timestamp, u64)], time: Duration) {
        let mut places = self.places();
        for (_, id) in projects {
            if let Some(place) = places.get_mut(id) {
                place.exempt_until = Some(Instant::now() + time);
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

    /// Whether something goes on in the project.
    pub(super) fn note_active(&self, is_active: bool) {
        if let Some(place) = self.sweeps.places().get_mut(&self.project) {
            place.is_active = is_active;
        }
    }

    /// Sweeps leave the project out until then; `None`: they do not.
    pub(super) fn wait_until(&self, at: Option<Instant>) {
        if let Some(place) = self.sweeps.places().get_mut(&self.project) {
            place.not_before = at;
        }
    }

    /// Whether GitLab answers sweeps, which ask for this project and others.
    pub(super) fn is_swept(&self) -> bool {
        let now = Instant::now();
        let places = self.sweeps.places();
        let is_asked_for = |place: &Place| place.since.is_some() && !place.is_exempt(now);
        self.sweeps.are_answered.load(Ordering::Relaxed)
            && places.len() > 1
            && places.get(&self.project).is_some_and(is_asked_for)
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
