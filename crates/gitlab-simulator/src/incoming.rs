//! Requests with their bodies and tokens.

use std::error::Error;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Collected, Limited};

use super::accounts::{Scope, Token};
use super::params::Params;
use super::reply::Reply;
use super::world::World;

/// Bytes of a body that are read at most.
const MAX_BODY: usize = 1 << 20;

/// The API that a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api<'a> {
    /// The percent-encoded path after `/api/v4`.
    Rest(&'a str),
    Graphql,
}

/// A request with its body.
pub(super) struct Incoming {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) path: String,
    headers: HeaderMap,
    pub(super) body: Bytes,
    /// `None` if the body is not what its content type says.
    pub(super) params: Option<Params>,
}

impl Incoming {
    pub(super) async fn read<B>(request: Request<B>) -> Self
    where
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map(Collected::to_bytes).unwrap_or_default();
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|value| value.to_str().ok());
        let query = parts.uri.query().unwrap_or_default();
        Self {
            params: Params::parse(query, kind.unwrap_or_default(), &body),
            method: parts.method,
            path: parts.uri.path().to_owned(),
            target: parts.uri.to_string(),
            headers: parts.headers,
            body,
        }
    }

    pub(super) fn accepts_gzip(&self) -> bool {
        let accepted = self.headers.get_all(header::ACCEPT_ENCODING);
        let mut accepted = accepted.iter();
        accepted.any(|value| value.to_str().is_ok_and(|value| value.contains("gzip")))
    }

    pub(super) fn writes(&self) -> bool {
        self.method != Method::GET && self.method != Method::HEAD
    }

    /// `None` for a path outside the APIs.
    pub(super) fn api(&self, prefix: &str) -> Option<Api<'_>> {
        let below = self.path.strip_prefix(prefix)?;
        if below == "/api/graphql" {
            return Some(Api::Graphql);
        }
        below.strip_prefix("/api/v4").map(Api::Rest)
    }

    /// The token of a request for REST, or GitLab's refusal.
    pub(super) fn authenticate(&self, world: &World) -> Result<Token, Reply> {
        let token = self.token(world).ok_or_else(Reply::unauthorized)?;
        if token.expires_at.is_some_and(|end| end <= world.now()) {
            return Err(Reply::token_expired());
        }
        let reads = token.scopes.iter().any(|scope| *scope != Scope::ReadUser);
        let ends = [
            "/user",
            "/personal_access_tokens/self",
            "/metadata",
            "/version",
        ];
        if !reads && !ends.iter().any(|end| self.path.ends_with(end)) {
            return Err(Reply::insufficient_scope());
        }
        if self.writes() && !token.scopes.contains(&Scope::Api) {
            return Err(Reply::insufficient_scope());
        }
        Ok(token.clone())
    }

    /// The token of a request for GraphQL, or GitLab's refusal.
    pub(super) fn authenticate_query(&self, world: &World) -> Result<Token, Reply> {
        let now = world.now();
        let reads = |token: &&Token| {
            token.scopes.iter().any(|scope| *scope != Scope::ReadUser)
                && token.expires_at.is_none_or(|end| end > now)
        };
        let token = self.token(world).filter(reads).cloned();
        token.ok_or_else(|| Reply::graphql_error(StatusCode::UNAUTHORIZED, "Invalid token"))
    }

    fn token<'w>(&self, world: &'w World) -> Option<&'w Token> {
        let text = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = || text("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let secret = text("private-token").or_else(bearer);
        secret.and_then(|secret| world.token(secret))
    }
}
