//! Questions about GitLab itself and about our own token.

use std::borrow::Cow;

use gitlab::api::Endpoint as GitlabEndpoint;
use gitlab::api::personal_access_tokens::PersonalAccessTokenSelf;
use gitlab::api::projects::Project as GetProject;
use http::Method;
use serde_json::value::RawValue;

use super::client::Client;
use super::error::Error;
use super::fault::Fault;
use super::record::{Reader, RejectReason, Rejected};
use super::{times, wire};
use crate::base::api::Endpoint;
use crate::model::Timestamp;

/// What GitLab says of the token that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// What it may do: `api`, `read_api`, ..
    pub scopes: Vec<String>,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
}

impl TokenFacts {
    /// Whether it may read all that is asked for.
    pub fn reads_the_api(&self) -> bool {
        self.scopes
            .iter()
            .any(|scope| scope == "api" || scope == "read_api")
    }
}

/// `GET /metadata`, which the `gitlab` crate lacks.
struct GetMetadata;

impl GitlabEndpoint for GetMetadata {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        "metadata".into()
    }
}

impl Client {
    /// The scopes and the end of our token.
    pub async fn token_facts(&self) -> Result<TokenFacts, Error> {
        let call = self.call(Endpoint::Token, "the access token".to_owned());
        let endpoint = call.built(PersonalAccessTokenSelf::builder().build())?;
        call.one(&endpoint, token).await
    }

    /// GitLab's version, such as `18.4.0-ee`.
    pub async fn version(&self) -> Result<String, Error> {
        let call = self.call(Endpoint::Metadata, "GitLab's version".to_owned());
        call.one(&GetMetadata, version).await
    }

    /// Whether a refusal to list pipelines comes from CI/CD being switched off in the project, where
    /// GitLab answers 403 whatever the token may do. Any other error stays as it is.
    pub async fn why_refused(&self, project: u64, error: Error) -> Error {
        if !matches!(error.fault(), Fault::Forbidden(_)) {
            return error;
        }
        let call = self.call(Endpoint::Project, format!("project {project}"));
        let Ok(endpoint) = call.built(GetProject::builder().project(project).build()) else {
            return error;
        };
        match call.one(&endpoint, has_no_ci).await {
            Ok(true) => error.because(Fault::CiDisabled),
            _ => error,
        }
    }
}

fn token(record: &RawValue) -> Result<TokenFacts, Rejected> {
    let (read, wire): (_, wire::Token<'_>) = Reader::open("token", record)?;
    let scopes = wire.scopes.map_or("[]", RawValue::get);
    let expires_at = read.text("expires_at", wire.expires_at)?;
    Ok(TokenFacts {
        scopes: serde_json::from_str(scopes).unwrap_or_default(),
        // A day; the token ends when it begins, in UTC.
        expires_at: expires_at
            .and_then(|day| times::parse(&format!("{day}T00:00:00Z")))
            .and_then(times::whole_seconds),
    })
}

fn version(record: &RawValue) -> Result<String, Rejected> {
    let (read, wire): (_, wire::Metadata<'_>) = Reader::open("metadata", record)?;
    let version = read.required("version", wire.version, RejectReason::WrongType)?;
    Ok(super::answer::excerpt(&version))
}

fn has_no_ci(record: &RawValue) -> Result<bool, Rejected> {
    let (read, wire): (_, wire::Ci<'_>) = Reader::open("project", record)?;
    let level = read.text("builds_access_level", wire.builds_access_level)?;
    let enabled = wire.jobs_enabled.map(RawValue::get);
    Ok(level.as_deref() == Some("disabled") || enabled == Some("false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_token_ends_at_the_beginning_of_its_day() {
        let facts = token(&raw(r#"{"scopes":["read_api"],"expires_at":"2026-04-05"}"#)).unwrap();
        assert!(facts.reads_the_api());
        assert_eq!(facts.expires_at, Timestamp::from_unix(1_775_347_200));
        let facts = token(&raw(r#"{"scopes":["read_user"],"expires_at":null}"#)).unwrap();
        assert!(!facts.reads_the_api());
        assert_eq!(facts.expires_at, None);
    }

    #[test]
    fn ci_is_switched_off_where_gitlab_says_so() {
        for (text, wanted) in [
            (r#"{"builds_access_level":"disabled"}"#, true),
            (r#"{"jobs_enabled":false}"#, true),
            (
                r#"{"builds_access_level":"private","jobs_enabled":true}"#,
                false,
            ),
            ("{}", false),
        ] {
            assert_eq!(has_no_ci(&raw(text)), Ok(wanted), "{text}");
        }
    }
}
