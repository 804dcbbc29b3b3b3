//! Reads watched pipelines from GitLab, and hands them to the observations. Polling and backfill share it.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::details::Details;
use super::events::Observations;
use super::recheck::may_lag;
use super::sight::last_movement;
use crate::config::Watch;
use crate::gitlab::{Client, Error, Project, Rejected};
use ci_history::{JobObservation, Masker, PipelineObservation};

/// Reads pipelines with their jobs and children.
pub struct Reader {
    pub(super) client: Client,
    pub(super) watch: Arc<Watch>,
    pub(super) observations: Arc<dyn Observations>,
    pub(super) details: Details,
}

impl Reader {
    /// Reads what `watch` says through `client`, into `observations`.
    pub fn new(client: Client, watch: Watch, observations: Arc<dyn Observations>) -> Self {
        Self {
            details: Details::new(client.clone(), watch.interval),
            client,
            watch: Arc::new(watch),
            observations,
        }
    }

    /// Asks for a pipeline whose jobs answered 404: a lagging replica may not have it yet. What it says of a
    /// pipeline that moved just now is not believed either.
    ///
    /// # Errors
    ///
    /// `missed` if GitLab still knows the pipeline.
    pub(super) async fn confirm_removed(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        missed: Error,
    ) -> Result<(), Error> {
        if may_lag(last_movement(pipeline), self.observations.gitlab_now()) {
            return Err(missed);
        }
        match self.client.pipeline(project.id, pipeline.id).await {
            Err(error) if error.is_not_found() => {
                self.observations.pipeline_removed(project, pipeline);
                Ok(())
            }
            Err(error) => Err(error),
            Ok(_) => Err(missed),
        }
    }

    pub(super) fn observed(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
    ) {
        let at = self.observations.gitlab_now();
        self.observations.observed(project, pipeline, jobs, at);
    }

    /// Masks the tokens of the client, and what else is secret.
    pub(super) fn masker(&self) -> Masker {
        let tokens = self.client.secrets();
        let others = self.observations.secrets();
        let secrets = tokens.iter().chain(&others);
        Masker::new(secrets.map(ExposeSecret::expose_secret))
    }

    pub(super) fn report_rejected(&self, rejected: &[Rejected]) {
        for rejected in rejected {
            self.observations.rejected(rejected);
        }
    }

    /// Whether a pipeline's ref and source are watched.
    pub(super) fn watches(&self, project: &Project, pipeline: &PipelineObservation) -> bool {
        let default_branch = project.default_branch.as_deref();
        self.watch.refs.matches(&pipeline.ref_name, default_branch)
            && self.watch.sources.matches(pipeline.source.as_deref())
    }
}
