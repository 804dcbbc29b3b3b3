//! Trigger jobs (GitLab's bridges), and the pipelines they started.

use std::sync::Arc;

use ci_history::{JobObservation, Status, Timestamp, UnmaskedCommit};

use super::listing::{RejectReason, Rejected};
use super::record::{Reader, Record};
use super::validate::{Project, attempt};
use super::wire::{self, Value};

/// A trigger job, which GitLab calls a bridge.
#[derive(Debug, Clone, PartialEq)]
pub struct Bridge {
    /// The trigger job itself.
    pub job: JobObservation,
    /// Whether it is of a tag.
    pub tag: bool,
    /// Its commit; only if it failed.
    pub commit: Option<UnmaskedCommit>,
    /// The pipeline it started; `None` before it did, and where it could not.
    pub downstream: Option<Downstream>,
}

/// A pipeline that a trigger job started.
#[derive(Debug, Clone, PartialEq)]
pub struct Downstream {
    /// GitLab's global pipeline id.
    pub id: u64,
    /// Where it runs; missing before GitLab 14.
    pub project_id: Option<u64>,
    /// `parent_pipeline` of a child pipeline, `pipeline` of another; missing before GitLab 14.
    pub source: Option<Arc<str>>,
    /// Its status.
    pub status: Status,
    /// When its status last moved.
    pub updated_at: Option<Timestamp>,
    /// Its page in GitLab.
    pub web_url: Option<Arc<str>>,
}

/// Failure reason of a trigger job that failed with its pipeline, where GitLab gives no reason.
const DOWNSTREAM_FAILED: &str = "downstream_pipeline_failed";

/// GitLab's placeholder for a missing reason.
const UNKNOWN_FAILURE: &str = "unknown_failure";

/// `source` of a child pipeline.
const CHILD: &str = "parent_pipeline";

impl Downstream {
    /// Whether this is a child pipeline: one of the same project that is part of its parent, and not
    /// a pipeline of its own that was triggered there.
    pub fn is_child_of(&self, project: &Project) -> bool {
        let is_here = match (self.project_id, &self.web_url, &project.web_url) {
            (Some(id), ..) => id == project.id,
            (None, Some(page), Some(project)) => {
                page.strip_prefix(&**project).is_some_and(|rest| {
                    rest.starts_with("/-/pipelines/") || rest.starts_with("/pipelines/")
                })
            }
            _ => false,
        };
        is_here && self.source.as_deref().is_none_or(|source| source == CHILD)
    }
}

impl Record for Bridge {
    const KIND: &'static str = "bridge";
    type Wire<'a> = wire::Job<'a>;

    fn read(read: &mut Reader, mut wire: wire::Job<'_>) -> Result<Self, Rejected> {
        let timed = attempt(read, &wire)?;
        let (mut job, tag, commit) = (timed.job, timed.tag, timed.commit);
        let downstream = match std::mem::take(&mut wire.downstream_pipeline) {
            Value::Missing => None,
            pipeline => Some(downstream(pipeline)?),
        };
        let has_failed = downstream
            .as_ref()
            .is_some_and(|downstream| downstream.status == Status::Failed);
        let says_nothing = job
            .failure_reason
            .as_deref()
            .is_none_or(|reason| reason == UNKNOWN_FAILURE);
        if job.status == Status::Failed && has_failed && says_nothing {
            job.failure_reason = Some(Arc::from(DOWNSTREAM_FAILED));
        }
        let moved_at = downstream.as_ref().and_then(|pipeline| pipeline.updated_at);
        job.moved_at = moved_at.or(job.created_at);
        Ok(Self {
            job,
            tag,
            commit,
            downstream,
        })
    }
}

fn downstream(pipeline: Value<'_, wire::Pipeline<'_>>) -> Result<Downstream, Rejected> {
    let (mut read, wire) = Reader::open("downstream_pipeline", pipeline)?;
    let id = read.id(&wire.id)?;
    let status = read.required("status", &wire.status, RejectReason::MissingStatus)?;
    let project_id = match &wire.project_id {
        Value::Missing => None,
        id => Some(read.other_id("project_id", id)?),
    };
    Ok(Downstream {
        id,
        project_id,
        source: read.text("source", &wire.source)?.map(Arc::from),
        status: Status::parse(status),
        updated_at: read.time("updated_at", &wire.updated_at)?,
        web_url: read.link("web_url", &wire.web_url)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::record::decode_one;
    use super::*;

    fn project() -> Project {
        Project {
            id: 3,
            path: "acme/shop".into(),
            web_url: Some("https://git.example/acme/shop".into()),
            default_branch: Some("main".into()),
            hides_default_branch: false,
            archived: false,
        }
    }

    fn bridge_of(status: &str, downstream: &Value) -> Result<Bridge, Rejected> {
        let record = json!({
            "id": 7, "name": "frontend", "stage": "test", "status": status,
            "failure_reason": "unknown_failure", "downstream_pipeline": downstream,
        });
        decode_one(&record.to_string()).map(|(_, bridge)| bridge)
    }

    fn is_child(downstream: &Value) -> bool {
        let found = bridge_of("success", downstream).unwrap().downstream;
        found.unwrap().is_child_of(&project())
    }

    #[test]
    fn a_child_runs_in_the_same_project_and_was_started_as_a_child() {
        let of = |project: Value, source: Value| {
            let page = "https://git.example/acme/shop/-/pipelines/9";
            is_child(&json!({
                "id": 9, "status": "running", "project_id": project, "source": source, "web_url": page,
            }))
        };
        assert!(of(json!(3), json!("parent_pipeline")));
        assert!(of(json!(3), Value::Null));
        assert!(of(Value::Null, Value::Null), "told by its page");
        assert!(!of(json!(4), json!("pipeline")));
        assert!(!of(json!(3), json!("pipeline")), "a pipeline of its own");
    }

    #[test]
    fn a_page_of_another_project_is_none_of_a_child() {
        for page in [
            "https://git.example/acme/shop-two/-/pipelines/9",
            "https://git.example/acme/shop/two/-/pipelines/9",
            "https://git.example/acme/other/-/pipelines/9",
        ] {
            let downstream = json!({"id": 9, "status": "running", "web_url": page});
            assert!(!is_child(&downstream), "{page}");
        }
    }

    #[test]
    fn a_trigger_job_that_ends_as_its_pipeline_does_says_so() {
        let reason = |status: &str, downstream: &Value| {
            let found = bridge_of(status, downstream).unwrap();
            found.job.failure_reason.map(|reason| reason.to_string())
        };
        let child = |status: &str| json!({"id": 9, "status": status});
        let told = reason("failed", &child("failed"));
        assert_eq!(told.as_deref(), Some("downstream_pipeline_failed"));
        let told = reason("failed", &Value::Null);
        assert_eq!(told.as_deref(), Some("unknown_failure"));
        assert_eq!(reason("success", &child("failed")), None);
    }

    #[test]
    fn a_trigger_job_with_a_pipeline_that_cannot_be_read_is_rejected() {
        let rejected = bridge_of("failed", &json!({"id": "x", "status": "failed"})).unwrap_err();
        assert_eq!(rejected.reason, RejectReason::WrongType);
        let rejected = bridge_of("failed", &json!({"id": 3})).unwrap_err();
        assert_eq!(rejected.reason, RejectReason::MissingStatus);
    }
}
