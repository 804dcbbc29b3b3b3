//! Questions about many projects, each by one GraphQL request.
//!
//! A project that an answer does not tell of for certain is left out of it: one that the token may not see, whose
//! pipelines came with an error or as a part only, or with a record that is not as documented. It is read by REST,
//! which says why. An empty list is no proof of anything either: GitLab gives it where the token may not read
//! pipelines.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::Value;

use super::answer::excerpt;
use super::call::check_json;
use super::client::Client;
use super::error::Error;
use super::error_kind::ErrorKind;
use crate::base::api::{CircuitState, Endpoint};

/// Most projects of one question: GitLab's longest page.
pub const MOST_PROJECTS: usize = 100;

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
#[derive(Debug)]
pub(super) struct Untold {
    message: String,
    is_too_much: bool,
}

#[cfg(test)]
impl Untold {
    pub(super) fn is_too_much(&self) -> bool {
        self.is_too_much
    }
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
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub(super) has_next_page: bool,
}
