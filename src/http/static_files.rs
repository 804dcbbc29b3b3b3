//! The files of the pages: the style sheet and the script. Their addresses change with their content, so that no browser shows
//! a new page with an old file.

use std::sync::LazyLock;

use http::{StatusCode, header};

use super::context::{Context, Head};
use super::response::{Response, insert, text};

pub(super) const STYLE_PATH: &str = "/style.css";
pub(super) const SCRIPT_PATH: &str = "/script.js";

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

pub(super) static STYLE_URL: LazyLock<String> = LazyLock::new(|| versioned(STYLE_PATH, STYLE));
pub(super) static SCRIPT_URL: LazyLock<String> = LazyLock::new(|| versioned(SCRIPT_PATH, SCRIPT));

fn versioned(path: &str, content: &str) -> String {
    format!("{path}?v={:08x}", crc32fast::hash(content.as_bytes()))
}

pub(super) fn style(_: &Context, _: Head<'_>) -> Response {
    cached("text/css; charset=utf-8", STYLE)
}

pub(super) fn script(_: &Context, _: Head<'_>) -> Response {
    cached("text/javascript; charset=utf-8", SCRIPT)
}

fn cached(kind: &'static str, content: &'static str) -> Response {
    let mut response = text(StatusCode::OK, kind, content);
    insert(&mut response, header::CACHE_CONTROL, "max-age=86400");
    response
}
