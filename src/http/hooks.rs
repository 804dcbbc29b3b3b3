//! `POST /hooks/gitlab`: bounds, reads the body and answers. The content is the receiver's concern.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Body;

use super::body::{Unread, read};
use super::response::{Response, closing, method_not_allowed, plain};

/// The path that GitLab sends webhooks to.
pub(super) const GITLAB: &str = "/hooks/gitlab";

/// Bytes. The webhook of a pipeline of a thousand jobs is below 2 MiB.
const LARGEST_BODY: usize = 5 << 20;

/// Receives webhooks. Must return at once: GitLab waits for the answer, and disables a hook that fails to
/// answer.
pub trait Webhooks: Send + Sync {
    /// Decides by the headers alone whether to read the body.
    ///
    /// # Errors
    ///
    /// Why it is not read.
    fn expects(&self, headers: &HeaderMap) -> Result<(), String>;

    /// Takes a webhook.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    fn take(&self, headers: &HeaderMap, body: Bytes) -> Result<(), String>;

    /// Counts a webhook that was larger than any of GitLab's.
    fn too_large(&self);
}

/// Answers a request for [`GITLAB`].
pub(super) async fn respond<B>(hooks: Option<&dyn Webhooks>, request: Request<B>) -> Response
where
    B: Body<Data = Bytes>,
{
    if request.method() != Method::POST {
        return method_not_allowed(GITLAB, "POST");
    }
    let Some(hooks) = hooks else {
        return closing(
            StatusCode::NOT_FOUND,
            "webhooks are not configured; set `webhooks.gitlab.token_file`\n",
        );
    };
    let (head, body) = request.into_parts();
    if let Err(why) = hooks.expects(&head.headers) {
        return closing(StatusCode::UNAUTHORIZED, format!("{why}\n"));
    }
    let body = match read(body, LARGEST_BODY).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => {
            hooks.too_large();
            let message = format!("larger than the {LARGEST_BODY} bytes that are read\n");
            return closing(StatusCode::PAYLOAD_TOO_LARGE, message);
        }
        Err(Unread::Cut) => return closing(StatusCode::BAD_REQUEST, "the body ended early\n"),
    };
    match hooks.take(&head.headers, body) {
        Ok(()) => plain(StatusCode::ACCEPTED, "taken\n"),
        Err(why) => plain(StatusCode::UNAUTHORIZED, format!("{why}\n")),
    }
}
