//! Points in simulated time, and GitLab's formats for them.

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// A point in time, in milliseconds since the Unix epoch (GitLab's resolution).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// From milliseconds since the Unix epoch.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch.
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub fn unix(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Seconds since `earlier`; zero if it is later.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0).max(0) as f64 / 1000.0
    }

    /// ISO 8601 in UTC with milliseconds: `2026-01-05T08:00:00.000Z`.
    pub fn iso(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S%.3fZ")
    }

    /// ISO 8601 in UTC with whole seconds: `2026-01-05T08:00:00Z`.
    pub fn iso_seconds(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// The format of webhooks: `2026-01-05 08:00:00 UTC`.
    pub fn utc(self) -> String {
        self.format("%Y-%m-%d %H:%M:%S UTC")
    }

    /// The format of the `Date` header: `Mon, 05 Jan 2026 08:00:00 GMT`.
    pub fn http_date(self) -> String {
        self.format("%a, %d %b %Y %H:%M:%S GMT")
    }

    /// Parses a parameter: ISO 8601 with an offset, or a date (midnight UTC).
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Some(Self(timestamp.as_millisecond()));
        }
        format!("{text}T00:00:00Z")
            .parse::<Timestamp>()
            .ok()
            .map(|timestamp| Self(timestamp.as_millisecond()))
    }

    fn format(self, pattern: &str) -> String {
        Timestamp::from_millisecond(self.0)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .strftime(pattern)
            .to_string()
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self(millis(since))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_gitlabs_formats() {
        let moment = Moment::from_millis(1_767_600_000_042);
        assert_eq!(moment.iso(), "2026-01-05T08:00:00.042Z");
        assert_eq!(moment.http_date(), "Mon, 05 Jan 2026 08:00:00 GMT");
    }

    #[test]
    fn formatted_moments_offsets_and_dates_are_parsed() {
        let moment = Moment::from_millis(1_767_600_000_042);
        assert_eq!(Moment::parse(&moment.iso()), Some(moment));
        assert_eq!(
            Moment::parse("2026-01-05T09:00:00+01:00"),
            Some(Moment::from_unix(1_767_600_000))
        );
        assert_eq!(
            Moment::parse("2026-01-05"),
            Some(Moment::from_unix(1_767_571_200))
        );
        assert_eq!(Moment::parse("yesterday"), None);
    }
}
