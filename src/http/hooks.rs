//! `POST /hooks/gitlab`: limits, reading the body, and the answer; what is in it is none of HTTP's business.

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Method, Request, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::routes::{Answer, insert, plain};

/// Where GitLab's webhooks are sent to.
pub(super) const GITLAB: &str = "/hooks/gitlab";

/// A pipeline of a thousand jobs is below 2 MiB.
const LARGEST_BODY: usize = 5 << 20;

/// Who takes webhooks. Must return at once: GitLab waits for the answer, and switches off a hook that is
/// not answered.
pub trait Webhooks: Send + Sync {
    /// Whether the body is to be read at all, by the headers alone; the error says why not.
    fn expects(&self, headers: &HeaderMap) -> Result<(), String>;

    /// Takes a webhook; the error says why it is not let in.
    fn take(&self, headers: &HeaderMap, body: Bytes) -> Result<(), String>;

    /// A webhook was larger than any of GitLab's.
    fn too_large(&self);
}

/// Answers a request for [`GITLAB`].
pub(super) async fn answer<B>(hooks: Option<&dyn Webhooks>, request: Request<B>) -> Answer
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if request.method() != Method::POST {
        let mut answer = plain(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{GITLAB} wants POST\n"),
        );
        insert(&mut answer, header::ALLOW, "POST");
        return answer;
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
    let body = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            hooks.too_large();
            let message = format!("larger than the {LARGEST_BODY} bytes that are read\n");
            return closing(StatusCode::PAYLOAD_TOO_LARGE, message);
        }
        Err(_) => return closing(StatusCode::BAD_REQUEST, "the body is not whole\n"),
    };
    match hooks.take(&head.headers, body) {
        Ok(()) => plain(StatusCode::ACCEPTED, "taken\n"),
        Err(why) => plain(StatusCode::UNAUTHORIZED, format!("{why}\n")),
    }
}

/// For where the body was not read: what is left of it is no next request.
fn closing(status: StatusCode, message: impl Into<Bytes>) -> Answer {
    let mut answer = plain(status, message);
    insert(&mut answer, header::CONNECTION, "close");
    answer
}
