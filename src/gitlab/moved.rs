//! The pipelines of many projects that moved, by one GraphQL request.

use std::collections::HashMap;

use ci_history::{PipelineObservation, Status, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;

use super::client::{Client, date_time};
use super::graphql::{NotTold, PageInfo, Untold, gids, nodes};
use super::graphql_scalars::{number, optional_time, time};
use super::moved_child::{MovedChild, moved_children};

/// Pipelines of a project in one answer. With more, the project is left out.
const MOST_PIPELINES: usize = 20;

/// The pipelines that moved. The fields have the names of REST.
const MOVED: &str = "\
      moved: pipelines(updatedAfter: $since, first: $most) {
        nodes { id status ref sha source created_at: createdAt updated_at: updatedAt }
        pageInfo { hasNextPage }
      }";

/// Child pipelines that moved: GitLab lists them only where nothing else is wanted.
const CHILDREN: &str = "\
      children: pipelines(source: \"parent_pipeline\", updatedAfter: $since, first: $most) {
        nodes { id status updated_at: updatedAt upstream { id source upstream { id } } }
      }";

/// Whether there is any schedule.
const SCHEDULES: &str = "\
      schedules: pipelineSchedules(first: 1) { nodes { id } }";

/// What is asked besides the pipelines that moved. Older GitLabs do not know all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Besides {
    /// Child pipelines.
    pub children: bool,
    /// Whether a project has schedules.
    pub schedules: bool,
}

impl Besides {
    fn query(self) -> String {
        let mut parts = vec![MOVED];
        parts.extend(self.children.then_some(CHILDREN));
        parts.extend(self.schedules.then_some(SCHEDULES));
        let parts = parts.join("\n");
        format!(
            "query MovedPipelines($ids: [ID!], $since: Time!, $most: Int) {{\n  \
               projects(ids: $ids, first: 100) {{\n    nodes {{\n      id\n{parts}\n    }}\n  }}\n}}"
        )
    }
}

/// What moved in a project.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moved {
    /// Without addresses.
    pub pipelines: Vec<PipelineObservation>,
    /// Child pipelines, where they were asked for. Not always all of them.
    pub children: Vec<MovedChild>,
    /// Whether the project has schedules; `None` if that was not asked, or GitLab does not tell. Without the right to see
    /// them: that there are none.
    pub has_schedules: Option<bool>,
}

/// The pipelines that moved.
#[derive(Debug, Default, PartialEq)]
pub struct MovedPipelines {
    /// By project.
    pub of_projects: HashMap<u64, Moved>,
    /// Whether GitLab ran out of time before the end.
    pub is_cut: bool,
}

impl Client {
    /// The pipelines of these projects, at most [`MOST_PROJECTS`](super::graphql::MOST_PROJECTS), that moved at this time or
    /// later, newest first.
    ///
    /// # Errors
    ///
    /// See [`NotTold`]. Nothing is asked while GitLab does not answer other requests.
    pub async fn moved_pipelines(
        &self,
        projects: &[u64],
        since: Timestamp,
        besides: Besides,
    ) -> Result<MovedPipelines, NotTold> {
        let ids = gids(projects);
        let question = json!({
            "query": besides.query(),
            "operationName": "MovedPipelines",
            "variables": {"ids": ids, "since": date_time(since).map(|time| time.to_rfc3339()), "most": MOST_PIPELINES},
        });
        self.ask_about_projects(projects.len(), &question, told)
            .await
    }
}

/// The projects that an answer tells of for certain.
fn told(body: &[u8]) -> Result<MovedPipelines, Untold> {
    let (nodes, is_cut) = nodes::<ProjectNode<'_>>(body)?;
    Ok(MovedPipelines {
        of_projects: nodes.into_iter().filter_map(ProjectNode::told).collect(),
        is_cut,
    })
}

#[derive(Deserialize)]
struct ProjectNode<'a> {
    id: String,
    /// Read on its own, so that one odd project does not spoil the others.
    #[serde(borrow, default)]
    moved: Option<&'a RawValue>,
    #[serde(borrow, default)]
    children: Option<&'a RawValue>,
    #[serde(borrow, default)]
    schedules: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct SchedulePage {
    nodes: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PipelinePage {
    nodes: Vec<PipelineNode>,
    page_info: PageInfo,
}

#[derive(Deserialize)]
pub(super) struct PipelineNode {
    id: String,
    status: String,
    #[serde(rename = "ref")]
    ref_name: String,
    sha: Option<String>,
    source: Option<String>,
    created_at: Option<String>,
    updated_at: String,
}

impl ProjectNode<'_> {
    fn told(self) -> Option<(u64, Moved)> {
        let page: PipelinePage = serde_json::from_str(self.moved?.get()).ok()?;
        if page.page_info.has_next_page {
            return None;
        }
        let pipelines: Option<_> = page.nodes.into_iter().map(PipelineNode::observed).collect();
        let moved = Moved {
            pipelines: pipelines?,
            children: self.children.map(moved_children).unwrap_or_default(),
            has_schedules: self.schedules.and_then(has_any),
        };
        Some((number(&self.id, "Project")?, moved))
    }
}

impl PipelineNode {
    pub(super) fn observed(self) -> Option<PipelineObservation> {
        let created_at = optional_time(self.created_at.as_deref())?;
        Some(PipelineObservation {
            id: number(&self.id, "Ci::Pipeline")?,
            ref_name: Some(self.ref_name).filter(|name| !name.is_empty())?.into(),
            tag: false,
            sha: self.sha.unwrap_or_default().into(),
            status: Status::parse(&self.status.to_ascii_lowercase()),
            source: self.source.map(Into::into),
            created_at,
            updated_at: Some(time(&self.updated_at)?),
            duration: None,
            failure_reason: None,
            has_other_jobs: false,
            web_url: None,
            commit_info: None,
            is_partial: false,
        })
    }
}

/// Whether a page of schedules has any; `None` if it is no page.
fn has_any(page: &RawValue) -> Option<bool> {
    let page: SchedulePage = serde_json::from_str(page.get()).ok()?;
    Some(!page.nodes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(nodes: &str, rest: &str) -> String {
        format!(r#"{{"data":{{"projects":{{"nodes":[{nodes}]}}}}{rest}}}"#)
    }

    fn project(id: u64, pipelines: &str, more: bool) -> String {
        format!(
            r#"{{"id":"gid://gitlab/Project/{id}","moved":{{"nodes":[{pipelines}],"pageInfo":{{"hasNextPage":{more}}}}}}}"#
        )
    }

    const PIPELINE: &str = r#"{"id":"gid://gitlab/Ci::Pipeline/9001","status":"WAITING_FOR_RESOURCE","ref":"main","sha":"c0ffee",
        "source":"push","created_at":"2026-01-05T10:00:02Z","updated_at":"2026-01-05T10:04:40.731Z"}"#;

    #[test]
    fn a_pipeline_is_read_as_the_one_of_rest() {
        let told = told(answer(&project(42, PIPELINE, false), "").as_bytes());
        let told = told.unwrap();
        let rest = r#"{"id":9001,"status":"waiting_for_resource","ref":"main","sha":"c0ffee","source":"push",
            "created_at":"2026-01-05T10:00:02.000Z","updated_at":"2026-01-05T10:04:40.731Z"}"#;
        let rest: Box<RawValue> = serde_json::from_str(rest).unwrap();
        let rest = super::super::decode_pipeline(&rest).unwrap();
        let moved = Moved {
            pipelines: vec![rest],
            ..Moved::default()
        };
        assert_eq!(told.of_projects, HashMap::from([(42, moved)]));
        assert!(!told.is_cut);
    }

    #[test]
    fn schedules_are_told_where_gitlab_lists_them() {
        let of = |schedules: &str| {
            let pipelines = r#""moved":{"nodes":[],"pageInfo":{"hasNextPage":false}}"#;
            let node =
                format!(r#"{{"id":"gid://gitlab/Project/1",{pipelines},"schedules":{schedules}}}"#);
            told(answer(&node, "").as_bytes()).unwrap().of_projects[&1].has_schedules
        };
        assert_eq!(of(r#"{"nodes":[]}"#), Some(false));
        assert_eq!(of(r#"{"nodes":[{"id":"1"}]}"#), Some(true));
        assert_eq!(of("null"), None);
    }

    #[test]
    fn what_an_old_gitlab_does_not_know_is_not_asked() {
        let query = |children, schedules| {
            let besides = Besides {
                children,
                schedules,
            };
            besides.query()
        };
        let all = query(true, true);
        assert!(all.contains("parent_pipeline") && all.contains("pipelineSchedules"));
        let pipelines = query(false, false);
        assert!(!pipelines.contains("parent_pipeline") && !pipelines.contains("pipelineSchedules"));
    }

    #[test]
    fn a_project_that_is_not_told_of_for_certain_is_left_out() {
        let odd_time = PIPELINE.replace("2026-01-05T10:04:40.731Z", "yesterday");
        let child = PIPELINE.replace("Ci::Pipeline", "Ci::Build");
        let null = r#"{"id":"gid://gitlab/Project/6","moved":null}"#;
        let nodes = [
            project(1, "", false),
            project(2, PIPELINE, true),
            project(3, &odd_time, false),
            project(4, &child, false),
            project(5, "null", false),
            null.to_owned(),
            "null".to_owned(),
        ];
        let timeout = r#","errors":[{"message":"Timeout on Project.pipelines","path":["projects","nodes",5,"moved"]}]"#;
        let told = told(answer(&nodes.join(","), timeout).as_bytes());
        let told = told.unwrap();
        assert_eq!(told.of_projects, HashMap::from([(1, Moved::default())]));
        assert!(told.is_cut);
    }

    #[test]
    fn an_answer_without_data_says_whether_fewer_projects_may_help() {
        let refusal = |message: &str| {
            let body = format!(r#"{{"errors":[{{"message":"{message}"}}]}}"#);
            told(body.as_bytes()).err().unwrap().is_too_much()
        };
        assert!(refusal(
            "Query has complexity of 271, which exceeds max complexity of 250"
        ));
        assert!(refusal("Timeout on Query.projects"));
        assert!(!refusal(
            "Field 'pipelines' doesn't accept argument 'updatedAfter'"
        ));
        let told = told(br#"{"data":{"projects":null}}"#);
        assert!(!told.err().unwrap().is_too_much());
    }
}
