//! Points and spans of time in 8 bytes, because histories keep millions of them.

use std::num::{NonZeroI64, NonZeroU8, NonZeroU64};

/// A point in time, in whole seconds since the Unix epoch.
///
/// GitLab's API gives milliseconds and its webhooks seconds; whole seconds make both equal. The epoch
/// itself is no `Timestamp`, so that `Option<Timestamp>` takes 8 bytes too.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(NonZeroI64);

impl Timestamp {
    /// From seconds since the Unix epoch; `None` for the epoch itself.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        NonZeroI64::new(seconds).map(Self)
    }

    /// From a clock's seconds since the Unix epoch. The epoch itself becomes the second after it.
    pub fn of_clock(seconds: i64) -> Self {
        Self(NonZeroI64::new(seconds).unwrap_or(NonZeroI64::from(NonZeroU8::MIN)))
    }

    /// Seconds since the Unix epoch.
    pub fn unix(self) -> i64 {
        self.0.get()
    }
}

/// A span of time, in whole microseconds, the resolution of GitLab's durations.
///
/// `Option<Span>` takes 8 bytes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(NonZeroU64);

impl Span {
    /// From microseconds. `u64::MAX` becomes one less.
    pub fn from_micros(micros: u64) -> Self {
        // Stored plus one, so that zero can represent `None`.
        Self(NonZeroU64::MIN.saturating_add(micros))
    }

    /// From seconds, rounded to microseconds. `None` if negative or not finite.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be finite and not negative; `as` saturates"
    )]
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        (seconds.is_finite() && seconds >= 0.0)
            .then(|| Self::from_micros((seconds * 1e6).round() as u64))
    }

    /// Whole microseconds.
    pub fn micros(self) -> u64 {
        self.0.get() - 1
    }

    /// Seconds.
    pub fn seconds(self) -> f64 {
        self.micros() as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_times_take_no_extra_space() {
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
        assert_eq!(size_of::<Option<Span>>(), 8);
    }

    #[test]
    fn gitlabs_durations_keep_every_digit() {
        for seconds in [0.0, 0.192, 173.372_13, 86_400.000_001] {
            assert!((Span::from_seconds(seconds).unwrap().seconds() - seconds).abs() < 1e-9);
        }
        for nonsense in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Span::from_seconds(nonsense), None);
        }
    }
}
