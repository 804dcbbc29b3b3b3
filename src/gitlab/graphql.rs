//! The pipelines of many projects that moved, by one GraphQL request.
//!
//! A project that the answer does not tell of for certain is left out of it: one that the token may not see, whose
//! pipelines came with an error or as a part only, or with a record that is not as documented. It is listed by REST,
//! which says why. An empty list is no proof of anything either: GitLab gives it where the token may not read
//! pipelines.

use std::collections::HashMap;

use bytes::Bytes;
use ci_history::{PipelineObservation, Status, Timestamp};
use http::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer::excerpt;
use super::call::check_json;
use super::client::{Client, date_time};
use super::error::Error;
use super::error_kind::ErrorKind;
use super::graphql_scalars::{number, optional_time, time};
use super::moved_child::{MovedChild, moved_children};
use crate::base::api::{CircuitState, Endpoint};

/// Most projects of one question: GitLab's longest page.
pub const MOST_PROJECTS: usize = 100;

/// Pipelines of a project in one answer. With more, the project is left out.
const MOST_PIPELINES: usize = 20;

/// The fields have the names of REST.
const QUERY: &str = "\
query MovedPipelines($ids: [ID!], $since: Time!, $most: Int) {
  projects(ids: $ids, first: 100) {
    nodes {
      id
      moved: pipelines(updatedAfter: $since, first: $most) {
        nodes { id status ref sha source created_at: createdAt updated_at: updatedAt }
        pageInfo { hasNextPage }
      }
    }
  }
}";

/// The same, with child pipelines: GitLab lists them only where nothing else is wanted.
const QUERY_WITH_CHILDREN: &str = "\
query MovedPipelines($ids: [ID!], $since: Time!, $most: Int) {
  projects(ids: $ids, first: 100) {
    nodes {
      id
      moved: pipelines(updatedAfter: $since, first: $most) {
        nodes { id status ref sha source created_at: createdAt updated_at: updatedAt }
        pageInfo { hasNextPage }
      }
      children: pipelines(source: \"parent_pipeline\", updatedAfter: $since, first: $most) {
        nodes { id status updated_at: updatedAt upstream { id source upstream { id } } }
      }
    }
  }
}";

/// What moved in a project.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moved {
    /// Without addresses.
    pub pipelines: Vec<PipelineObservation>,
    /// Child pipelines, where they were asked for. Not always all of them.
    pub children: Vec<MovedChild>,
}

/// The pipelines that moved.
#[derive(Debug, Default, PartialEq)]
pub struct MovedPipelines {
    /// By project.
    pub of_projects: HashMap<u64, Moved>,
    /// Whether GitLab ran out of time before the end.
    pub is_cut: bool,
}

/// Why a question about many projects was not answered.
#[derive(Debug)]
pub enum NotTold {
    /// GitLab takes too long for so many projects, or refuses so many.
    TooMuch(Error),
    /// This GitLab does not know such questions.
    Unsupported(Error),
    /// Something else, which says nothing about the question.
    Failed(Error),
}

impl Client {
    /// The pipelines of these projects, at most [`MOST_PROJECTS`], that moved at this time or later, newest first.
    /// `with_children`: child pipelines, too.
    ///
    /// # Errors
    ///
    /// See [`NotTold`]. Nothing is asked while GitLab does not answer other requests.
    pub async fn moved_pipelines(
        &self,
        projects: &[u64],
        since: Timestamp,
        with_children: bool,
    ) -> Result<MovedPipelines, NotTold> {
        let ids = gids(projects);
        let query = if with_children {
            QUERY_WITH_CHILDREN
        } else {
            QUERY
        };
        let question = json!({
            "query": query,
            "operationName": "MovedPipelines",
            "variables": {"ids": ids, "since": date_time(since).map(|time| time.to_rfc3339()), "most": MOST_PIPELINES},
        });
        self.ask_about_projects(projects.len(), &question, told)
            .await
    }

    /// Asks a question about so many projects. `told` reads the answer.
    pub(super) async fn ask_about_projects<T>(
        &self,
        projects: usize,
        question: &Value,
        told: impl Fn(&[u8]) -> Result<T, Untold>,
    ) -> Result<T, NotTold> {
        let subject = format!("the pipelines of {projects} projects");
        let call = self.call(Endpoint::Graphql, subject);
        let api = call.transport.api();
        let url = api.join("../graphql").unwrap_or_else(|_| api.clone());
        if call.transport.breaker.state() != CircuitState::Closed {
            let retry_in = call.transport.breaker.closed_for().unwrap_or_default();
            let kind = ErrorKind::CircuitOpen { retry_in };
            return Err(NotTold::Failed(call.error(&url, 0, kind)));
        }
        let read = |answer: Response<Bytes>| {
            check_json(answer.body())?;
            Ok(answer.into_body())
        };
        let body = call.post(&url, question.to_string().into(), &read).await;
        let body = body.map_err(|error| match error.kind() {
            ErrorKind::ServerError { .. }
            | ErrorKind::Timeout { .. }
            | ErrorKind::TooLarge { .. }
            | ErrorKind::Truncated(_) => NotTold::TooMuch(error),
            ErrorKind::NotFound(_)
            | ErrorKind::NotFromGitLab {
                status: 404 | 405, ..
            }
            | ErrorKind::Refused { .. }
            | ErrorKind::Redirect { .. } => NotTold::Unsupported(error),
            _ => NotTold::Failed(error),
        })?;
        told(&body).map_err(|untold| {
            let is_too_much = untold.is_too_much;
            let error = call.error(&url, 1, ErrorKind::Unexpected(untold.message));
            if is_too_much {
                NotTold::TooMuch(error)
            } else {
                NotTold::Unsupported(error)
            }
        })
    }
}

/// The global ids of projects, at most [`MOST_PROJECTS`].
pub(super) fn gids(projects: &[u64]) -> Vec<String> {
    let ids = projects.iter().take(MOST_PROJECTS);
    ids.map(|id| format!("gid://gitlab/Project/{id}")).collect()
}

/// An answer without data.
pub(super) struct Untold {
    message: String,
    is_too_much: bool,
}

/// The projects that an answer tells of for certain.
fn told(body: &[u8]) -> Result<MovedPipelines, Untold> {
    let (nodes, is_cut) = nodes::<ProjectNode<'_>>(body)?;
    Ok(MovedPipelines {
        of_projects: nodes.into_iter().filter_map(ProjectNode::told).collect(),
        is_cut,
    })
}

/// The projects of an answer, and whether GitLab ran out of time before the end.
pub(super) fn nodes<'a, P: Deserialize<'a>>(body: &'a [u8]) -> Result<(Vec<P>, bool), Untold> {
    let answer: Answer<P> = serde_json::from_slice(body).map_err(|error| Untold {
        message: format!("not the answer of GraphQL: {error}"),
        is_too_much: false,
    })?;
    let messages = answer.errors.into_iter().map(|error| error.message);
    let message = excerpt(&messages.collect::<Vec<_>>().join("; "));
    let is_too_much = ["complexity", "Timeout on", "timed out"]
        .iter()
        .any(|words| message.contains(words));
    let Some(projects) = answer.data.and_then(|data| data.projects) else {
        return Err(Untold {
            is_too_much,
            message: if message.is_empty() {
                "an answer without projects".to_owned()
            } else {
                message
            },
        });
    };
    let nodes = projects.nodes.into_iter().flatten();
    Ok((nodes.collect(), is_too_much))
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "P: Deserialize<'de>"))]
struct Answer<P> {
    #[serde(default)]
    data: Option<Data<P>>,
    #[serde(default)]
    errors: Vec<Complaint>,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "P: Deserialize<'de>"))]
struct Data<P> {
    #[serde(default)]
    projects: Option<Projects<P>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "P: Deserialize<'de>"))]
struct Projects<P> {
    nodes: Vec<Option<P>>,
}

#[derive(Deserialize)]
struct ProjectNode<'a> {
    id: String,
    /// Read on its own, so that one odd project does not spoil the others.
    #[serde(borrow, default)]
    moved: Option<&'a RawValue>,
    #[serde(borrow, default)]
    children: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PipelinePage {
    nodes: Vec<PipelineNode>,
    page_info: PageInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub(super) has_next_page: bool,
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
        let told = told.unwrap_or_else(|untold| panic!("{}", untold.message));
        let rest = r#"{"id":9001,"status":"waiting_for_resource","ref":"main","sha":"c0ffee","source":"push",
            "created_at":"2026-01-05T10:00:02.000Z","updated_at":"2026-01-05T10:04:40.731Z"}"#;
        let rest: Box<RawValue> = serde_json::from_str(rest).unwrap();
        let rest = super::super::decode_pipeline(&rest).unwrap();
        let moved = Moved {
            pipelines: vec![rest],
            children: Vec::new(),
        };
        assert_eq!(told.of_projects, HashMap::from([(42, moved)]));
        assert!(!told.is_cut);
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
        let told = told.unwrap_or_else(|untold| panic!("{}", untold.message));
        assert_eq!(told.of_projects, HashMap::from([(1, Moved::default())]));
        assert!(told.is_cut);
    }

    #[test]
    fn an_answer_without_data_says_whether_fewer_projects_may_help() {
        let refusal = |message: &str| {
            let body = format!(r#"{{"errors":[{{"message":"{message}"}}]}}"#);
            told(body.as_bytes()).err().unwrap().is_too_much
        };
        assert!(refusal(
            "Query has complexity of 271, which exceeds max complexity of 250"
        ));
        assert!(refusal("Timeout on Query.projects"));
        assert!(!refusal(
            "Field 'pipelines' doesn't accept argument 'updatedAfter'"
        ));
        let told = told(br#"{"data":{"projects":null}}"#);
        assert!(!told.err().unwrap().is_too_much);
    }
}
