//! `POST /-/reload`: asks the daemon to read its configuration again.

use http::{Method, Request, StatusCode, header};
use tokio::sync::{mpsc, oneshot};

use super::response::{Response, closing, come_again, method_not_allowed, plain};

/// The path.
pub(super) const PATH: &str = "/-/reload";

/// Requests that wait. A further one would do nothing more.
const WAITING: usize = 4;

/// What became of a reload; the error in words.
type Reloaded = Result<(), String>;

/// Asks for reloads.
#[derive(Debug, Clone)]
pub struct ReloadHandle(mpsc::Sender<oneshot::Sender<Reloaded>>);

/// The other end: requests for reloads, one after the other.
#[derive(Debug)]
pub struct ReloadRequests(mpsc::Receiver<oneshot::Sender<Reloaded>>);

/// Both ends.
pub fn reloads() -> (ReloadHandle, ReloadRequests) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (ReloadHandle(sender), ReloadRequests(receiver))
}

impl ReloadRequests {
    /// Waits for a request. What is sent into the sender is the answer.
    pub async fn next(&mut self) -> oneshot::Sender<Reloaded> {
        match self.0.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }
}

/// Answers when the configuration is in force, or refused.
pub(super) async fn respond<B>(handle: Option<&ReloadHandle>, request: &Request<B>) -> Response {
    if !matches!(*request.method(), Method::POST | Method::PUT) {
        return method_not_allowed(PATH, "POST, PUT");
    }
    let Some(handle) = handle else {
        let message =
            "reloads over HTTP are switched off; set web.enable_lifecycle: true, or send SIGHUP\n";
        return closing(StatusCode::FORBIDDEN, message);
    };
    // No page of ours asks for it, so this is a page of somebody else.
    if request.headers().contains_key(header::ORIGIN) {
        return closing(
            StatusCode::FORBIDDEN,
            "found the header Origin: pages in browsers may not ask for a reload\n",
        );
    }
    let (sender, answer) = oneshot::channel();
    if handle.0.try_send(sender).is_err() {
        let message = "other reloads wait already\n";
        return come_again(closing(StatusCode::SERVICE_UNAVAILABLE, message), "1");
    }
    match answer.await {
        Ok(Ok(())) => plain(StatusCode::OK, "the configuration is in force\n"),
        Ok(Err(error)) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the exporter is ending\n"),
    }
}
