//! One cycle of one project: list what moved, read its jobs, hand both over.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use super::cursor::{Cursor, Wanted};
use super::{CONCURRENT_REQUESTS, Ingest};
use crate::gitlab::{Error, Fault, Order, PipelineJobs, PipelineQuery, Project};
use crate::model::{JobObservation, PipelineObservation, Status, Timestamp};

/// For the backfill of a project of which several refs are watched: how many pipelines are listed for
/// each one that is wanted of a ref.
const LISTED_FOR_REFS: usize = 4;

/// Seconds.
const DAY: i64 = 24 * 60 * 60;

/// Errors in a row that may concern single pipelines, after which a cycle gives up.
const ERRORS_IN_A_ROW: u32 = 3;

impl Ingest {
    /// Runs one cycle. What could be read is handed over although something else failed; the first
    /// error is returned.
    pub(super) async fn cycle(&self, project: &Project, cursor: &mut Cursor) -> Result<(), Error> {
        let (listing, latest) = self.list(project, cursor).await?;
        let Wanted { fresh, again } = cursor.take_listing(listing, latest);
        let read = self.read(project, cursor, fresh).await;
        if again.is_empty() {
            return read;
        }
        // What failed the last time may well take its time to fail again.
        self.sink.show(project);
        read.and(self.read(project, cursor, again).await)
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
        let mut answers = stream::iter(wanted)
            .map(|pipeline| async move {
                let jobs = self.client.pipeline_jobs(project.id, pipeline.id).await;
                (pipeline, jobs)
            })
            .buffered(CONCURRENT_REQUESTS);
        while let Some((pipeline, answer)) = answers.next().await {
            let outcome = match answer {
                Ok(found) => self.take(project, cursor, pipeline, found).await,
                Err(error) if matches!(error.fault(), Fault::NotFound(_)) => {
                    self.sink.gone(project, &pipeline);
                    cursor.gone(pipeline.id);
                    Ok(())
                }
                Err(error) => Err(error),
            };
            let Err(error) = outcome else {
                in_a_row = 0;
                continue;
            };
            in_a_row += 1;
            let ends_the_cycle = concerns_all(&error) || in_a_row == ERRORS_IN_A_ROW;
            first_error.get_or_insert(error);
            if ends_the_cycle {
                break;
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Hands over a pipeline with its jobs.
    async fn take(
        &self,
        project: &Project,
        cursor: &mut Cursor,
        mut pipeline: PipelineObservation,
        found: PipelineJobs,
    ) -> Result<(), Error> {
        let (jobs, settled) = self.hand_over(project, &mut pipeline, found);
        if cursor.done(&pipeline, settled) {
            let ended = self.client.pipeline(project.id, pipeline.id).await?;
            let at = self.sink.gitlab_now();
            self.sink.observed(project, &ended, &jobs, at);
            cursor.done(&ended, settled);
        }
        Ok(())
    }

    /// Hands over what was read; returns the watched jobs, and whether nothing is left to happen to any.
    pub(super) fn hand_over(
        &self,
        project: &Project,
        pipeline: &mut PipelineObservation,
        found: PipelineJobs,
    ) -> (Vec<JobObservation>, bool) {
        for rejected in &found.jobs.rejected {
            self.sink.rejected(project, rejected);
        }
        let settled = found.jobs.items.iter().all(|job| is_settled(job.status));
        let mut jobs = found.jobs.items;
        jobs.retain(|job| self.watch.jobs.matches(&job.name));
        pipeline.duration = pipeline.duration.or(found.running_time);
        let at = self.sink.gitlab_now();
        self.sink.observed(project, pipeline, &jobs, at);
        (jobs, settled)
    }

    /// Lists the watched pipelines that moved, and the latest `updated_at` of all that were listed.
    async fn list(
        &self,
        project: &Project,
        cursor: &Cursor,
    ) -> Result<(Vec<PipelineObservation>, Option<Timestamp>), Error> {
        let only_ref = self.only_ref(project);
        let mut watched = Vec::new();
        let mut latest = None;
        if cursor.wants_backfill() {
            let wanted = self.watch.backfill.pipelines;
            let days = self.watch.backfill.days;
            let reach = days.and_then(|days| Some(i64::try_from(days).ok()? * DAY));
            let listed = wanted * only_ref.map_or(LISTED_FOR_REFS, |_| 1);
            let query = PipelineQuery {
                updated_after: reach
                    .and_then(|reach| Timestamp::from_unix(self.sink.gitlab_now().unix() - reach)),
                ref_name: only_ref.map(str::to_owned),
                order: Order::Id,
                // Also where none is wanted one says from when on there may be new ones.
                at_most: Some(listed.max(1)),
            };
            let mut listing = self.list_one(project, &query, &mut latest).await?;
            listing.retain(|p| self.watches(project, p) && cursor.is_new(&p.ref_name));
            newest_of_each_ref(&mut listing, wanted);
            watched = listing;
        }
        if cursor.updated_after().is_some() {
            let query = PipelineQuery {
                updated_after: cursor.updated_after(),
                ref_name: only_ref.map(str::to_owned),
                order: Order::UpdatedAt,
                at_most: None,
            };
            let mut listing = self.list_one(project, &query, &mut latest).await?;
            // The end of one that was watched once is wanted whatever is watched now.
            listing.retain(|p| self.watches(project, p) || cursor.is_open(p.id));
            watched.extend(listing);
        }
        Ok((watched, latest))
    }

    /// The ref to ask for where just one is watched.
    pub(super) fn only_ref<'a>(&self, project: &'a Project) -> Option<&'a str> {
        let default_branch = project.default_branch.as_deref();
        default_branch.filter(|_| self.watch.refs.only_default())
    }

    pub(super) async fn list_one(
        &self,
        project: &Project,
        query: &PipelineQuery,
        latest: &mut Option<Timestamp>,
    ) -> Result<Vec<PipelineObservation>, Error> {
        let listing = self.client.pipelines(project.id, query).await?;
        for rejected in &listing.rejected {
            self.sink.rejected(project, rejected);
        }
        let moved = listing
            .items
            .iter()
            .filter_map(|pipeline| pipeline.updated_at);
        *latest = moved.chain(*latest).max();
        Ok(listing.items)
    }

    pub(super) fn watches(&self, project: &Project, pipeline: &PipelineObservation) -> bool {
        let default_branch = project.default_branch.as_deref();
        self.watch.refs.matches(&pipeline.ref_name, default_branch)
            && self.watch.sources.matches(pipeline.source.as_deref())
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

/// Whether nothing happens to a job of this status any more unless somebody starts it.
fn is_settled(status: Status) -> bool {
    status.is_terminal() || status == Status::Blocked
}

/// Whether an error on one pipeline would certainly meet the others too.
fn concerns_all(error: &Error) -> bool {
    matches!(
        error.fault(),
        Fault::Unauthorized(_) | Fault::RateLimited { .. } | Fault::Certificate(_)
    )
}
