//! Values of thresholds: `5`, `50%`, `4h`, `off`.

use std::sync::LazyLock;

use regex::Regex;

/// What a threshold counts, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Factor,
    Seconds,
    Share,
}

/// A hundred years: longer times are mistakes of the unit.
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;

/// Words that switch an alert off.
const OFF: [&str; 5] = ["off", "inf", "+inf", ".inf", "never"];

impl Unit {
    /// Prometheus' way to name series tells the unit.
    pub(super) fn of(name: &str) -> Self {
        let ending = name.rsplit('_').next().unwrap_or(name);
        match ending {
            "seconds" => Self::Seconds,
            "ratio" | "share" => Self::Share,
            "factor" => Self::Factor,
            _ => Self::Count,
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Count => "a whole number from 1 on, or off",
            Self::Factor => "a number above 0, or off",
            Self::Seconds => "a time such as 30m, 4h or 7d, seconds as a number, or off",
            Self::Share => "a share such as 50% or 0.5, or off",
        }
    }

    /// The value, infinite for `off`.
    ///
    /// # Errors
    ///
    /// What was found and what was wanted, in words.
    pub(super) fn parse(self, text: &str) -> Result<f64, String> {
        let text = text.trim();
        if OFF.contains(&&*text.to_lowercase()) {
            return Ok(f64::INFINITY);
        }
        let value = match self {
            Self::Seconds => duration(text),
            Self::Share => share(text),
            Self::Count | Self::Factor => number(text),
        };
        value
            .filter(|value| self.takes(*value))
            .ok_or_else(|| format!("found `{text}`, wanted {}", self.wanted()))
    }

    fn takes(self, value: f64) -> bool {
        match self {
            Self::Count => value >= 1.0 && value.fract() == 0.0 && value < 1e15,
            Self::Factor => value > 0.0,
            Self::Seconds => value > 0.0 && value <= LONGEST,
            Self::Share => (0.0..=1.0).contains(&value),
        }
    }
}

/// A plain number: not `nan`, which compares with nothing, and not infinite.
fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn share(text: &str) -> Option<f64> {
    match text.strip_suffix('%') {
        // Not `/ 100.0`: 7 / 100.0 is written as 0.07, 0.07 * 1.0 as well, but 55 * 0.01 is not.
        Some(percent) => number(percent.trim_end()).map(|percent| percent / 100.0),
        None => number(text),
    }
}

/// Units may follow each other: `1h30m`.
fn duration(text: &str) -> Option<f64> {
    static PART: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)\s*").ok());
    if let Some(seconds) = number(text) {
        return Some(seconds);
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let part = PART.as_ref()?.captures(rest)?;
        let unit = match &part[2] {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => 7.0 * 86_400.0,
        };
        total += part[1].parse::<f64>().ok()? * unit;
        rest = &rest[part[0].len()..];
    }
    (total > 0.0).then_some(total)
}

/// As a number of PromQL.
pub(super) fn promql(value: f64) -> String {
    if value.is_infinite() {
        "Inf".to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_their_unit() {
        for (name, text, value) in [
            ("consecutive_failures", "5", "5"),
            ("consecutive_failures", "off", "Inf"),
            ("consecutive_failures", "5.0", "5"),
            ("no_success_seconds", "Inf", "Inf"),
            ("no_success_seconds", "93600", "93600"),
            ("no_success_seconds", "26h", "93600"),
            ("no_success_seconds", "1h30m", "5400"),
            ("no_success_seconds", "1.5 h", "5400"),
            ("no_success_seconds", "2w", "1209600"),
            ("failure_ratio", "50%", "0.5"),
            ("failure_ratio", "55 %", "0.55"),
            ("failing_share", "0.07", "0.07"),
            ("failing_share", "7%", "0.07"),
            ("running_factor", "2.5", "2.5"),
        ] {
            let found = Unit::of(name).parse(text).map(promql);
            assert_eq!(found.as_deref(), Ok(value), "{name}: {text}");
        }
    }

    #[test]
    fn a_value_that_would_alert_on_everything_or_on_nothing_is_refused() {
        for (name, texts) in [
            (
                "consecutive_failures",
                &["0", "-1", "2.5", "5m", "50%", "nan", "", "1e300", "0x3"][..],
            ),
            (
                "no_success_seconds",
                &["0", "-4h", "4 hours", "4x", "h", "3000w0.5y", "1e12", "NaN"],
            ),
            ("failure_ratio", &["50", "150%", "-1%", "half"]),
            ("running_factor", &["0", "-2", "3m"]),
        ] {
            for text in texts {
                let said = Unit::of(name).parse(text).unwrap_err();
                assert!(
                    said.contains(&format!("`{text}`, wanted a ")),
                    "{name}: {said}"
                );
            }
        }
    }
}
