//! One cycle of one project: list what moved, read its jobs, hand both over.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use super::cursor::Cursor;
use super::{CONCURRENT_REQUESTS, Ingest};
use crate::gitlab::{Error, Fault, Order, PipelineQuery, Project};
use crate::model::{PipelineObservation, Timestamp};

/// For the first listing of a project of which several refs are watched: how many pipelines are
/// listed for each one that is wanted of a ref.
const LISTED_FOR_REFS: usize = 4;

impl Ingest {
    /// Runs one cycle. What could be read is handed over although something else failed; the first
    /// error is returned.
    pub(super) async fn cycle(&self, project: &Project, cursor: &mut Cursor) -> Result<(), Error> {
        let (listing, latest) = self.list(project, cursor).await?;
        let wanted = cursor.take_listing(listing, latest);
        let mut first_error = None;
        let mut answers = stream::iter(wanted)
            .map(|pipeline| async move {
                let jobs = self.client.pipeline_jobs(project.id, pipeline.id).await;
                (pipeline, jobs)
            })
            .buffered(CONCURRENT_REQUESTS);
        // In the order of the pipelines: the oldest first.
        while let Some((mut pipeline, answer)) = answers.next().await {
            match answer {
                Ok(found) => {
                    for rejected in &found.jobs.rejected {
                        self.sink.rejected(project, rejected);
                    }
                    pipeline.duration = pipeline.duration.or(found.running_time);
                    let mut jobs = found.jobs.items;
                    jobs.retain(|job| self.watch.jobs.matches(&job.name));
                    let at = self.sink.gitlab_now();
                    self.sink.observed(project, &pipeline, &jobs, at);
                    cursor.done(&pipeline);
                }
                Err(error) if matches!(error.fault(), Fault::NotFound(_)) => {
                    self.sink.gone(project, &pipeline);
                    cursor.gone(pipeline.id);
                }
                Err(error) => {
                    let ends_the_cycle = concerns_all(&error);
                    first_error.get_or_insert(error);
                    if ends_the_cycle {
                        break;
                    }
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Lists the watched pipelines that moved, and the latest `updated_at` of all that were listed.
    async fn list(
        &self,
        project: &Project,
        cursor: &Cursor,
    ) -> Result<(Vec<PipelineObservation>, Option<Timestamp>), Error> {
        let only_ref = project
            .default_branch
            .as_deref()
            .filter(|_| self.watch.refs.only_default());
        let updated_after = cursor.updated_after();
        let backfill = self.watch.backfill_pipelines;
        let query = PipelineQuery {
            updated_after,
            ref_name: only_ref.map(str::to_owned),
            order: if updated_after.is_some() {
                Order::UpdatedAt
            } else {
                Order::Id
            },
            at_most: updated_after.is_none().then_some(if only_ref.is_some() {
                backfill
            } else {
                backfill * LISTED_FOR_REFS
            }),
        };
        let listing = self.client.pipelines(project.id, &query).await?;
        for rejected in &listing.rejected {
            self.sink.rejected(project, rejected);
        }
        let latest = listing.items.iter().filter_map(|p| p.updated_at).max();
        let mut watched = listing.items;
        watched.retain(|pipeline| self.watches(project, pipeline));
        if updated_after.is_none() {
            newest_of_each_ref(&mut watched, backfill);
        }
        Ok((watched, latest))
    }

    fn watches(&self, project: &Project, pipeline: &PipelineObservation) -> bool {
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

/// Whether an error on one pipeline would meet the others too.
fn concerns_all(error: &Error) -> bool {
    matches!(
        error.fault(),
        Fault::Unauthorized(_)
            | Fault::Forbidden(_)
            | Fault::RateLimited { .. }
            | Fault::Timeout { .. }
            | Fault::Connection(_)
            | Fault::Certificate(_)
    )
}
