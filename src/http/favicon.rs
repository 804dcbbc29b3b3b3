//! `GET /favicon.ico`: browsers ask for it.

use http::{StatusCode, header};

use super::context::{Context, Head};
use super::response::{Response, insert, text};

pub(super) const PATH: &str = "/favicon.ico";

pub(super) fn respond(_: &Context, _: Head<'_>) -> Response {
    let icon = &include_bytes!("favicon.ico")[..];
    let mut response = text(StatusCode::OK, "image/x-icon", icon);
    insert(&mut response, header::CACHE_CONTROL, "max-age=86400");
    response
}
