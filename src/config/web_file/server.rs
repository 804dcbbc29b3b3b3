//! The sections `http_server_config` and `rate_limit`.

use std::time::Duration;

use ci_history::duration;
use http::{HeaderName, HeaderValue};

use super::super::key::{Key, keys};
use super::super::section::Section;
use super::super::value_type::Form;

/// Bound on the requests of all clients together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Time after which one more request is allowed.
    pub interval: Duration,
    /// Requests that are allowed at once after a pause.
    pub burst: usize,
}

const VALUE: Form = Form::new("text", "a text that can stand in a header");

keys! {
    HTTP2: Key<bool> = Key::bool("http_server_config.http2").default("true");
    STRICT_TRANSPORT_SECURITY: Key<HeaderValue> = Key::text("http_server_config.headers.Strict-Transport-Security", VALUE, header_value);
    CONTENT_TYPE_OPTIONS: Key<HeaderValue> = Key::text("http_server_config.headers.X-Content-Type-Options", Form::new("text", "`nosniff`"), |text| one_of(text, &["nosniff"]));
    FRAME_OPTIONS: Key<HeaderValue> = Key::text("http_server_config.headers.X-Frame-Options", Form::new("text", "`deny` or `sameorigin`"), |text| one_of(text, &["deny", "sameorigin"]));
    XSS_PROTECTION: Key<HeaderValue> = Key::text("http_server_config.headers.X-XSS-Protection", Form { numeric: true, ..VALUE }, header_value);
    CONTENT_SECURITY_POLICY: Key<HeaderValue> = Key::text("http_server_config.headers.Content-Security-Policy", VALUE, header_value);
    INTERVAL: Key<Duration> = Key::text("rate_limit.interval", Form { numeric: true, ..Form::new("duration", "a duration such as `100ms`, or `0` for no limit") }, interval);
    BURST: Key<usize> = Key::count("rate_limit.burst", 0, 1_000_000);
}

/// The headers that may be set, as in the toolkit.
const HEADERS: [&Key<HeaderValue>; 5] = [
    &STRICT_TRANSPORT_SECURITY,
    &CONTENT_TYPE_OPTIONS,
    &FRAME_OPTIONS,
    &XSS_PROTECTION,
    &CONTENT_SECURITY_POLICY,
];

pub(super) fn http2(section: &Section<'_>) -> bool {
    section.read_unless_blank(&HTTP2).unwrap_or(true)
}

/// Blank ones are not set.
pub(super) fn headers(section: &Section<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let given = HEADERS.into_iter().filter_map(|key| {
        let name = HeaderName::from_bytes(key.info.name().as_bytes());
        Some((name.ok()?, section.read_unless_blank(key)?))
    });
    given.collect()
}

impl RateLimit {
    /// `None` without a limit.
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let interval = section.read_unless_blank(&INTERVAL).unwrap_or_default();
        let burst = section.read_unless_blank(&BURST).unwrap_or_default();
        if interval.is_zero() {
            return None;
        }
        if burst == 0 {
            let message = "no request would ever be answered; give a burst of 1 or more";
            section.complain(message.to_owned());
        }
        Some(Self { interval, burst })
    }
}

fn header_value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text)
        .map_err(|_| "it has a line break or another control character".to_owned())
}

fn one_of(text: &str, wanted: &[&str]) -> Result<HeaderValue, String> {
    if wanted.contains(&text) {
        header_value(text)
    } else {
        Err(String::new())
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match text {
        "0" => Ok(Duration::ZERO),
        _ => duration::parse(text).map_err(|error| error.to_string()),
    }
}
