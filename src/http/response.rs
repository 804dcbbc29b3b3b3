//! Responses: bodies of text, their types, and headers.

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};
use serde_json::json;

use super::content::Content;
use super::form_token::Session;

/// A response on its way.
pub(super) type Response = http::Response<Content>;

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Nothing is loaded and nothing runs but the own style sheet and script, nobody frames the page.
const SECURITY: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // A stricter policy makes browsers send forms with `Origin: null`, as those of other sites.
    (header::REFERRER_POLICY, "same-origin"),
];

pub(super) fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Content::Whole(body.into()));
    *response.status_mut() = status;
    insert(&mut response, header::CONTENT_TYPE, kind);
    response
}

pub(super) fn plain(status: StatusCode, body: impl Into<Bytes>) -> Response {
    text(status, PLAIN, body)
}

/// A refusal in the form that clients of the path read: JSON below `/api/`, else a line of text.
pub(super) fn refusal(path: &str, status: StatusCode, message: &str) -> Response {
    if path.starts_with("/api/") {
        let body = format!("{}\n", json!({ "error": message }));
        text(status, JSON, body)
    } else {
        plain(status, format!("{message}\n"))
    }
}

/// Turns a refusal in plain text into what clients of the path read. Every answer passes here, whoever refused.
pub(super) fn readable(path: &str, response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_plain = kind.is_some_and(|kind| kind == PLAIN);
    let is_refusal = response.status().is_client_error() || response.status().is_server_error();
    if !path.starts_with("/api/") || !is_plain || !is_refusal {
        return response;
    }
    let Content::Whole(body) = response.body() else {
        return response;
    };
    let message = String::from_utf8_lossy(body);
    let body = format!("{}\n", json!({ "error": message.trim_end() }));
    let mut response = response.map(|_| Content::Whole(body.into()));
    insert(&mut response, header::CONTENT_TYPE, JSON);
    response
}

/// Tells caches to keep nothing: the content is of this moment.
pub(super) fn uncached(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = text(status, kind, body);
    insert(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// Ends the connection, because the request's body was not read: its rest is not the next request.
pub(super) fn closing(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = plain(status, body);
    insert(&mut response, header::CONNECTION, "close");
    response
}

/// `allowed` as in the header `Allow`.
pub(super) fn method_not_allowed(path: &str, allowed: &'static str) -> Response {
    let message = format!("{path} wants {}", allowed.replace(", ", " or "));
    let mut response = refusal(path, StatusCode::METHOD_NOT_ALLOWED, &message);
    insert(&mut response, header::ALLOW, allowed);
    response
}

/// Says after how many seconds a client that was refused may ask again.
pub(super) fn come_again(mut response: Response, seconds: &'static str) -> Response {
    insert(&mut response, header::RETRY_AFTER, seconds);
    response
}

/// Adds the headers that every response has.
pub(super) fn secured(mut response: Response) -> Response {
    for (name, value) in SECURITY {
        insert(&mut response, name, value);
    }
    response
}

/// Tells a new browser its name, on a page with forms.
pub(super) fn with_session(mut response: Response, session: Option<&Session>) -> Response {
    if let Some(session) = session {
        session.tell(response.headers_mut());
    }
    response
}

pub(super) fn insert(response: &mut Response, name: HeaderName, value: &'static str) {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
}
