//! Times, spans and numbers in words. Times are Unix seconds, shown as UTC.

use std::fmt::Display;

use jiff::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

const UNITS: [(&str, u64); 4] = [("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", 1)];

/// RFC 3339: `2026-01-05T08:01:22Z`. A time outside of its years stays a number.
pub fn utc(unix: i64) -> String {
    formatted(unix, |time| time.to_string())
}

/// To the minute: `2026-01-05 08:01`.
pub fn minute(unix: i64) -> String {
    formatted(unix, |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

/// The day: `2026-01-05`.
pub fn day(unix: i64) -> String {
    formatted(unix, |time| time.strftime("%Y-%m-%d").to_string())
}

fn formatted(unix: i64, format: impl Fn(Timestamp) -> String) -> String {
    Timestamp::from_second(unix).map_or_else(|_| unix.to_string(), format)
}

/// A whole number with commas: `1,234,567`.
pub fn thousands(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in the largest unit that divides it: `256 MiB`.
pub fn bytes(number: usize) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = units
        .into_iter()
        .find(|(_, shift)| number > 0 && number.trailing_zeros() >= *shift);
    match whole {
        Some((name, shift)) => format!("{} {name}", thousands(number >> shift)),
        None => format!("{} bytes", thousands(number)),
    }
}

/// A rate with two digits behind the point: `1.39`. Below 0.01 with four.
pub fn rate(per_second: f64) -> String {
    if per_second > 0.0 && per_second < 0.01 {
        format!("{per_second:.4}")
    } else {
        format!("{}", (per_second * 100.0).round() / 100.0)
    }
}

/// The two largest units: `1 d 1 h`, `2 min 5 s`, `12 s`. Below ten seconds with one decimal where it is
/// not 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and negative spans become 0"
)]
pub fn span(seconds: f64) -> String {
    if (0.1..10.0).contains(&seconds) && seconds.fract() >= 0.1 {
        return format!("{seconds:.1} s");
    }
    let seconds = seconds as u64;
    let Some(largest) = UNITS.iter().position(|(_, unit)| seconds >= *unit) else {
        return "0 s".to_owned();
    };
    let (name, unit) = UNITS[largest];
    let words = format!("{} {name}", seconds / unit);
    match UNITS.get(largest + 1) {
        Some((next, smaller)) if seconds % unit / smaller > 0 => {
            format!("{words} {} {next}", seconds % unit / smaller)
        }
        _ => words,
    }
}

/// How long ago, in one unit: `3 h ago`. Clocks differ a little, so a minute ahead is `just now`.
pub fn ago(seconds: i64) -> String {
    match u64::try_from(seconds) {
        Err(_) if seconds < -60 => "in the future".to_owned(),
        Err(_) | Ok(0..5) => "just now".to_owned(),
        Ok(seconds) => {
            let unit = UNITS.iter().find(|(_, unit)| seconds >= *unit);
            let (name, unit) = unit.unwrap_or(&("s", 1));
            format!("{} {name} ago", seconds / unit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_rates_are_to_be_seen() {
        for (per_second, words) in [
            (10.0, "10"),
            (1.388_9, "1.39"),
            (0.000_28, "0.0003"),
            (0.0, "0"),
        ] {
            assert_eq!(rate(per_second), words);
        }
    }

    #[test]
    fn numbers_are_grouped_and_bytes_have_a_unit() {
        assert_eq!(
            [0, 999, 1_234_567].map(thousands),
            ["0", "999", "1,234,567"]
        );
        let words = [0, 1_500, 3 << 10, 256 << 20, 2048 << 30].map(bytes);
        assert_eq!(
            words,
            ["0 bytes", "1,500 bytes", "3 KiB", "256 MiB", "2,048 GiB"]
        );
    }

    #[test]
    fn spans_take_two_units() {
        for (seconds, words) in [
            (-5.0, "0 s"),
            (0.0, "0 s"),
            (0.25, "0.2 s"),
            (9.0, "9 s"),
            (59.9, "59 s"),
            (61.0, "1 min 1 s"),
            (3600.0, "1 h"),
            (7260.0, "2 h 1 min"),
            (604_800.0, "7 d"),
            (90_061.0, "1 d 1 h"),
        ] {
            assert_eq!(span(seconds), words);
        }
    }

    #[test]
    fn distances_are_short() {
        for (seconds, words) in [
            (-3600, "in the future"),
            (-59, "just now"),
            (0, "just now"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (7_199, "1 h ago"),
            (86_400, "1 d ago"),
            (i64::MAX, "106751991167300 d ago"),
        ] {
            assert_eq!(ago(seconds), words);
        }
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(utc(1_767_600_082), "2026-01-05T08:01:22Z");
        assert_eq!(minute(1_767_600_082), "2026-01-05 08:01");
        assert_eq!(day(1_767_600_082), "2026-01-05");
        assert_eq!(minute(i64::MAX), i64::MAX.to_string());
    }
}
