//! `GET /-/healthy` and `/-/ready`, for orchestrators and people.

use http::StatusCode;

use super::context::{Context, Head};
use super::response::{Response, plain};
use super::status::Readiness;

/// The process answers: nothing else is asked.
pub(super) fn healthy(_: &Context, _: Head<'_>) -> Response {
    plain(StatusCode::OK, "healthy\n")
}

pub(super) fn ready(context: &Context, _: Head<'_>) -> Response {
    match context.status.readiness() {
        Readiness::Ready => {
            // Old figures stay ready: without the endpoint there would be no alert at all.
            let message = match context.status.staleness() {
                Some(why) => format!("ready, but {why}\n"),
                None => "ready\n".to_owned(),
            };
            plain(StatusCode::OK, message)
        }
        Readiness::NotReady(reason) => {
            let message = format!("not ready: {reason}\n");
            plain(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }
}
