//! Questions about GitLab itself and about our own token.

use std::borrow::Cow;

use ci_history::Timestamp;
use gitlab::api::Endpoint as GitlabEndpoint;
use gitlab::api::personal_access_tokens::PersonalAccessTokenSelf;
use gitlab::api::projects::Project as GetProject;
use http::Method;
use serde_json::value::RawValue;

use super::answer::excerpt;
use super::client::Client;
use super::error::Error;
use super::error_kind::ErrorKind;
use super::listing::{RejectReason, Rejected};
use super::record::{Reader, Record};
use super::times;
use super::wire::{self, Value};
use crate::base::api::Endpoint;

/// Scopes and end of the own token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// `api`, `read_api`, ..
    pub scopes: Vec<String>,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
}

impl TokenFacts {
    /// Whether the scopes suffice for every request of this program.
    pub fn reads_the_api(&self) -> bool {
        self.scopes
            .iter()
            .any(|scope| scope == "api" || scope == "read_api")
    }
}

/// `GET /metadata`, or `GET /version` of before GitLab 15.2. The `gitlab` crate lacks both.
struct GetVersion(&'static str);

impl GitlabEndpoint for GetVersion {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        self.0.into()
    }
}

impl Client {
    /// The scopes and the end of our token.
    pub async fn token_facts(&self) -> Result<TokenFacts, Error> {
        let call = self.call(Endpoint::Token, "the access token".to_owned());
        let endpoint = call.built(PersonalAccessTokenSelf::builder().build())?;
        call.one(&endpoint).await
    }

    /// GitLab's version, such as `18.4.0-ee`.
    pub async fn version(&self) -> Result<String, Error> {
        let call = self.call(Endpoint::Metadata, "GitLab's version".to_owned());
        match call.one::<Version>(&GetVersion("metadata")).await {
            Err(error) if error.is_not_found() => {
                // Any GitLab knows it. Of both refusals the first one tells more.
                let version = call.one::<Version>(&GetVersion("version")).await;
                version.map_err(|_| error)
            }
            answer => answer,
        }
        .map(|Version(version)| version)
    }

    /// Whether a refusal to list pipelines comes from CI/CD being switched off in the project, where
    /// GitLab answers 403 whatever the token may do. Any other error stays as it is.
    pub async fn why_refused(&self, project: u64, error: Error) -> Error {
        if !matches!(error.kind(), ErrorKind::Forbidden(_)) {
            return error;
        }
        let call = self.call(Endpoint::Project, format!("project {project}"));
        let Ok(endpoint) = call.built(GetProject::builder().project(project).build()) else {
            return error;
        };
        match call.one(&endpoint).await {
            Ok(CiIsDisabled(true)) => error.because(ErrorKind::CiDisabled),
            _ => error,
        }
    }
}

impl Record for TokenFacts {
    const KIND: &'static str = "token";
    type Wire<'a> = wire::Token<'a>;

    fn read(read: &mut Reader, wire: wire::Token<'_>) -> Result<Self, Rejected> {
        let scopes = wire.scopes.map_or("[]", RawValue::get);
        let expires_at = read.text("expires_at", &wire.expires_at)?;
        Ok(Self {
            scopes: serde_json::from_str(scopes).unwrap_or_default(),
            // A day; the token ends when it begins, in UTC.
            expires_at: expires_at
                .and_then(|day| times::parse(&format!("{day}T00:00:00Z")))
                .and_then(times::whole_seconds),
        })
    }
}

/// GitLab's version, such as `18.4.0-ee`.
struct Version(String);

impl Record for Version {
    const KIND: &'static str = "metadata";
    type Wire<'a> = wire::Metadata<'a>;

    fn read(read: &mut Reader, wire: wire::Metadata<'_>) -> Result<Self, Rejected> {
        let version = read.required("version", &wire.version, RejectReason::WrongType)?;
        Ok(Self(excerpt(version)))
    }
}

/// Whether CI/CD is switched off in a project.
#[derive(Debug, PartialEq, Eq)]
struct CiIsDisabled(bool);

impl Record for CiIsDisabled {
    const KIND: &'static str = "project";
    type Wire<'a> = wire::Project<'a>;

    fn read(read: &mut Reader, wire: wire::Project<'_>) -> Result<Self, Rejected> {
        let level = read.text("builds_access_level", &wire.builds_access_level)?;
        let is_disabled = matches!(wire.jobs_enabled, Value::Flag(false));
        Ok(Self(level == Some("disabled") || is_disabled))
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::decode_one;
    use super::*;

    fn token(json: &str) -> TokenFacts {
        decode_one(json).unwrap().1
    }

    #[test]
    fn a_token_ends_at_the_beginning_of_its_day() {
        let facts = token(r#"{"scopes":["read_api"],"expires_at":"2026-04-05"}"#);
        assert!(facts.reads_the_api());
        assert_eq!(facts.expires_at, Timestamp::from_unix(1_775_347_200));
        let facts = token(r#"{"scopes":["read_user"],"expires_at":null}"#);
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
            let (_, found): (_, CiIsDisabled) = decode_one(text).unwrap();
            assert_eq!(found, CiIsDisabled(wanted), "{text}");
        }
    }
}
