//! `GET /metrics`, in the format and content coding that the client prefers.

use http::header;

use super::content::Content;
use super::context::{Context, Head};
use super::encoding::{preferred_format, prefers_gzip};
use super::response::{Response, insert};

pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let format = preferred_format(head.headers);
    let snapshot = context.exposition.snapshot_as(format);
    let gzip = prefers_gzip(head.headers);
    let page = if gzip {
        snapshot.gzip()
    } else {
        snapshot.identity()
    };
    let mut response = Response::new(Content::Metrics(Box::new(page)));
    insert(&mut response, header::CONTENT_TYPE, format.content_type());
    insert(&mut response, header::VARY, "Accept, Accept-Encoding");
    if gzip {
        insert(&mut response, header::CONTENT_ENCODING, "gzip");
    }
    response
}
