//! Rate limits in the headers of answers: how long to wait, and how many requests are left.

use std::time::Duration;

use http::header::{self, HeaderMap};

/// The longest wait that is granted. GitLab counts its limits by the minute or the hour; whoever is asked for more
/// asks again meanwhile, and nobody takes the silence for an outage.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Below it, a time to count anew is in seconds from now, and from it on in seconds since 1970 (here: 2001).
const FIRST_ABSOLUTE: u64 = 1_000_000_000;

/// The wait a 429 asks for, at most [`LONGEST_WAIT`]: `Retry-After` in seconds or as a date, else up to
/// `RateLimit-Reset`. Dates are held against the answer's own `Date`, so our clock may be wrong.
pub(super) fn wait_asked_for(headers: &HeaderMap) -> Option<Duration> {
    let retry_after = || {
        let end = http_date(headers.get(header::RETRY_AFTER)?)?;
        seconds_until(headers, end)
    };
    number(headers, "retry-after")
        .or_else(retry_after)
        .or_else(|| reset(headers))
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// How many requests are left in GitLab's current window, and until when; by the answer's own `Date`.
pub(super) fn budget(headers: &HeaderMap) -> Option<(u64, Duration)> {
    let remaining = number(headers, "ratelimit-remaining")?;
    Some((remaining, Duration::from_secs(reset(headers)?)))
}

/// Seconds until `RateLimit-Reset`, which GitLab gives as a time and proxies also as seconds from now.
fn reset(headers: &HeaderMap) -> Option<u64> {
    match number(headers, "ratelimit-reset")? {
        seconds @ ..FIRST_ABSOLUTE => Some(seconds),
        time => seconds_until(headers, i64::try_from(time).ok()?),
    }
}

/// Seconds until a time, 0 if it has passed.
fn seconds_until(headers: &HeaderMap, end: i64) -> Option<u64> {
    let left = end.saturating_sub(date(headers)?);
    Some(u64::try_from(left).unwrap_or(0))
}

pub(super) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

pub(super) fn date(headers: &HeaderMap) -> Option<i64> {
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

    const DATE: (&str, &str) = ("date", "Tue, 05 Jan 2021 11:00:00 GMT");

    #[test]
    fn the_wait_comes_as_seconds_as_a_date_or_as_a_reset_time() {
        for (pairs, wanted) in [
            (vec![("retry-after", "30")], Some(30)),
            (
                vec![DATE, ("retry-after", "Tue, 05 Jan 2021 11:01:01 GMT")],
                Some(61),
            ),
            (vec![DATE, ("ratelimit-reset", "1609844460")], Some(60)),
            (vec![DATE, ("ratelimit-reset", "1609844400")], Some(0)),
            (vec![DATE, ("ratelimit-reset", "1609844000")], Some(0)),
            (vec![DATE, ("ratelimit-reset", "45")], Some(45)),
            (vec![("ratelimit-reset", "45")], Some(45)),
            (
                vec![
                    ("retry-after", "soon"),
                    DATE,
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
    fn a_wait_beyond_reason_is_cut() {
        for (name, value) in [
            ("retry-after", "86400"),
            ("retry-after", "18446744073709551615"),
            ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"),
            ("ratelimit-reset", "999999999"),
            ("ratelimit-reset", "9223372036854775807"),
        ] {
            let found = wait_asked_for(&headers(&[DATE, (name, value)]));
            assert_eq!(found, Some(LONGEST_WAIT), "{name}: {value}");
        }
        // No number at all: the client backs off by itself.
        let beyond = headers(&[("retry-after", "99999999999999999999999")]);
        assert_eq!(wait_asked_for(&beyond), None);
    }

    #[test]
    fn the_budget_lasts_until_a_time_or_for_seconds() {
        for reset in ["1609844430", "30"] {
            let pairs = [
                DATE,
                ("ratelimit-remaining", "7"),
                ("ratelimit-reset", reset),
            ];
            let wanted = Some((7, Duration::from_secs(30)));
            assert_eq!(budget(&headers(&pairs)), wanted, "{reset}");
        }
    }
}
