//! One cycle of one project: list what moved, read its jobs, hand both over.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::{StreamExt, stream};

use super::children::Reading;
use super::cursor::{Cursor, Wanted};
use super::{CONCURRENT_REQUESTS, Ingest};
use crate::base::DAY;
use crate::config::Backfill;
use crate::gitlab::{Error, ErrorKind, Order, PipelineQuery, Project, Rejected};
use crate::model::{JobObservation, PipelineObservation, Timestamp};

/// For the backfill of a project of which several refs are watched: how many pipelines are listed for
/// each one that is wanted of a ref.
const LISTED_FOR_REFS: usize = 4;

/// Errors in a row that may concern single pipelines, after which a cycle gives up.
const ERRORS_IN_A_ROW: u32 = 3;

/// Why a cycle did not end well.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// Whether it concerns the whole project, and not a pipeline.
    pub(super) is_general: bool,
}

impl Failure {
    fn of_pipeline(error: Error) -> Self {
        Self {
            is_general: concerns_all(&error),
            error,
        }
    }
}

impl Ingest {
    /// Runs one cycle. What could be read is handed over although something else failed; the first
    /// error is returned.
    pub(super) async fn cycle(
        &self,
        project: &Project,
        cursor: &mut Cursor,
    ) -> Result<(), Failure> {
        let (listing, latest) = match self.list(project, cursor).await {
            Ok(listed) => listed,
            Err(error) => {
                return Err(Failure {
                    error: self.client.why_refused(project.id, error).await,
                    is_general: true,
                });
            }
        };
        let Wanted { fresh, again } = cursor.take_listing(listing, latest);
        let read = self.read(project, cursor, fresh).await;
        if again.is_empty() {
            return read.map_err(Failure::of_pipeline);
        }
        // What failed the last time may well take its time to fail again.
        self.sink.show(project);
        read.and(self.read(project, cursor, again).await)
            .map_err(Failure::of_pipeline)
    }

    /// Reads the jobs of pipelines that had not ended; false where a whole cycle is needed instead.
    pub(super) async fn read_open(
        &self,
        project: &Project,
        cursor: &mut Cursor,
        ids: &BTreeSet<u64>,
    ) -> bool {
        let open = ids.iter().map(|id| cursor.open(*id));
        let Some(open) = open.collect::<Option<Vec<_>>>() else {
            return false;
        };
        let by_id = open.into_iter().map(|pipeline| (pipeline.id, pipeline));
        // A parent may be asked for by several children.
        let open = by_id.collect::<BTreeMap<_, _>>().into_values().collect();
        // What went wrong the whole cycle will meet again, and tell.
        let read = self.read(project, cursor, open).await;
        self.sink.show(project);
        read.is_ok()
    }

    /// Reads the jobs of pipelines, and hands them over in the order of the pipelines.
    async fn read(
        &self,
        project: &Project,
        cursor: &mut Cursor,
        wanted: Vec<PipelineObservation>,
    ) -> Result<(), Error> {
        let mut first_error = None;
        let mut in_a_row = 0;
        let with_families: Vec<_> = wanted
            .into_iter()
            .map(|pipeline| {
                let family = cursor.family(pipeline.id);
                (pipeline, family)
            })
            .collect();
        let mut answers = stream::iter(with_families)
            .map(|(pipeline, known)| async move {
                let reading = self.read_pipeline(project, pipeline.id, known).await;
                (pipeline, reading)
            })
            .buffered(CONCURRENT_REQUESTS);
        while let Some((pipeline, answer)) = answers.next().await {
            let id = pipeline.id;
            let outcome = match answer {
                Ok(reading) => self.take(project, cursor, pipeline, reading).await,
                Err(error) if error.is_not_found() => {
                    let missed = self.miss(project, &pipeline, error).await;
                    missed.map(|()| cursor.gone(pipeline.id))
                }
                Err(error) => Err(error),
            };
            let Err(error) = outcome else {
                in_a_row = 0;
                continue;
            };
            let concerns_all = concerns_all(&error);
            if !concerns_all && cursor.failed(id, self.sink.gitlab_now()) {
                tracing::warn!(
                    project = %project.path, pipeline = id,
                    "given up, as its jobs could not be read for hours: {error}"
                );
                continue;
            }
            in_a_row += 1;
            let ends_the_cycle = concerns_all || in_a_row == ERRORS_IN_A_ROW;
            first_error.get_or_insert(error);
            if ends_the_cycle {
                break;
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Makes sure that a pipeline without jobs is gone, and not just late on a replica.
    pub(super) async fn miss(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        missed: Error,
    ) -> Result<(), Error> {
        match self.client.pipeline(project.id, pipeline.id).await {
            Err(error) if error.is_not_found() => {
                self.sink.gone(project, pipeline);
                Ok(())
            }
            Err(error) => Err(error),
            Ok(_) => Err(missed),
        }
    }

    /// Hands over a pipeline with its jobs, also where not all of them could be read.
    async fn take(
        &self,
        project: &Project,
        cursor: &mut Cursor,
        mut pipeline: PipelineObservation,
        mut reading: Reading,
    ) -> Result<(), Error> {
        let (settled, failed) = (reading.settled, reading.failed.take());
        let family = std::mem::take(&mut reading.family);
        let jobs = self.hand_over(project, &mut pipeline, reading);
        if let Some(error) = failed {
            return Err(error);
        }
        if cursor.done(&pipeline, settled) {
            pipeline = self.client.pipeline(project.id, pipeline.id).await?;
            let at = self.sink.gitlab_now();
            self.sink.observed(project, &pipeline, &jobs, at);
            cursor.done(&pipeline, settled);
        }
        cursor.keep_family(&pipeline, family);
        Ok(())
    }

    /// Hands over what was read; returns the watched jobs.
    pub(super) fn hand_over(
        &self,
        project: &Project,
        pipeline: &mut PipelineObservation,
        reading: Reading,
    ) -> Vec<JobObservation> {
        self.tell_rejected(project, &reading.rejected);
        let mut jobs = reading.jobs;
        jobs.retain(|job| self.watch.jobs.matches(&job.name));
        pipeline.duration = pipeline.duration.or(reading.running_time);
        let at = self.sink.gitlab_now();
        self.sink.observed(project, pipeline, &jobs, at);
        jobs
    }

    /// Lists the watched pipelines that moved, and the latest `updated_at` of all that were listed.
    async fn list(
        &self,
        project: &Project,
        cursor: &Cursor,
    ) -> Result<(Vec<PipelineObservation>, Option<Timestamp>), Error> {
        let latest = Latest::default();
        let mut watched = Vec::new();
        if cursor.wants_backfill() {
            watched = self.backfill(project, cursor, &latest).await?;
        }
        if let Some(updated_after) = cursor.updated_after() {
            let mut moved = self.moved_since(project, updated_after).await?;
            // The end of one that was watched once is wanted whatever is watched now.
            moved.retain(|pipeline| {
                latest.note(pipeline);
                self.watches(project, pipeline) || cursor.is_open(pipeline.id)
            });
            watched.extend(moved);
        }
        Ok((watched, self.no_later_than_now(&latest)))
    }

    /// Lists the pipelines that moved at this time or later, of the one ref that is watched or of all.
    pub(super) async fn moved_since(
        &self,
        project: &Project,
        time: Timestamp,
    ) -> Result<Vec<PipelineObservation>, Error> {
        let default_branch = project.default_branch.as_deref();
        let only_ref = default_branch.filter(|_| self.watch.refs.only_default());
        let query = PipelineQuery {
            updated_after: Some(time),
            ref_name: only_ref.map(str::to_owned),
            order: Order::UpdatedAt,
            at_most: None,
        };
        let listing = self.client.pipelines(project.id, &query).await?;
        self.tell_rejected(project, &listing.rejected);
        Ok(listing.items)
    }

    /// A pipeline from the future must not hide what comes until then.
    pub(super) fn no_later_than_now(&self, latest: &Latest) -> Option<Timestamp> {
        latest.get().map(|at| at.min(self.sink.gitlab_now()))
    }

    /// Lists the last pipelines of each watched ref of which nothing is known.
    async fn backfill(
        &self,
        project: &Project,
        cursor: &Cursor,
        latest: &Latest,
    ) -> Result<Vec<PipelineObservation>, Error> {
        let Backfill { pipelines, days } = self.watch.backfill;
        let days = days.and_then(|days| i64::try_from(days).ok());
        let now = self.sink.gitlab_now().unix();
        let default_branch = project.default_branch.as_deref();
        let named = default_branch.filter(|branch| self.watch.refs.matches(branch, default_branch));
        let mut queries = Vec::new();
        if let Some(branch) = named {
            queries.push((Some(branch), pipelines));
        }
        if named.is_none() || !self.watch.refs.only_default() {
            queries.push((None, pipelines * LISTED_FOR_REFS));
        }
        let mut found = Vec::new();
        for (ref_name, at_most) in queries {
            let query = PipelineQuery {
                updated_after: days.and_then(|days| Timestamp::from_unix(now - days * DAY)),
                ref_name: ref_name.map(str::to_owned),
                order: Order::Id,
                // Also where none is wanted one says from when on there may be new ones.
                at_most: Some(at_most.max(1)),
            };
            let is_wanted = |pipeline: &PipelineObservation| {
                latest.note(pipeline);
                self.watches(project, pipeline)
                    && cursor.is_new(&pipeline.ref_name)
                    && (ref_name.is_some() || named != Some(&*pipeline.ref_name))
            };
            let listing = self.client.find_pipelines(project.id, &query, &is_wanted);
            let listing = listing.await?;
            self.tell_rejected(project, &listing.rejected);
            found.extend(listing.items);
        }
        newest_of_each_ref(&mut found, pipelines);
        Ok(found)
    }

    fn tell_rejected(&self, project: &Project, rejected: &[Rejected]) {
        for rejected in rejected {
            self.sink.rejected(&project.path, rejected);
        }
    }

    pub(super) fn watches(&self, project: &Project, pipeline: &PipelineObservation) -> bool {
        let default_branch = project.default_branch.as_deref();
        self.watch.refs.matches(&pipeline.ref_name, default_branch)
            && self.watch.sources.matches(pipeline.source.as_deref())
    }
}

/// The latest time at which one of the listed pipelines moved.
#[derive(Default)]
pub(super) struct Latest(AtomicI64);

impl Latest {
    pub(super) fn note(&self, pipeline: &PipelineObservation) {
        let at = pipeline.updated_at.map_or(0, Timestamp::unix);
        self.0.fetch_max(at, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Timestamp> {
        Timestamp::from_unix(self.0.load(Ordering::Relaxed))
    }
}

/// Keeps the newest pipelines of each ref; they come newest first.
fn newest_of_each_ref(pipelines: &mut Vec<PipelineObservation>, limit: usize) {
    let mut counts = HashMap::new();
    pipelines.retain(|pipeline| {
        let count = counts.entry(pipeline.ref_name.clone()).or_insert(0_usize);
        *count += 1;
        *count <= limit
    });
}

/// Whether an error on one pipeline would certainly meet the others too.
fn concerns_all(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unauthorized(_)
            | ErrorKind::RateLimited { .. }
            | ErrorKind::CircuitOpen { .. }
            | ErrorKind::Certificate(_)
    )
}
