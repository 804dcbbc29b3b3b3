//! Requests that go through all jobs: few at a time, and beside the threads that answer scrapes.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use tokio::sync::Semaphore;

use super::context::{Context, Head};
use super::response::{Response, come_again, plain};

/// Searches that run at a time.
const RUNNING: usize = 2;

/// Searches that run or wait. Others are asked to come again.
const ADMITTED: usize = 64;

/// A handler that goes through all jobs.
pub(super) type Handler = fn(&Context, Head<'_>) -> Response;

/// Bounds the searches.
pub(super) struct Searches {
    admitted: Semaphore,
    running: Semaphore,
}

impl Searches {
    pub(super) fn new() -> Self {
        Self {
            admitted: Semaphore::new(ADMITTED),
            running: Semaphore::new(RUNNING),
        }
    }

    /// Answers in its turn.
    pub(super) async fn respond(
        &self,
        handler: Handler,
        context: &Arc<Context>,
        head: Head<'_>,
    ) -> Response {
        let Ok(_admitted) = self.admitted.try_acquire() else {
            let refusal = plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many searches at a time; try again in a moment\n",
            );
            return come_again(refusal, "5");
        };
        // The semaphore is never closed.
        let _running = self.running.acquire().await.ok();
        let context = Arc::clone(context);
        let (path, query) = (head.path.to_owned(), head.query.to_owned());
        let answer = tokio::task::spawn_blocking(move || {
            let head = Head {
                path: &path,
                query: &query,
                // Pages do not depend on them.
                headers: &HeaderMap::new(),
            };
            handler(&context, head)
        });
        answer.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a page could not be made");
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page could not be made\n",
            )
        })
    }
}
