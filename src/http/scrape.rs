//! `GET /metrics`, in the content coding that the client prefers.

use http::header;

use super::content::Content;
use super::context::{Context, Head};
use super::encoding::prefers_gzip;
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
    let mut response = Response::new(Content::Metrics(Box::new(page)));
    insert(&mut response, header::CONTENT_TYPE, EXPOSITION);
    insert(&mut response, header::VARY, "Accept-Encoding");
    if gzip {
        insert(&mut response, header::CONTENT_ENCODING, "gzip");
    }
    response
}
