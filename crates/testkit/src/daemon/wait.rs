//! Waiting for conditions.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Maximum time that a test waits for a condition.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Time between two checks of a condition.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// Repeats `look` until it succeeds. Its error says what is missing.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Result<T, String>) -> T {
    until_within(PATIENCE, what, look).await
}

/// The same with a maximum time of its own.
pub async fn until_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let end = Instant::now() + patience;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(missing) => assert!(Instant::now() < end, "waited for {what}: {missing}"),
        }
        sleep(CHECK_INTERVAL).await;
    }
}

/// Turns a condition into a result. `missing` is the error.
pub fn holds(it: bool, missing: impl Display) -> Result<(), String> {
    it.then_some(()).ok_or_else(|| missing.to_string())
}
