//! Content codings and formats: which one a client prefers, and compressed responses.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, header};

use super::content::Content;
use super::response::{Response, insert};
use crate::metrics::Format;

/// Bytes from which on compression is worth its while.
const WORTHWHILE: usize = 1024;

/// Compresses a whole response for a client that prefers it. Takes time proportional to its length.
pub(super) fn compressed(mut response: Response, for_gzip: bool) -> Response {
    let Content::Whole(body) = response.body() else {
        return response;
    };
    if body.len() < WORTHWHILE || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let body = body.clone();
    insert(&mut response, header::VARY, "Accept-Encoding");
    if !for_gzip {
        return response;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    let Ok(gzip) = encoder.write_all(&body).and_then(|()| encoder.finish()) else {
        return response;
    };
    insert(&mut response, header::CONTENT_ENCODING, "gzip");
    response.map(|_| Content::Whole(gzip.into()))
}

/// Whether the client accepts gzip and does not prefer plain text (RFC 9110, 12.5.3).
pub(super) fn prefers_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let codings = values.filter_map(|value| value.to_str().ok());
    for coding in codings.flat_map(|value| value.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight(parameters);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "identity" => identity = Some(weight),
            "*" => any = Some(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    // An unmentioned `identity` is acceptable, but not preferred.
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

/// The format of metrics that the client prefers (RFC 9110, 12.5.1). Most clients of the text format name none.
pub(super) fn preferred_format(headers: &HeaderMap) -> Format {
    let (mut open_metrics, mut text, mut any) = (0.0_f32, None, None);
    let values = headers.get_all(header::ACCEPT).iter();
    let ranges = values.filter_map(|value| value.to_str().ok());
    for range in ranges.flat_map(|value| value.split(',')) {
        let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = weight(parameters);
        match name.trim().to_ascii_lowercase().as_str() {
            "application/openmetrics-text" if has_version(parameters) => {
                open_metrics = open_metrics.max(weight);
            }
            "text/plain" | "text/*" => text = Some(higher(text, weight)),
            "*/*" => any = Some(higher(any, weight)),
            _ => {}
        }
    }
    if open_metrics > 0.0 && open_metrics >= text.or(any).unwrap_or(0.0) {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

fn higher(before: Option<f32>, weight: f32) -> f32 {
    before.map_or(weight, |before| before.max(weight))
}

/// Whether the version of OpenMetrics is one that the page has; without one any is.
fn has_version(parameters: &str) -> bool {
    let mut parameters = parameters.split(';').map(str::trim);
    let version = parameters.find_map(|one| one.strip_prefix("version="));
    version.is_none_or(|version| matches!(version.trim_matches('"'), "1.0.0" | "0.0.1"))
}

/// The q-value of a coding or a format; 1 without one, 0 if it fails to parse.
fn weight(parameters: &str) -> f32 {
    let mut parameters = parameters.split(';').map(str::trim);
    let q = parameters.find_map(|one| one.strip_prefix("q=").or_else(|| one.strip_prefix("Q=")));
    q.map_or(1.0, |q| q.trim().parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_chosen_by_its_weight() {
        for (accepted, wanted) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip; q=0", false),
            ("gzip;q=0.000", false),
            ("gzip;q=nonsense", false),
            ("identity", false),
            ("", false),
            ("br", false),
            ("*", true),
            ("*;q=0.1, gzip;q=0", false),
            ("identity;q=1, gzip;q=0.5", false),
            ("identity;q=0.5, gzip;q=1", true),
            ("identity;q=0, gzip;q=0.1", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(prefers_gzip(&headers), wanted, "{accepted}");
        }
        assert!(!prefers_gzip(&HeaderMap::new()));
    }

    #[test]
    fn open_metrics_is_chosen_where_it_is_asked_for() {
        let of_prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accepted, wanted) in [
            (of_prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text; version=\"1.0.0\"",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;version=2.0.0", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            (
                "application/openmetrics-text;q=0.1, text/plain;q=0.9",
                Format::Text,
            ),
            ("text/html, */*;q=0.8", Format::Text),
            ("*/*", Format::Text),
            ("", Format::Text),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accepted.parse().unwrap());
            assert_eq!(preferred_format(&headers), wanted, "{accepted}");
        }
        assert_eq!(preferred_format(&HeaderMap::new()), Format::Text);
    }
}
