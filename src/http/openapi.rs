//! `GET /api/v1/openapi.yml`: the description of this API.

use http::StatusCode;

use super::context::{Context, Head};
use super::response::{Response, text};

/// The path.
pub(super) const PATH: &str = "/api/v1/openapi.yml";

const FILE: &str = include_str!("../../docs/openapi.yml");

pub(super) fn respond(_: &Context, _: Head<'_>) -> Response {
    text(StatusCode::OK, "application/yaml", FILE)
}
