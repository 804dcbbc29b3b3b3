//! Responses: bodies of text, their types, and headers.

use std::io;

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

/// A response on its way.
pub(super) type Response = http::Response<UnsyncBoxBody<Bytes, io::Error>>;

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Nothing is loaded but the own style sheet, nothing runs, nobody frames the page.
const SECURITY: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

pub(super) fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response {
    let body = Full::new(body.into()).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    insert(&mut response, header::CONTENT_TYPE, kind);
    response
}

pub(super) fn plain(status: StatusCode, body: impl Into<Bytes>) -> Response {
    text(status, PLAIN, body)
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
    let message = format!("{path} wants {}\n", allowed.replace(", ", " or "));
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, message);
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

pub(super) fn insert(response: &mut Response, name: HeaderName, value: &'static str) {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
}
