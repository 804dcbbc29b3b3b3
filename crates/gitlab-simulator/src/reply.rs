//! Answers before they are serialized.

use http::StatusCode;
use serde_json::{Value, json};

/// Content of a body.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Json(Value),
    Text(String),
    Html(String),
}

/// Status, headers and body of one answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: Content,
}

impl Reply {
    pub(super) fn ok(value: Value) -> Self {
        Self::json(StatusCode::OK, value)
    }

    pub(super) fn json(status: StatusCode, value: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Json(value),
        }
    }

    pub(super) fn text(status: StatusCode, text: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Text(text.to_owned()),
        }
    }

    pub(super) fn html(status: StatusCode, text: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Html(text.to_owned()),
        }
    }

    /// `{"message": "404 Project Not Found"}`.
    pub(super) fn not_found(entity: &str) -> Self {
        let message = format!("404 {entity} Not Found");
        Self::json(StatusCode::NOT_FOUND, json!({ "message": message }))
    }

    /// GitLab's answer for an unknown pipeline or job.
    pub(super) fn record_not_found() -> Self {
        Self::json(StatusCode::NOT_FOUND, json!({ "message": "404 Not found" }))
    }

    pub(super) fn no_route() -> Self {
        Self::json(StatusCode::NOT_FOUND, json!({ "error": "404 Not Found" }))
    }

    pub(super) fn unauthorized() -> Self {
        Self::json(
            StatusCode::UNAUTHORIZED,
            json!({ "message": "401 Unauthorized" }),
        )
    }

    /// The 401 for a token that has ended.
    pub(super) fn token_expired() -> Self {
        Self::json(
            StatusCode::UNAUTHORIZED,
            json!({
                "error": "invalid_token",
                "error_description":
                    "Token is expired. You can either do re-authorization or token refresh.",
            }),
        )
    }

    /// An answer of GraphQL without data.
    pub(super) fn graphql_error(status: StatusCode, message: &str) -> Self {
        Self::json(status, json!({ "errors": [{ "message": message }] }))
    }

    /// The 503 of GraphQL when the database gave up.
    pub(super) fn statement_timeout() -> Self {
        let message =
            "Request timed out. Please try a less complex query or a smaller set of records.";
        Self::graphql_error(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// 403 with this message.
    pub(super) fn forbidden(message: &str) -> Self {
        Self::json(StatusCode::FORBIDDEN, json!({ "message": message }))
    }

    /// The 403 for a token whose scopes do not suffice.
    pub(super) fn insufficient_scope() -> Self {
        Self::json(
            StatusCode::FORBIDDEN,
            json!({
                "error": "insufficient_scope",
                "error_description":
                    "The request requires higher privileges than provided by the access token.",
                "scope": "api",
            }),
        )
    }

    /// The 429 of an application limit: JSON, and no header about when to come back.
    pub(super) fn application_limit() -> Self {
        let error = "This endpoint has been requested too many times. Try again later.";
        Self::json(
            StatusCode::TOO_MANY_REQUESTS,
            json!({ "message": { "error": error } }),
        )
    }

    /// 400 with this message.
    pub(super) fn bad_request(message: &str) -> Self {
        Self::json(StatusCode::BAD_REQUEST, json!({ "message": message }))
    }

    pub(super) fn bad_parameter(name: &str, complaint: &str) -> Self {
        let error = format!("{name} {complaint}");
        Self::json(StatusCode::BAD_REQUEST, json!({ "error": error }))
    }

    #[must_use]
    pub(super) fn with_headers(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }
}
