//! The questions that can be asked of GitLab.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use ci_history::{PipelineObservation, Timestamp};
use gitlab::api::common::{NameOrId, SortOrder};
use gitlab::api::groups::projects::{GroupProjects, GroupProjectsOrderBy};
use gitlab::api::projects::Project as GetProject;
use gitlab::api::projects::pipelines::{
    Pipeline as GetPipeline, PipelineBridges, PipelineJobs as GetPipelineJobs, PipelineOrderBy,
    Pipelines,
};
use secrecy::SecretString;

use super::call::Call;
use super::downstream::Bridge;
use super::error::Error;
use super::listing::{Listing, Pages};
use super::options::{BuildError, Options};
use super::paging::Limit;
use super::rate_limiter::ProjectRequests;
use super::record::Record;
use super::request_flow::RequestFlow;
use super::slow_order::may_be_the_order;
use super::transport::{Expected, Transport};
use super::transport_metrics::TransportMetrics;
use super::validate::{PipelineJobs, Project};
use crate::base::api::Endpoint;

/// Pages after which wanted pipelines are not searched for any further.
const SEARCHED_PAGES: usize = 20;

/// A GitLab that can be asked. Clones share connections, rate and pauses.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
}

/// Which pipelines of a project are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineQuery {
    /// Only those whose status moved at this time or later.
    pub updated_after: Option<Timestamp>,
    /// Only those of this branch or tag.
    pub ref_name: Option<String>,
    /// Descending.
    pub order: Order,
    /// Only that many, the first ones in the order.
    pub at_most: Option<usize>,
}

/// The order of pipelines; always descending, so that a pipeline that moves while the pages are
/// read comes twice rather than never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The last one whose status moved comes first.
    #[default]
    UpdatedAt,
    /// The last one created comes first.
    Id,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api", &self.transport.api().as_str())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Sets up the client. Asks nothing: a GitLab that is down does not stop the start.
    pub fn new(options: Options, metrics: Arc<dyn TransportMetrics>) -> Result<Self, BuildError> {
        Ok(Self {
            transport: Arc::new(Transport::new(options, metrics)?),
        })
    }

    /// How requests go now.
    pub fn request_flow(&self) -> RequestFlow {
        let transport = &self.transport;
        RequestFlow {
            next_probe: transport.breaker.closed_for(),
            largest_listing: transport.largest_listing.load(Ordering::Relaxed),
            ..transport.limiter.request_flow()
        }
    }

    /// Counts the requests about one project, by whatever clone of the client they are sent.
    pub fn requests_of(&self, project: u64) -> ProjectRequests {
        self.transport.limiter.requests_of(&project.to_string())
    }

    /// All access tokens that were in force since the start, to keep them out of what is shown.
    pub fn secrets(&self) -> Vec<SecretString> {
        self.transport.secrets()
    }

    /// One project, by its id or its full path.
    pub async fn project(&self, id_or_path: &str) -> Result<Project, Error> {
        self.project_as(id_or_path).await
    }

    /// The same project, as what is needed of it.
    pub(super) async fn project_as<R: Record>(&self, id_or_path: &str) -> Result<R, Error> {
        let call = self.call(Endpoint::Project, format!("project {id_or_path}"));
        let endpoint = call.built(
            GetProject::builder()
                .project(name_or_id(id_or_path))
                .build(),
        )?;
        call.one(&endpoint).await
    }

    /// The projects of a group that are not archived and belong to it, not those shared with it. A project that
    /// leaves the group meanwhile hides no other one.
    pub async fn group_projects(
        &self,
        group: &str,
        include_subgroups: bool,
    ) -> Result<Listing<Project>, Error> {
        let call = self.call(Endpoint::GroupProjects, format!("group {group}"));
        let endpoint = call.built(
            GroupProjects::builder()
                .group(name_or_id(group))
                .include_subgroups(include_subgroups)
                .with_shared(false)
                .archived(false)
                .simple(true)
                // An order that no activity changes while the pages are read.
                .order_by(GroupProjectsOrderBy::Id)
                .sort(SortOrder::Ascending)
                .build(),
        )?;
        call.list_by_id(&endpoint).await
    }

    /// Waits until another token comes into force, because the file of the token was replaced.
    pub async fn token_renewed(&self) {
        self.transport.credentials.renewed().await;
    }

    /// Pipelines of a project, without child pipelines (GitLab leaves them out). Where GitLab refuses their order, or
    /// takes too long for it, all of them come by id.
    pub async fn pipelines(
        &self,
        project: u64,
        query: &PipelineQuery,
    ) -> Result<Listing<PipelineObservation>, Error> {
        let is_replaceable = query.order == Order::UpdatedAt && query.at_most.is_none();
        if !is_replaceable {
            return self.ordered_pipelines(project, query).await;
        }
        let by_id = PipelineQuery {
            order: Order::Id,
            ..query.clone()
        };
        let slow_order = &self.transport.slow_order;
        if slow_order.applies_to(project) {
            return self.ordered_pipelines(project, &by_id).await;
        }
        match self.ordered_pipelines(project, query).await {
            Err(error) if may_be_the_order(&error) => {
                let listing = self.ordered_pipelines(project, &by_id).await;
                // If that fails, too, the order is not the cause.
                let listing = listing.map_err(|_| error.clone())?;
                slow_order.give_up(project, &error);
                Ok(listing)
            }
            answer => answer,
        }
    }

    async fn ordered_pipelines(
        &self,
        project: u64,
        query: &PipelineQuery,
    ) -> Result<Listing<PipelineObservation>, Error> {
        let call = self.call(Endpoint::Pipelines, format!("project {project}"));
        let endpoint = pipelines_endpoint(&call, project, query)?;
        let items = query.at_most.unwrap_or(usize::MAX);
        call.list(
            &endpoint,
            Limit {
                items,
                ..Limit::ALL
            },
        )
        .await
    }

    /// The first pipelines of a project that are `wanted`, as many as the query says at most. What
    /// lies many pages behind others is not searched for.
    pub async fn find_pipelines(
        &self,
        project: u64,
        query: &PipelineQuery,
        wanted: &(dyn Fn(&PipelineObservation) -> bool + Send + Sync),
    ) -> Result<Listing<PipelineObservation>, Error> {
        let call = self.call(Endpoint::Pipelines, format!("project {project}"));
        let endpoint = pipelines_endpoint(&call, project, query)?;
        let limit = Limit {
            items: query.at_most.unwrap_or(usize::MAX),
            pages: SEARCHED_PAGES,
        };
        call.list_wanted(&endpoint, limit, wanted).await
    }

    /// One pipeline.
    pub async fn pipeline(
        &self,
        project: u64,
        pipeline: u64,
    ) -> Result<PipelineObservation, Error> {
        let subject = format!("pipeline {pipeline} of project {project}");
        let call = self.call(Endpoint::Pipeline, subject);
        let endpoint = call.built(
            GetPipeline::builder()
                .project(project)
                .pipeline(pipeline)
                .build(),
        )?;
        call.one(&endpoint).await
    }

    /// Every attempt of every job of a pipeline.
    pub async fn pipeline_jobs(&self, project: u64, pipeline: u64) -> Result<PipelineJobs, Error> {
        Ok(self.jobs_of(project, pipeline).await?.into())
    }

    /// The same listing, each record as what is needed of it.
    pub(super) async fn jobs_of<R: Record + Send>(
        &self,
        project: u64,
        pipeline: u64,
    ) -> Result<Pages<R>, Error> {
        let subject = format!("pipeline {pipeline} of project {project}");
        let call = self.call(Endpoint::PipelineJobs, subject);
        let endpoint = call.built(
            GetPipelineJobs::builder()
                .project(project)
                .pipeline(pipeline)
                .include_retried(true)
                .build(),
        )?;
        call.list_growing(&endpoint).await
    }

    /// The trigger jobs of a pipeline: of each the last attempt, as GitLab gives no other.
    pub async fn bridges(&self, project: u64, pipeline: u64) -> Result<Listing<Bridge>, Error> {
        let subject = format!("pipeline {pipeline} of project {project}");
        let call = self.call(Endpoint::PipelineBridges, subject);
        let endpoint = call.built(
            PipelineBridges::builder()
                .project(project)
                .pipeline(pipeline)
                .build(),
        )?;
        call.list(&endpoint, Limit::ALL).await
    }

    pub(super) fn call(&self, endpoint: Endpoint, subject: String) -> Call<'_> {
        Call {
            transport: &self.transport,
            endpoint,
            subject,
            expected: Expected::Json,
        }
    }
}

/// The endpoint of a project's pipelines.
fn pipelines_endpoint<'a>(
    call: &Call<'_>,
    project: u64,
    query: &'a PipelineQuery,
) -> Result<Pipelines<'a>, Error> {
    let mut builder = Pipelines::builder();
    builder
        .project(project)
        .sort(SortOrder::Descending)
        .order_by(match query.order {
            Order::UpdatedAt => PipelineOrderBy::UpdatedAt,
            Order::Id => PipelineOrderBy::Id,
        });
    if let Some(time) = query.updated_after.and_then(date_time) {
        builder.updated_after(time);
    }
    if let Some(ref_name) = query.ref_name.as_deref() {
        builder.ref_(ref_name);
    }
    call.built(builder.build())
}

fn name_or_id(text: &str) -> NameOrId<'_> {
    text.parse()
        .map_or_else(|_| NameOrId::from(text), NameOrId::Id)
}

pub(super) fn date_time(time: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.unix(), 0)
}
