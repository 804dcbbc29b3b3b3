//! Pauses between attempts to reach a store that is away.

use std::time::Duration;

/// The pause after so many failures: doubled with each, and partly random, so that replicas do not come all at
/// once.
pub(super) fn pause(first: Duration, longest: Duration, failures: u32) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled
        .min(longest.max(first))
        .mul_f64(0.5 + fastrand::f64() / 2.0)
}
