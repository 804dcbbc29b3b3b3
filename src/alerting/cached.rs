//! An answer that is kept for some seconds, so that many readers cost one request.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long an answer is used again, also if it is an error.
pub(super) const FRESH: Duration = Duration::from_secs(5);

/// The newest answer.
pub(super) struct Cached<T>(Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Cached<T> {
    /// Asks unless the last answer is fresh. Whoever comes meanwhile waits for the same answer.
    pub(super) async fn get(&self, ask: impl Future<Output = T>) -> Arc<T> {
        let mut newest = self.0.lock().await;
        if let Some((at, answer)) = &*newest
            && at.elapsed() < FRESH
        {
            return answer.clone();
        }
        let answer = Arc::new(ask.await);
        *newest = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_readers_share_one_answer_until_it_is_old() {
        let cached = Arc::new(Cached::default());
        let asked = Arc::new(AtomicUsize::new(0));
        let readers = (0..50).map(|_| {
            let (cached, asked) = (cached.clone(), asked.clone());
            tokio::spawn(async move {
                let ask = async {
                    sleep(Duration::from_secs(1)).await;
                    asked.fetch_add(1, Ordering::Relaxed)
                };
                *cached.get(ask).await
            })
        });
        for reader in readers.collect::<Vec<_>>() {
            assert_eq!(reader.await.unwrap(), 0);
        }
        advance(FRESH).await;
        let next = cached.get(async { asked.fetch_add(1, Ordering::Relaxed) });
        assert_eq!(*next.await, 1);
    }
}
