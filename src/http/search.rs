//! Requests that go through all jobs: few at a time, and beside the threads that answer scrapes.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::context::{Context, Handler, Head};
use super::encoding::{compressed, prefers_gzip};
use super::response::{Response, come_again, refusal};
use crate::metrics::{HttpLimit, Telemetry};

/// Searches that run at a time.
const RUNNING: usize = 2;

/// Searches that run or wait. Others are asked to come again.
const ADMITTED: usize = 64;

/// Longest time that a search waits for its turn.
const WAIT: Duration = Duration::from_secs(5);

/// Bounds the searches.
pub(super) struct Searches {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// The right to search. It goes with the work, which a client that goes away does not end.
struct Turn {
    _admitted: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl Searches {
    pub(super) fn new() -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(ADMITTED)),
            running: Arc::new(Semaphore::new(RUNNING)),
        }
    }

    /// Answers in its turn, and compresses the answer there.
    pub(super) async fn respond(
        &self,
        handler: Handler,
        context: &Arc<Context>,
        head: Head<'_>,
    ) -> Response {
        let Some(turn) = self.turn().await else {
            return too_many(context.exposition.telemetry(), head.path);
        };
        let context = Arc::clone(context);
        let (path, query) = (head.path.to_owned(), head.query.to_owned());
        let headers = head.headers.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let head = Head {
                path: &path,
                query: &query,
                headers: &headers,
            };
            compressed(context.answer(handler, head), prefers_gzip(&headers))
        });
        answer.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a page could not be made");
            let message = "the page could not be made; the log says why";
            refusal(head.path, StatusCode::INTERNAL_SERVER_ERROR, message)
        })
    }

    /// `None` if there are too many others.
    async fn turn(&self) -> Option<Turn> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().ok()?;
        let running = timeout(WAIT, Arc::clone(&self.running).acquire_owned()).await;
        Some(Turn {
            _admitted: admitted,
            _running: running.ok()?.ok()?,
        })
    }
}

fn too_many(telemetry: &Telemetry, path: &str) -> Response {
    telemetry.http_limited(HttpLimit::Searches);
    let message = "too many searches at a time; try again in a moment";
    come_again(refusal(path, StatusCode::SERVICE_UNAVAILABLE, message), "5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_search_waits_for_its_turn_but_not_for_ever() {
        let searches = Searches::new();
        let first = searches.turn().await.unwrap();
        let _second = searches.turn().await.unwrap();
        assert!(searches.turn().await.is_none(), "after waiting");
        drop(first);
        assert!(searches.turn().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_searches_the_last_ones_do_not_wait() {
        let searches = Searches::new();
        let rest = Arc::clone(&searches.admitted).try_acquire_many_owned(64);
        let begun = tokio::time::Instant::now();
        assert!(searches.turn().await.is_none());
        assert_eq!(begun.elapsed(), Duration::ZERO);
        drop(rest);
        assert!(searches.turn().await.is_some());
    }
}
