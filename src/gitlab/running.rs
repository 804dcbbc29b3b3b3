//! The jobs of pipelines of several projects that go on, by one GraphQL request.

use std::collections::HashMap;

use ci_history::Status;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::client::Client;
use super::graphql::{NotTold, Untold, gids, nodes};
use super::graphql_jobs::{JOBS, JobPage};
use super::graphql_scalars::number;
use super::validate::PipelineJobs;

/// Pipelines of a project in one answer, the newest. Others are left out.
const MOST_PIPELINES: usize = 5;

/// A status of pipelines that a runner works on, or is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// GitLab's `pending`.
    Pending,
    /// GitLab's `running`.
    Running,
}

impl Progress {
    /// Of a pipeline with this status.
    pub fn of(status: Status) -> Option<Self> {
        match status {
            Status::Pending => Some(Self::Pending),
            Status::Running => Some(Self::Running),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
        }
    }
}

/// The jobs of pipelines.
#[derive(Debug, Default, PartialEq)]
pub struct JobsOfPipelines {
    /// By pipeline: every attempt of its jobs, without the reasons of some failures. A pipeline of which not all is told for certain is left out, and so is one with trigger jobs.
    pub of_pipelines: HashMap<u64, PipelineJobs>,
    /// Pipelines that GraphQL never tells whole: with trigger jobs, or with more jobs than a page.
    pub beyond: Vec<u64>,
    /// Whether GitLab ran out of time before the end.
    pub is_cut: bool,
}

fn query() -> String {
    format!(
        "query RunningPipelines($ids: [ID!], $status: PipelineStatusEnum, $projects: Int, $most: Int) {{
  projects(ids: $ids, first: $projects) {{
    nodes {{
      running: pipelines(status: $status, first: $most) {{
        nodes {{
          id
{JOBS}
        }}
      }}
    }}
  }}
}}"
    )
}

impl Client {
    /// The jobs of the pipelines of these projects that have this status now, of each project the newest ones.
    ///
    /// # Errors
    ///
    /// See [`NotTold`].
    pub async fn jobs_of_pipelines(
        &self,
        projects: &[u64],
        progress: Progress,
    ) -> Result<JobsOfPipelines, NotTold> {
        let question = json!({
            "query": query(),
            "operationName": "RunningPipelines",
            "variables": {
                "ids": gids(projects),
                "status": progress.word(),
                "projects": projects.len(),
                "most": MOST_PIPELINES,
            },
        });
        self.ask_about_projects(projects.len(), &question, told)
            .await
    }
}

fn told(body: &[u8]) -> Result<JobsOfPipelines, Untold> {
    let (nodes, is_cut) = nodes::<ProjectNode<'_>>(body)?;
    let mut found = JobsOfPipelines {
        is_cut,
        ..JobsOfPipelines::default()
    };
    for project in nodes {
        project.add_to(&mut found);
    }
    Ok(found)
}

#[derive(Deserialize)]
struct ProjectNode<'a> {
    /// Read on its own, so that one odd project does not spoil the others.
    #[serde(borrow, default)]
    running: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PipelineList<'a> {
    #[serde(borrow)]
    nodes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct PipelineNode {
    id: String,
    /// Null if the token may not read them.
    jobs: Option<JobPage>,
}

impl ProjectNode<'_> {
    fn add_to(self, found: &mut JobsOfPipelines) {
        let list = self
            .running
            .and_then(|list| serde_json::from_str::<PipelineList<'_>>(list.get()).ok());
        for node in list.map_or_else(Vec::new, |list| list.nodes) {
            let Some((id, page)) = pipeline(node) else {
                continue;
            };
            if page.is_beyond() {
                found.beyond.push(id);
            } else if let Some(jobs) = page.told() {
                found.of_pipelines.insert(id, jobs);
            }
        }
    }
}

fn pipeline(node: &RawValue) -> Option<(u64, JobPage)> {
    let node: PipelineNode = serde_json::from_str(node.get()).ok()?;
    Some((number(&node.id, "Ci::Pipeline")?, node.jobs?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ci_history::Span;

    const JOB: &str = r#"{"id":"gid://gitlab/Ci::Build/7","name":"unit","status":"RUNNING","stage":{"name":"test"},"tags":[],
        "allow_failure":false,"created_at":"2026-01-05T10:00:02Z","started_at":"2026-01-05T10:00:05Z","finished_at":null,
        "duration":11,"queued_duration":3.25,"failure_message":null,"is_of_tag":false}"#;

    fn pipeline(id: u64, jobs: &str) -> String {
        format!(r#"{{"id":"gid://gitlab/Ci::Pipeline/{id}","jobs":{jobs}}}"#)
    }

    fn page(jobs: &str, more: bool) -> String {
        format!(r#"{{"nodes":[{jobs}],"pageInfo":{{"hasNextPage":{more}}}}}"#)
    }

    fn answer(lists: &[String], rest: &str) -> JobsOfPipelines {
        let nodes = lists.iter().map(|list| format!(r#"{{"running":{list}}}"#));
        let nodes = nodes.collect::<Vec<_>>().join(",");
        let body = format!(r#"{{"data":{{"projects":{{"nodes":[{nodes},null]}}}}{rest}}}"#);
        told(body.as_bytes()).unwrap()
    }

    #[test]
    fn pipelines_of_which_not_all_is_told_are_left_out() {
        let bridge = JOB.replace("Ci::Build", "Ci::Bridge");
        let odd = JOB.replace("2026-01-05T10:00:05Z", "yesterday");
        let list = [
            pipeline(1, &page(JOB, false)),
            pipeline(2, &page(JOB, true)),
            pipeline(3, &page(&bridge, false)),
            pipeline(4, &page(&odd, false)),
            pipeline(5, &page("", false)),
            pipeline(6, "null"),
            "null".to_owned(),
        ];
        let list = format!(r#"{{"nodes":[{}]}}"#, list.join(","));
        let timeout = r#","errors":[{"message":"Timeout on Pipeline.jobs"}]"#;
        let found = answer(&[list, "null".to_owned()], timeout);
        assert!(found.is_cut);
        assert!(found.of_pipelines.keys().eq([&1]));
        assert_eq!(found.beyond, [2, 3]);
    }

    #[test]
    fn jobs_are_told_with_whole_seconds_and_failures_only_with_a_certain_reason() {
        let pending = JOB.replace("RUNNING", "PENDING").replace("/7", "/8");
        let script = JOB.replace("RUNNING", "FAILED").replace("/7", "/9");
        let other = script.replace("/9", "/10").replace(
            r#""failure_message":null"#,
            r#""failure_message":"The runner is gone""#,
        );
        let all = [JOB.to_owned(), pending, script, other].join(",");
        let list = format!(r#"{{"nodes":[{}]}}"#, pipeline(1, &page(&all, false)));
        let found = answer(&[list], "");
        assert!(!found.is_cut);
        let jobs = &found.of_pipelines[&1].jobs.items;
        let times = jobs.iter().map(|job| {
            let seconds = |span: Option<Span>| span.map(|span| span.micros() / 1_000_000);
            (seconds(job.duration), seconds(job.queued_duration))
        });
        let ended = (Some(11), Some(3));
        let times: Vec<_> = times.collect();
        assert_eq!(times, [(None, Some(3)), (None, Some(3)), ended, ended]);
        let reasons: Vec<_> = jobs
            .iter()
            .map(|job| job.failure_reason.as_deref())
            .collect();
        assert_eq!(reasons, [None, None, Some("script_failure"), None]);
    }
}
