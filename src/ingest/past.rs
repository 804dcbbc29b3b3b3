//! Reading the past of a project, oldest first.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use super::children::Family;
use super::cycle::Latest;
use super::discovery::Catalog;
use super::{CONCURRENT_REQUESTS, Ingest};
use crate::gitlab::{Error, Project};
use crate::model::{PipelineObservation, Timestamp};

/// The watched pipelines of a project that moved since some time.
#[derive(Debug)]
pub struct Past {
    /// Oldest first.
    pub pipelines: Vec<PipelineObservation>,
    /// When the last one of the project moved, watched or not.
    pub latest: Option<Timestamp>,
}

impl Ingest {
    /// Asks once for what the configuration names. What cannot be found is told to the sink, and then
    /// the answer is not complete: the second value is false.
    pub async fn projects(&self) -> (BTreeMap<u64, Project>, bool) {
        let mut catalog = Catalog::default();
        let complete = self.discover(&mut catalog).await;
        (catalog.projects(self.watch.shard), complete)
    }

    /// Lists what moved since.
    pub async fn past(&self, project: &Project, since: Timestamp) -> Result<Past, Error> {
        let latest = Latest::default();
        let mut pipelines = self.moved_since(project, since).await?;
        for pipeline in &pipelines {
            latest.note(pipeline);
        }
        pipelines.retain(|pipeline| self.watches(project, pipeline));
        pipelines.sort_by_key(|pipeline| pipeline.id);
        let latest = self.no_later_than_now(&latest);
        Ok(Past { pipelines, latest })
    }

    /// Reads the jobs of pipelines, and hands them over in the order of the pipelines. Ends at the first
    /// error: what comes after must not be counted before.
    pub async fn read_past(
        &self,
        project: &Project,
        pipelines: Vec<PipelineObservation>,
    ) -> Result<(), Error> {
        let mut answers = stream::iter(pipelines)
            .map(|pipeline| async move {
                let nothing = Family::default();
                let reading = self.read_pipeline(project, pipeline.id, nothing).await;
                (pipeline, reading)
            })
            .buffered(CONCURRENT_REQUESTS);
        while let Some((mut pipeline, answer)) = answers.next().await {
            match answer {
                Ok(mut reading) => {
                    if let Some(error) = reading.failed.take() {
                        return Err(error);
                    }
                    self.hand_over(project, &mut pipeline, reading);
                }
                // Deleted since it was listed.
                Err(error) if error.is_not_found() => {
                    self.miss(project, &pipeline, error).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
