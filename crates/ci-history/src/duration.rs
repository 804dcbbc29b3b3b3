//! Durations in the notation of Prometheus: `30s`, `1h30m`, `200ms`, `30d`.
//!
//! By hand, because other crates have other rules: in `humantime` a year has 365.25 days.

use std::fmt::Write as _;
use std::time::Duration;

/// Units in descending order, with their milliseconds. A year has 365 days.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Prometheus stores durations as signed nanoseconds, so longer ones overflow there too.
const MAX_MILLIS: u64 = i64::MAX as u64 / 1_000_000;

/// The reason why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// A number without a unit after it.
    #[error("a unit is missing: y, w, d, h, m, s or ms")]
    NoUnit,
    /// A unit without a number before it.
    #[error("a whole number is missing")]
    NoNumber,
    /// An unknown unit.
    #[error("`{0}` is no unit: y, w, d, h, m, s or ms")]
    UnknownUnit(String),
    /// A repeated unit, or a unit after a smaller one.
    #[error("units go from large to small, each once: `{0}` is out of place")]
    Order(&'static str),
    /// Longer than 292 years.
    #[error("longer than 292 years")]
    TooLong,
}

/// Parses a duration. `0` needs no unit.
///
/// # Errors
///
/// If the text is not a sequence of numbers with units in descending order.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut millis = 0_u64;
    loop {
        let (digits, tail) = split_at_end_of(rest, |c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(DurationError::NoNumber);
        }
        let (word, tail) = split_at_end_of(tail, |c| !c.is_ascii_digit());
        let (unit, length) = unit(word)?;
        if !units.any(|(name, _)| *name == unit) {
            return Err(DurationError::Order(unit));
        }
        millis = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(length)?.checked_add(millis))
            .filter(|sum| *sum <= MAX_MILLIS)
            .ok_or(DurationError::TooLong)?;
        if tail.is_empty() {
            return Ok(Duration::from_millis(millis));
        }
        rest = tail;
    }
}

/// Formats a duration for [`parse`]. Fractions of a millisecond are cut off.
pub fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, length) in UNITS {
        // Weeks and years only without remainder: `30d`, not `4w2d`.
        if matches!(unit, "y" | "w") && rest % length != 0 {
            continue;
        }
        let number = rest / length;
        rest %= length;
        if number > 0 {
            let _ = write!(text, "{number}{unit}");
        }
    }
    text
}

fn split_at_end_of(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn unit(word: &str) -> Result<(&'static str, u64), DurationError> {
    if word.is_empty() {
        return Err(DurationError::NoUnit);
    }
    UNITS
        .into_iter()
        .find(|(name, _)| *name == word)
        .ok_or_else(|| DurationError::UnknownUnit(word.escape_debug().take(20).collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_as_prometheus_reads_them() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("200ms", 200),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1m500ms", 60_500),
            ("1d", 86_400_000),
            ("30d", 30 * 86_400_000),
            ("1w", 7 * 86_400_000),
            ("1y", 365 * 86_400_000),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn invalid_durations_are_refused_with_the_reason() {
        for (text, error) in [
            ("", DurationError::NoNumber),
            ("s", DurationError::NoNumber),
            ("-1s", DurationError::NoNumber),
            ("30", DurationError::NoUnit),
            ("1h30", DurationError::NoUnit),
            ("5 m", DurationError::UnknownUnit(" m".into())),
            ("1.5h", DurationError::UnknownUnit(".".into())),
            ("5M", DurationError::UnknownUnit("M".into())),
            ("1m1h", DurationError::Order("h")),
            ("1s1s", DurationError::Order("s")),
            ("293y", DurationError::TooLong),
            ("99999999999999999999s", DurationError::TooLong),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn durations_are_written_without_odd_weeks() {
        for text in ["30d", "1w", "1y", "1h30m", "200ms", "0s", "5m", "90d"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_as_itself(millis in 0..MAX_MILLIS) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,20}") {
            let _ = parse(&text);
        }

        #[test]
        fn numbers_with_units_never_panic(parts in prop::collection::vec((any::<u64>(), 0..7_usize), 1..8)) {
            let mut text = String::new();
            for (number, unit) in &parts {
                write!(text, "{number}{}", UNITS[*unit].0).unwrap();
            }
            if let Ok(duration) = parse(&text) {
                let sum: u64 = parts.iter().map(|(n, unit)| n * UNITS[*unit].1).sum();
                prop_assert_eq!(duration, Duration::from_millis(sum));
            }
        }
    }
}
