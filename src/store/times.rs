//! Times in documents: whole seconds since 1970.

use ci_history::Timestamp;

/// The end of the year 9999. No time of GitLab is beyond it, and arithmetic with it does not overflow.
const LATEST: i64 = 253_402_300_799;

/// A time of a document. One beyond the year 9999, or as long before 1970, becomes the last or first one that is not.
pub(super) fn time(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.and_then(|seconds| Timestamp::from_unix(seconds.clamp(-LATEST, LATEST)))
}

/// A time for a document.
pub(super) fn seconds(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::unix)
}
