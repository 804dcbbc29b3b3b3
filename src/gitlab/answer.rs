//! What the headers and the error bodies of GitLab's answers say.

use std::time::Duration;

use bytes::Bytes;
use ci_history::Timestamp;
use http::Response;
use http::header::{self, HeaderMap};
use url::Url;

use super::error_kind::ErrorKind;
use super::transport_metrics::TransportMetrics;

/// Longest part of an error body that is repeated in a message.
const EXCERPT: usize = 200;

/// Counts the budget and the date in the headers of any answer.
pub(super) fn report_headers(headers: &HeaderMap, metrics: &dyn TransportMetrics) {
    if let Some(remaining) = number(headers, "ratelimit-remaining") {
        metrics.budget_remaining(remaining);
    }
    if let Some(date) = date(headers).and_then(Timestamp::from_unix) {
        metrics.server_date(date);
    }
}

/// The wait a 429 asks for: `Retry-After` in seconds or as a date, else up to `RateLimit-Reset`.
/// Dates are held against the answer's own `Date`, so our clock may be wrong.
pub(super) fn wait_asked_for(headers: &HeaderMap) -> Option<Duration> {
    let until = |end: i64| {
        let left = end.saturating_sub(date(headers)?);
        Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
    };
    number(headers, "retry-after")
        .map(Duration::from_secs)
        .or_else(|| until(http_date(headers.get(header::RETRY_AFTER)?)?))
        .or_else(|| until(i64::try_from(number(headers, "ratelimit-reset")?).ok()?))
}

/// How many requests are left in GitLab's current window, and until when; by the answer's own `Date`.
pub(super) fn budget(headers: &HeaderMap) -> Option<(u64, Duration)> {
    let remaining = number(headers, "ratelimit-remaining")?;
    let reset = i64::try_from(number(headers, "ratelimit-reset")?).ok()?;
    let left = u64::try_from(reset.saturating_sub(date(headers)?)).ok()?;
    Some((remaining, Duration::from_secs(left)))
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
        401 => ErrorKind::Unauthorized(message),
        403 => ErrorKind::Forbidden(message),
        404 => ErrorKind::NotFound(message),
        429 => ErrorKind::RateLimited {
            retry_after: wait_asked_for(headers),
        },
        301..=303 | 307 | 308 => ErrorKind::Redirect {
            to: redirect_target(headers),
        },
        status @ 500.. => ErrorKind::ServerError { status, message },
        status => ErrorKind::Refused { status, message },
    })
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

/// The page after `current`: `Link: rel="next"` where `is_ours` accepts it, else `X-Next-Page`.
pub(super) fn next_page<B>(
    current: &Url,
    answer: &Response<B>,
    is_ours: impl Fn(&Url) -> bool,
) -> Result<Option<Url>, ErrorKind> {
    let link = next_link(current, answer.headers());
    match link {
        Some(url) if is_ours(&url) => Ok(Some(url)),
        foreign => match (next_number(answer.headers()), foreign) {
            (Some(page), _) => Ok(Some(with_page(current, &page))),
            (None, None) => Ok(None),
            (None, Some(url)) => Err(ErrorKind::Paging(format!(
                "the next page is said to be at {}, which is not this GitLab's API; not followed, so that the token stays here",
                origin_and_path(&url)
            ))),
        },
    }
}

fn next_link(current: &Url, headers: &HeaderMap) -> Option<Url> {
    headers
        .get_all(header::LINK)
        .iter()
        .filter_map(|value| http_link::parse_link_header(value.to_str().ok()?, current).ok())
        .flatten()
        .find(|link| {
            link.rel
                .split_ascii_whitespace()
                .any(|rel| rel.eq_ignore_ascii_case("next"))
        })
        .map(|link| link.target)
}

fn next_number(headers: &HeaderMap) -> Option<String> {
    let page = headers.get("x-next-page")?.to_str().ok()?.trim();
    (!page.is_empty() && page.bytes().all(|byte| byte.is_ascii_digit())).then(|| page.to_owned())
}

fn with_page(current: &Url, page: &str) -> Url {
    let mut url = current.clone();
    let others: Vec<(String, String)> = current
        .query_pairs()
        .filter(|(key, _)| key != "page")
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair("page", page);
    url
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

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn date(headers: &HeaderMap) -> Option<i64> {
    http_date(headers.get(header::DATE)?)
}

fn http_date(value: &http::HeaderValue) -> Option<i64> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(value.to_str().ok()?)
        .ok()
        .map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn next(pairs: &[(&'static str, &str)]) -> Result<Option<String>, ErrorKind> {
        let current = Url::parse("https://git.example/api/v4/x?per_page=100&page=1").unwrap();
        let mut answer = Response::new(());
        *answer.headers_mut() = headers(pairs);
        next_page(&current, &answer, |url| {
            url.host_str() == Some("git.example")
        })
        .map(|url| url.map(String::from))
    }

    #[test]
    fn the_wait_comes_as_seconds_as_a_date_or_as_a_reset_time() {
        let date = ("date", "Tue, 05 Jan 2021 11:00:00 GMT");
        for (pairs, wanted) in [
            (vec![("retry-after", "30")], Some(30)),
            (
                vec![date, ("retry-after", "Tue, 05 Jan 2021 11:01:01 GMT")],
                Some(61),
            ),
            (vec![date, ("ratelimit-reset", "1609844460")], Some(60)),
            (vec![date, ("ratelimit-reset", "1609844400")], Some(0)),
            (vec![date, ("ratelimit-reset", "1")], Some(0)),
            (
                vec![
                    ("retry-after", "soon"),
                    date,
                    ("ratelimit-reset", "1609844401"),
                ],
                Some(1),
            ),
            (vec![("ratelimit-reset", "1609844460")], None),
            (vec![("retry-after", "-5")], None),
            (vec![], None),
        ] {
            let found = wait_asked_for(&headers(&pairs));
            assert_eq!(found, wanted.map(Duration::from_secs), "{pairs:?}");
        }
    }

    #[test]
    fn the_next_page_is_the_link_else_the_number() {
        let link = r#"<https://git.example/api/v4/x?page=1>; rel="first", <https://git.example/api/v4/x?cursor=a,b>; rel="next""#;
        let linked = Ok(Some("https://git.example/api/v4/x?cursor=a,b".into()));
        assert_eq!(next(&[("link", link), ("x-next-page", "9")]), linked);
        let numbered = Ok(Some(
            "https://git.example/api/v4/x?per_page=100&page=2".into(),
        ));
        assert_eq!(next(&[("x-next-page", "2")]), numbered);
        assert_eq!(next(&[("x-next-page", "")]), Ok(None));
        assert_eq!(next(&[("x-next-page", "../2")]), Ok(None));
        assert_eq!(next(&[("link", "nonsense")]), Ok(None));
        assert_eq!(next(&[]), Ok(None));
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_not_followed() {
        let link = (
            "link",
            r#"<https://evil.example/api/v4/x?page=2&t=1>; rel="next""#,
        );
        let refused = next(&[link]).unwrap_err();
        assert_eq!(<&str>::from(&refused), "paging");
        assert!(format!("{refused:?}").contains("https://evil.example/api/v4/x,"));
        let numbered = Ok(Some(
            "https://git.example/api/v4/x?per_page=100&page=2".into(),
        ));
        assert_eq!(next(&[link, ("x-next-page", "2")]), numbered);
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
