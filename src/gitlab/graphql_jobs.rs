//! The jobs of a pipeline in answers of GraphQL.
//!
//! GraphQL does not tell everything that REST does: failures have no reason, and commits cost GitLab much. Durations are
//! whole seconds, never longer than those of REST. Of two durations of an attempt the longer one counts, so that
//! a reading by REST completes them. The rest is exact.

use std::sync::Arc;

use ci_history::{JobObservation, Span, Status};
use serde::Deserialize;

use super::graphql::PageInfo;
use super::graphql_scalars::{number, optional_time};
use super::listing::Listing;
use super::validate::{PipelineJobs, tags};

/// Asks for the jobs of a pipeline, every attempt. The fields have the names of REST. A pipeline with more jobs than a
/// page comes without them.
pub(super) const JOBS: &str = "\
          jobs(first: 100) {
            nodes {
              id name status stage { name } tags allow_failure: allowFailure created_at: createdAt
              started_at: startedAt finished_at: finishedAt duration queued_duration: queuedDuration
              failure_message: failureMessage is_of_tag: createdByTag
            }
            pageInfo { hasNextPage }
          }";

/// GitLab's reason of the only failures without a message.
const SCRIPT_FAILURE: &str = "script_failure";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobPage {
    nodes: Vec<JobNode>,
    page_info: PageInfo,
}

#[derive(Deserialize)]
struct JobNode {
    id: String,
    name: String,
    status: String,
    stage: Option<Stage>,
    tags: Option<Vec<String>>,
    allow_failure: bool,
    created_at: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    duration: Option<f64>,
    queued_duration: Option<f64>,
    failure_message: Option<String>,
    is_of_tag: bool,
}

#[derive(Deserialize)]
struct Stage {
    name: String,
}

impl JobPage {
    /// Whether there is more than is told: not all jobs are listed, or one is a trigger job, whose pipeline matters.
    pub(super) fn is_beyond(&self) -> bool {
        let mut jobs = self.nodes.iter();
        self.page_info.has_next_page || jobs.any(|job| number(&job.id, "Ci::Bridge").is_some())
    }

    /// The jobs, if there is no more than these. Without the reason of a failure that GraphQL does not tell.
    pub(super) fn told(self) -> Option<PipelineJobs> {
        if self.nodes.is_empty() || self.is_beyond() {
            return None;
        }
        let tag = self.nodes.iter().any(|job| job.is_of_tag);
        let jobs: Option<Vec<_>> = self.nodes.into_iter().map(JobNode::observed).collect();
        Some(PipelineJobs {
            jobs: Listing {
                items: jobs?,
                rejected: Vec::new(),
            },
            tag,
            ..PipelineJobs::default()
        })
    }
}

impl JobNode {
    /// `None` for a trigger job, and for what is no job of GitLab's.
    fn observed(self) -> Option<JobObservation> {
        let status = Status::parse(&self.status.to_ascii_lowercase());
        let has_started = self.started_at.is_some();
        let is_script_failure =
            status == Status::Failed && self.failure_message.is_none() && has_started;
        let stage = self.stage.map(|stage| stage.name).unwrap_or_default();
        Some(JobObservation {
            id: number(&self.id, "Ci::Build")?,
            name: Some(self.name).filter(|name| !name.is_empty())?.into(),
            stage: stage.into(),
            tags: tags(
                self.tags
                    .unwrap_or_default()
                    .into_iter()
                    .map(Into::into)
                    .collect(),
            ),
            status,
            allow_failure: self.allow_failure,
            created_at: optional_time(self.created_at.as_deref())?,
            started_at: optional_time(self.started_at.as_deref())?,
            finished_at: optional_time(self.finished_at.as_deref())?,
            // As in answers of REST, it grows while the job runs, and the wait of one that never starts for ever.
            duration: whole(self.duration).filter(|_| status.is_terminal()),
            queued_duration: whole(self.queued_duration)
                .filter(|_| has_started || status == Status::Pending),
            moved_at: None,
            failure_reason: is_script_failure.then(|| Arc::from(SCRIPT_FAILURE)),
            web_url: None,
        })
    }
}

/// A time in whole seconds.
fn whole(seconds: Option<f64>) -> Option<Span> {
    seconds.map(f64::floor).and_then(Span::from_seconds)
}
