//! The newest pipelines of the same branch of several projects with their jobs, by one GraphQL request.
//!
//! GraphQL does not tell everything that REST does. What it tells is exact: a pipeline of which it does not tell enough
//! comes without jobs, to be read by REST.

use std::collections::HashMap;

use ci_history::{PipelineObservation, Status};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::client::Client;
use super::graphql::{NotTold, Untold, gids, nodes};
use super::graphql_jobs::{JOBS, JobPage};
use super::graphql_scalars::number;
use super::moved::PipelineNode;
use super::validate::PipelineJobs;

fn query() -> String {
    format!(
        "query NewestPipelines($ids: [ID!], $ref: String, $most: Int) {{
  projects(ids: $ids, first: 100) {{
    nodes {{
      id
      newest: pipelines(ref: $ref, first: $most) {{
        nodes {{
          id status ref sha source created_at: createdAt updated_at: updatedAt
{JOBS}
        }}
      }}
    }}
  }}
}}"
    )
}

/// One of the newest pipelines.
#[derive(Debug, Clone, PartialEq)]
pub struct NewestPipeline {
    /// Without an address.
    pub pipeline: PipelineObservation,
    /// Every attempt of its jobs, with times in whole seconds; `None` if they are to be read by REST.
    pub jobs: Option<PipelineJobs>,
}

/// The newest pipelines, newest first, by project, and whether GitLab ran out of time before the end.
pub type NewestPipelines = (HashMap<u64, Vec<NewestPipeline>>, bool);

impl Client {
    /// The newest pipelines of a branch of these projects. A project that the answer does not tell of for certain is left
    /// out.
    ///
    /// # Errors
    ///
    /// See [`NotTold`].
    pub async fn newest_pipelines(
        &self,
        projects: &[u64],
        branch: &str,
        most: usize,
    ) -> Result<NewestPipelines, NotTold> {
        let question = json!({
            "query": query(),
            "operationName": "NewestPipelines",
            "variables": {"ids": gids(projects), "ref": branch, "most": most},
        });
        self.ask_about_projects(projects.len(), &question, told)
            .await
    }
}

fn told(body: &[u8]) -> Result<NewestPipelines, Untold> {
    let (nodes, is_cut) = nodes::<ProjectNode<'_>>(body)?;
    Ok((
        nodes.into_iter().filter_map(ProjectNode::told).collect(),
        is_cut,
    ))
}

#[derive(Deserialize)]
struct ProjectNode<'a> {
    id: String,
    /// Read on its own, so that one odd project does not spoil the others.
    #[serde(borrow, default)]
    newest: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PipelineList {
    nodes: Vec<WithJobs>,
}

#[derive(Deserialize)]
struct WithJobs {
    #[serde(flatten)]
    pipeline: PipelineNode,
    /// Null if the token may not read them.
    jobs: Option<JobPage>,
}

impl ProjectNode<'_> {
    fn told(self) -> Option<(u64, Vec<NewestPipeline>)> {
        let list: PipelineList = serde_json::from_str(self.newest?.get()).ok()?;
        let pipelines: Option<_> = list.nodes.into_iter().map(WithJobs::told).collect();
        Some((number(&self.id, "Project")?, pipelines?))
    }
}

impl WithJobs {
    fn told(self) -> Option<NewestPipeline> {
        Some(NewestPipeline {
            pipeline: self.pipeline.observed()?,
            jobs: self.jobs.and_then(JobPage::told).filter(is_explained),
        })
    }
}

/// Whether GraphQL tells the reason of every failure.
fn is_explained(jobs: &PipelineJobs) -> bool {
    let mut jobs = jobs.jobs.items.iter();
    jobs.all(|job| job.status != Status::Failed || job.failure_reason.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = r#"{"id":"gid://gitlab/Ci::Build/7","name":"unit","status":"SUCCESS","stage":{"name":"test"},"tags":["b","a"],
        "allow_failure":false,"created_at":"2026-01-05T10:00:02Z","started_at":"2026-01-05T10:00:05Z",
        "finished_at":"2026-01-05T10:01:05Z","failure_message":null,"is_of_tag":false}"#;

    fn pipeline(jobs: &str, more: bool) -> NewestPipeline {
        let body = format!(
            r#"{{"data":{{"projects":{{"nodes":[{{"id":"gid://gitlab/Project/42","newest":{{"nodes":[
            {{"id":"gid://gitlab/Ci::Pipeline/9","status":"FAILED","ref":"main","sha":"c0ffee","source":"push",
            "created_at":"2026-01-05T10:00:02Z","updated_at":"2026-01-05T10:04:40Z",
            "jobs":{{"nodes":[{jobs}],"pageInfo":{{"hasNextPage":{more}}}}}}}]}}}}]}}}}}}"#
        );
        let (mut projects, is_cut) = told(body.as_bytes()).ok().unwrap();
        assert!(!is_cut);
        projects.remove(&42).unwrap().remove(0)
    }

    #[test]
    fn jobs_are_those_of_rest() {
        let failed = PASSED
            .replace("SUCCESS", "FAILED")
            .replace("Build/7", "Build/8");
        let found = pipeline(&format!("{PASSED},{failed}"), false);
        let jobs = found.jobs.unwrap().jobs.items;
        assert_eq!((&*jobs[0].tags, &*jobs[0].stage), ("a,b", "test"));
        assert_eq!(jobs[0].failure_reason, None);
        assert_eq!(jobs[1].failure_reason.as_deref(), Some("script_failure"));
        let seconds = jobs[1].finished_at.unwrap().unix() - jobs[1].started_at.unwrap().unix();
        assert_eq!(seconds, 60);
    }

    #[test]
    fn a_pipeline_of_which_not_everything_is_told_comes_without_jobs() {
        let failed = PASSED.replace("SUCCESS", "FAILED");
        let with_message = failed.replace("null", r#""There has been a runner system failure""#);
        let unstarted = failed.replace(r#""2026-01-05T10:00:05Z""#, "null");
        let bridge = PASSED.replace("Ci::Build", "Ci::Bridge");
        let odd = PASSED.replace("2026-01-05T10:01:05Z", "yesterday");
        for jobs in [&*with_message, &*unstarted, &*bridge, &*odd, ""] {
            assert_eq!(pipeline(jobs, false).jobs, None, "{jobs}");
        }
        assert_eq!(pipeline(PASSED, true).jobs, None);
        assert!(pipeline(PASSED, false).jobs.is_some());
    }
}
