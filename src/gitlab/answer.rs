//! What the headers and the error bodies of GitLab's answers say.

use bytes::Bytes;
use ci_history::Timestamp;
use http::Response;
use http::header::{self, HeaderMap};
use serde::de::IgnoredAny;
use url::Url;

use super::error_kind::{ErrorKind, RateLimit};
use super::rate_headers::{self, date, number};
use super::transport_metrics::TransportMetrics;

/// Longest part of an error body that is repeated in a message.
const EXCERPT: usize = 200;

/// Part of a page in which its title is looked for, in bytes.
const LONGEST_HEAD: usize = 4096;

/// Counts the budget and the date in the headers of any answer.
pub(super) fn report_headers(headers: &HeaderMap, metrics: &dyn TransportMetrics) {
    if let Some(remaining) = number(headers, "ratelimit-remaining") {
        metrics.budget_remaining(remaining);
    }
    if let Some(date) = date(headers).and_then(Timestamp::from_unix) {
        metrics.server_date(date);
    }
}

/// The error that a status stands for; `None` for a success.
pub(super) fn error_of(answer: &Response<Bytes>) -> Option<ErrorKind> {
    let status = answer.status();
    if status.is_success() {
        return None;
    }
    let message = server_message(answer.body());
    let headers = answer.headers();
    Some(match status.as_u16() {
        429 => ErrorKind::RateLimited {
            retry_after: rate_headers::wait_asked_for(headers),
            told: RateLimit::Answer,
        },
        status @ 400..500 if !is_of_the_api(answer) => not_from_gitlab(status, answer.body()),
        401 => ErrorKind::Unauthorized(message),
        403 => ErrorKind::Forbidden(message),
        404 => ErrorKind::NotFound(message),
        301..=303 | 307 | 308 => ErrorKind::Redirect {
            to: redirect_target(headers),
        },
        status @ 500.. => ErrorKind::ServerError { status, message },
        status => ErrorKind::Refused { status, message },
    })
}

/// The error of a success that is a page of something else than GitLab, where a text was expected.
pub(super) fn page_instead_of_text(answer: &Response<Bytes>) -> Option<ErrorKind> {
    is_html(answer).then(|| not_from_gitlab(answer.status().as_u16(), answer.body()))
}

/// GitLab's API refuses in JSON, or without a body. Proxies answer with pages and plain text.
fn is_of_the_api(answer: &Response<Bytes>) -> bool {
    let body = answer.body().trim_ascii();
    !is_html(answer) && (body.is_empty() || serde_json::from_slice::<IgnoredAny>(body).is_ok())
}

fn is_html(answer: &Response<Bytes>) -> bool {
    let content_type = answer.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.map(|value| value.as_bytes().to_ascii_lowercase());
    content_type.is_some_and(|value| {
        value.starts_with(b"text/html") || value.starts_with(b"application/xhtml")
    })
}

fn not_from_gitlab(status: u16, body: &[u8]) -> ErrorKind {
    let text = String::from_utf8_lossy(&body[..body.len().min(LONGEST_HEAD)]);
    let title = text.split_once("<title>").map(|(_, rest)| rest);
    let title = title.and_then(|rest| rest.split_once("</title>"));
    let message = match title {
        Some((title, _)) => excerpt(title),
        None => excerpt(&text),
    };
    ErrorKind::NotFromGitLab { status, message }
}

/// Why a body is no JSON. A cut answer can come with a length that agrees: only its text shows it.
pub(super) fn invalid_json(error: &serde_json::Error, body: &[u8]) -> ErrorKind {
    if error.is_eof() {
        let length = body.len();
        ErrorKind::Truncated(format!("the JSON ends after {length} bytes, in the middle"))
    } else {
        ErrorKind::InvalidJson(error.to_string())
    }
}

/// The message in an error body (`message`, `error`, or plain text), as one short line.
fn server_message(body: &[u8]) -> String {
    let words = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => ["error_description", "message", "error"]
            .iter()
            .find_map(|key| value.get(key))
            .map(|message| {
                message
                    .as_str()
                    .map_or_else(|| message.to_string(), str::to_owned)
            })
            .unwrap_or_default(),
        Err(_) if body.trim_ascii_start().starts_with(b"<") => String::new(),
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(4 * EXCERPT)]).into_owned(),
    };
    excerpt(&words)
}

/// At most [`EXCERPT`] characters, without anything that could break a log line.
pub(super) fn excerpt(text: &str) -> String {
    let text = text.trim();
    let mut short: String = text
        .chars()
        .take(EXCERPT)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(EXCERPT).is_some() {
        short.push_str("..");
    }
    short
}

/// An address without its parts that may be secret: user, password and query.
pub(super) fn origin_and_path(url: &Url) -> String {
    excerpt(&format!(
        "{}{}",
        url.origin().ascii_serialization(),
        url.path()
    ))
}

fn redirect_target(headers: &HeaderMap) -> String {
    let target = headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match Url::parse(target) {
        Ok(url) => origin_and_path(&url),
        Err(_) => match excerpt(target.split('?').next().unwrap_or_default()) {
            nowhere if nowhere.is_empty() => "an address it does not name".into(),
            path => path,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, content_type: &str, body: &'static str) -> ErrorKind {
        let answer = Response::builder()
            .status(status)
            .header("content-type", content_type);
        error_of(&answer.body(Bytes::from_static(body.as_bytes())).unwrap()).unwrap()
    }

    #[test]
    fn what_a_proxy_says_is_not_taken_for_gitlabs_word() {
        let page = "<!DOCTYPE html><title>Access denied</title><p>1020";
        for (status, content_type, body, message) in [
            (404, "text/html", page, "Access denied"),
            (
                403,
                "text/html; charset=UTF-8",
                "<h1>Forbidden",
                "<h1>Forbidden",
            ),
            (401, "application/json", page, "Access denied"),
            (
                404,
                "text/plain",
                "default backend - 404",
                "default backend - 404",
            ),
            (
                403,
                "text/plain",
                "RBAC: access denied",
                "RBAC: access denied",
            ),
            (404, "text/html", "", ""),
        ] {
            let message = message.to_owned();
            let wanted = ErrorKind::NotFromGitLab { status, message };
            assert_eq!(kind(status, content_type, body), wanted);
        }
    }

    #[test]
    fn a_refusal_in_json_or_without_a_body_is_gitlabs() {
        for (status, body, reason) in [
            (401, r#"{"message":"401 Unauthorized"}"#, "unauthorized"),
            (403, "{}", "forbidden"),
            (404, "", "not_found"),
            (
                400,
                r#"{"error":"order_by does not have a valid value"}"#,
                "refused",
            ),
        ] {
            let kind = kind(status, "application/json", body);
            assert_eq!(<&str>::from(&kind), reason);
        }
        let limited = kind(429, "text/html", "<title>1015</title>");
        assert_eq!(<&str>::from(&limited), "rate_limited");
    }

    #[test]
    fn gitlabs_words_are_found_in_every_shape_of_error_body() {
        for (body, wanted) in [
            (
                r#"{"message":"404 Project Not Found"}"#,
                "404 Project Not Found",
            ),
            (
                r#"{"message":{"error":"too many"}}"#,
                r#"{"error":"too many"}"#,
            ),
            (
                r#"{"error":"insufficient_scope","error_description":"needs more"}"#,
                "needs more",
            ),
            ("Retry later\n", "Retry later"),
            ("line\r\nforged=1", "line  forged=1"),
            ("<html>502</html>", ""),
            ("[]", ""),
            ("", ""),
        ] {
            assert_eq!(server_message(body.as_bytes()), wanted);
        }
        assert_eq!(
            server_message("x".repeat(5000).as_bytes()).len(),
            EXCERPT + 2
        );
    }
}
