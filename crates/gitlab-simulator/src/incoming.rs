//! Requests with their bodies and tokens.

use std::error::Error;

use http::{HeaderMap, Method, Request, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Collected, Limited};

use super::accounts::{Scope, Token};
use super::params::Params;
use super::reply::Reply;
use super::world::World;

/// Bytes of a body that are read at most.
const MAX_BODY: usize = 1 << 20;

/// A request with its body.
pub(super) struct Incoming {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) path: String,
    headers: HeaderMap,
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

    /// The percent-encoded path after `/api/v4`; `None` for a path outside the API.
    pub(super) fn route(&self, prefix: &str) -> Option<&str> {
        self.path.strip_prefix(prefix)?.strip_prefix("/api/v4")
    }

    /// The token of the request, or GitLab's refusal.
    pub(super) fn authenticate(&self, world: &World) -> Result<Token, Reply> {
        let text = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = || text("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let secret = text("private-token").or_else(bearer);
        let token = secret.and_then(|secret| world.token(secret));
        let token = token.ok_or_else(Reply::unauthorized)?;
        if self.writes() && !token.scopes.contains(&Scope::Api) {
            return Err(Reply::insufficient_scope());
        }
        Ok(token.clone())
    }
}
