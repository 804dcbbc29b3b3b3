//! What changes something in GitLab, and what is read right before and after it.
//!
//! These requests are sent once: an answer that was lost says nothing about what GitLab has done.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use ci_history::{JobObservation, Status, Timestamp};
use gitlab::api::projects::deployments::Deployments as AnyDeployments;
use gitlab::api::projects::jobs::{Job as GetJob, PlayJob, RetryJob};
use gitlab::api::projects::pipeline_schedules::PlayPipelineSchedule;
use gitlab::api::projects::pipelines::CreatePipeline;
use gitlab::api::users::CurrentUser;
use gitlab::api::{Pageable, QueryParams};
use http::Method;

use super::client::Client;
use super::error::Error;
use super::listing::{Listing, RejectReason, Rejected};
use super::paging::Limit;
use super::record::{Reader, Record};
use super::wire::{self, Value};
use crate::base::api::Endpoint;

/// Deployments whose jobs are looked at.
const DEPLOYMENTS: usize = 100;

/// One attempt of a job, as far as an action on it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// GitLab's job id.
    pub id: u64,
    /// Full name.
    pub name: Arc<str>,
    /// Stage.
    pub stage: Arc<str>,
    /// Status.
    pub status: Status,
    /// Whether the pipeline passes although the job fails.
    pub allow_failure: bool,
    /// Whether GitLab keeps no definition of the job any more.
    pub archived: bool,
    /// Who started it.
    pub user: Option<u64>,
    /// The pipeline that has it.
    pub pipeline_id: Option<u64>,
    /// Its creation.
    pub created_at: Option<Timestamp>,
    /// Its end.
    pub finished_at: Option<Timestamp>,
}

/// The deployments of a project in pages, the newest first. The crate's endpoint knows no pages.
struct Deployments<'a>(AnyDeployments<'a>);

impl gitlab::api::Endpoint for Deployments<'_> {
    fn method(&self) -> Method {
        self.0.method()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        self.0.endpoint()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        parameters.push("order_by", "id").push("sort", "desc");
        parameters
    }
}

impl Pageable for Deployments<'_> {}

/// Only the id of a record.
struct Id(u64);

/// The name of the job of a deployment; empty if it has none.
struct Deployed(Arc<str>);

/// An answer of which nothing is used.
struct Accepted;

impl Client {
    /// The id of the token's user.
    pub async fn user(&self) -> Result<u64, Error> {
        let call = self.call(Endpoint::User, "the token's user".to_owned());
        let endpoint = call.built(CurrentUser::builder().build())?;
        Ok(call.one::<Id>(&endpoint).await?.0)
    }

    /// One attempt of a job.
    pub async fn attempt(&self, project: u64, job: u64) -> Result<Attempt, Error> {
        let call = self.call(Endpoint::Job, format!("job {job} of project {project}"));
        let endpoint = call.built(GetJob::builder().project(project).job(job).build())?;
        call.one(&endpoint).await
    }

    /// Every attempt of every job of a pipeline.
    pub async fn attempts(&self, project: u64, pipeline: u64) -> Result<Vec<Attempt>, Error> {
        Ok(Listing::from(self.jobs_of(project, pipeline).await?).items)
    }

    /// The names of the jobs of a project's newest deployments.
    pub async fn deployed_jobs(&self, project: u64) -> Result<BTreeSet<Arc<str>>, Error> {
        let call = self.call(Endpoint::Deployments, format!("project {project}"));
        let endpoint = call.built(AnyDeployments::builder().project(project).build())?;
        let endpoint = Deployments(endpoint);
        let limit = Limit {
            items: DEPLOYMENTS,
            ..Limit::ALL
        };
        let listing: Listing<Deployed> = call.list(&endpoint, limit).await?;
        let names = listing.items.into_iter().map(|deployed| deployed.0);
        Ok(names.filter(|name| !name.is_empty()).collect())
    }

    /// Retries a job. Returns the new attempt.
    pub async fn retry_job(&self, project: u64, job: u64) -> Result<Attempt, Error> {
        let call = self.call(
            Endpoint::RetryJob,
            format!("job {job} of project {project}"),
        );
        let endpoint = call.built(RetryJob::builder().project(project).job(job).build())?;
        call.one(&endpoint).await
    }

    /// Starts a manual job. Returns it.
    pub async fn play_job(&self, project: u64, job: u64) -> Result<Attempt, Error> {
        let call = self.call(Endpoint::PlayJob, format!("job {job} of project {project}"));
        let endpoint = call.built(PlayJob::builder().project(project).job(job).build())?;
        call.one(&endpoint).await
    }

    /// Starts a pipeline on the head of a ref. Returns its id.
    pub async fn start_pipeline(&self, project: u64, ref_name: &str) -> Result<u64, Error> {
        let call = self.call(Endpoint::StartPipeline, format!("project {project}"));
        let endpoint = call.built(
            CreatePipeline::builder()
                .project(project)
                .ref_(ref_name)
                .build(),
        )?;
        Ok(call.one::<Id>(&endpoint).await?.0)
    }

    /// Asks GitLab to run a schedule. Its pipeline comes later.
    pub async fn run_schedule(&self, project: u64, schedule: u64) -> Result<(), Error> {
        let subject = format!("pipeline schedule {schedule} of project {project}");
        let call = self.call(Endpoint::RunSchedule, subject);
        let endpoint = call.built(
            PlayPipelineSchedule::builder()
                .project(project)
                .id(schedule)
                .build(),
        )?;
        call.one::<Accepted>(&endpoint).await.map(drop)
    }
}

impl From<JobObservation> for Attempt {
    /// Of a trigger job: nobody archives those, and of the user nothing is known.
    fn from(job: JobObservation) -> Self {
        Self {
            id: job.id,
            name: job.name,
            stage: job.stage,
            status: job.status,
            allow_failure: job.allow_failure,
            archived: false,
            user: None,
            pipeline_id: None,
            created_at: job.created_at,
            finished_at: job.finished_at,
        }
    }
}

impl Record for Attempt {
    const KIND: &'static str = "job";
    type Wire<'a> = wire::Attempt<'a>;

    fn read(read: &mut Reader, wire: wire::Attempt<'_>) -> Result<Self, Rejected> {
        let id = read.id(&wire.id)?;
        let name = read.required("name", &wire.name, RejectReason::MissingName)?;
        let status = read.required("status", &wire.status, RejectReason::MissingStatus)?;
        let id_of = |record: Value<'_, wire::OnlyId<'_>>| match record.object()?.id {
            Value::Whole(id) => Some(id),
            _ => None,
        };
        Ok(Self {
            id,
            name: name.into(),
            stage: read.text("stage", &wire.stage)?.unwrap_or_default().into(),
            status: Status::parse(status),
            allow_failure: read.flag("allow_failure", &wire.allow_failure)?,
            archived: read.flag("archived", &wire.archived)?,
            user: id_of(wire.user),
            pipeline_id: id_of(wire.pipeline),
            created_at: read.time("created_at", &wire.created_at)?,
            finished_at: read.time("finished_at", &wire.finished_at)?,
        })
    }
}

impl Record for Id {
    const KIND: &'static str = "record";
    type Wire<'a> = wire::OnlyId<'a>;

    fn read(read: &mut Reader, wire: wire::OnlyId<'_>) -> Result<Self, Rejected> {
        read.id(&wire.id).map(Self)
    }
}

impl Record for Accepted {
    const KIND: &'static str = "answer";
    type Wire<'a> = wire::OnlyId<'a>;

    fn read(_: &mut Reader, _: wire::OnlyId<'_>) -> Result<Self, Rejected> {
        Ok(Self)
    }
}

impl Record for Deployed {
    const KIND: &'static str = "deployment";
    type Wire<'a> = wire::Deployment<'a>;

    fn read(read: &mut Reader, wire: wire::Deployment<'_>) -> Result<Self, Rejected> {
        read.id(&wire.id)?;
        let name = wire.deployable.object().map(|job| job.name);
        let name = name.as_ref().map(|name| read.text("deployable.name", name));
        Ok(Self(name.transpose()?.flatten().unwrap_or_default().into()))
    }
}
