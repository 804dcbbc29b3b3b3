//! `GET /metrics`, in the content coding that the client prefers.

use http::{HeaderMap, header};
use http_body_util::BodyExt as _;

use super::context::{Context, Head};
use super::response::{Response, insert};

/// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let snapshot = context.exposition.snapshot();
    let gzip = prefers_gzip(head.headers);
    let page = if gzip {
        snapshot.gzip()
    } else {
        snapshot.identity()
    };
    let mut response = Response::new(page.boxed_unsync());
    insert(&mut response, header::CONTENT_TYPE, EXPOSITION);
    insert(&mut response, header::VARY, "Accept-Encoding");
    if gzip {
        insert(&mut response, header::CONTENT_ENCODING, "gzip");
    }
    response
}

/// Whether the client accepts gzip and does not prefer plain text (RFC 9110, 12.5.3).
fn prefers_gzip(headers: &HeaderMap) -> bool {
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

/// The q-value of a coding; 1 without one, 0 if it fails to parse.
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
}
