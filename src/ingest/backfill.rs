//! Reading a project back to some time, oldest pipeline first.

use futures_util::{StreamExt as _, stream};
use tracing::Instrument as _;

use super::details::DetailsBy;
use super::family::Family;
use super::intervals::CONCURRENT_REQUESTS;
use super::listing::Latest;
use super::reader::Reader;
use super::span::pipeline_span;
use crate::gitlab::{Error, Project};
use ci_history::{PipelineObservation, Timestamp};

/// The watched pipelines of a project that moved since some time.
#[derive(Debug)]
pub struct BackfillListing {
    /// Oldest first.
    pub pipelines: Vec<PipelineObservation>,
    /// When the last pipeline of the project moved, watched or not.
    pub latest: Option<Timestamp>,
}

impl Reader {
    /// Lists the watched pipelines that moved since.
    pub async fn backfill_listing(
        &self,
        project: &Project,
        since: Timestamp,
    ) -> Result<BackfillListing, Error> {
        let latest = Latest::default();
        let mut pipelines = self.moved_since(project, since).await?;
        for pipeline in &pipelines {
            latest.note(pipeline);
        }
        pipelines.retain(|pipeline| self.watches(project, pipeline));
        pipelines.sort_by_key(|pipeline| pipeline.id);
        let latest = self.no_later_than_now(&latest);
        Ok(BackfillListing { pipelines, latest })
    }

    /// Reads the jobs of pipelines, and hands them over in the order of the pipelines. Ends at the first
    /// error: a later pipeline must not be counted before an earlier one.
    pub async fn read_in_order(
        &self,
        project: &Project,
        pipelines: Vec<PipelineObservation>,
    ) -> Result<(), Error> {
        let mut answers = stream::iter(pipelines)
            .map(|pipeline| async move {
                let span = pipeline_span(pipeline.id);
                let read =
                    self.read_pipeline(project, &pipeline, Family::default(), DetailsBy::Rest);
                let answer = read.instrument(span.clone()).await;
                (pipeline, answer, span)
            })
            .buffered(CONCURRENT_REQUESTS);
        while let Some((mut pipeline, answer, span)) = answers.next().await {
            match answer {
                Ok(mut read) => {
                    if let Some(error) = read.failed.take() {
                        return Err(error);
                    }
                    span.in_scope(|| self.hand_over(project, &mut pipeline, read));
                }
                // Deleted since it was listed.
                Err(error) if error.is_not_found() => {
                    let confirmed = self.confirm_removed(project, &pipeline, error);
                    confirmed.instrument(span).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
