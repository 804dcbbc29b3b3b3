//! Prometheus' text exposition format 0.0.4, one line at a time.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::borrow::Cow;
use std::fmt::Write as _;

use ci_history::{Span, Timestamp};
use sha2::{Digest as _, Sha256};

/// A sample's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    /// A count or an id.
    Count(u64),
    /// Seconds since the Unix epoch.
    Seconds(i64),
    /// Anything with a fraction.
    Real(f64),
}

macro_rules! numbers {
    ($($type:ty: $value:ident => $number:expr;)+) => {
        $(impl From<$type> for Number {
            fn from($value: $type) -> Self {
                $number
            }
        })+
    };
}

numbers! {
    u64: count => Self::Count(count);
    usize: count => Self::Count(count as u64);
    f64: value => Self::Real(value);
    Timestamp: time => Self::Seconds(time.unix());
    Span: span => Self::Real(span.seconds());
}

/// Writes the samples of one family for one set of base labels.
pub(super) struct Lines<'a> {
    /// Where the text goes.
    pub(super) out: &'a mut String,
    /// Lines written so far.
    pub(super) count: &'a mut u64,
    /// Name of the family.
    pub(super) name: &'static str,
    /// Escaped labels that every sample has: `a="b",c="d"`.
    pub(super) base: &'a str,
}

impl Lines<'_> {
    /// One sample with the base labels alone.
    pub(super) fn sample(&mut self, value: impl Into<Number>) {
        self.labelled(&[], value);
    }

    /// One sample if there is a value.
    pub(super) fn maybe(&mut self, value: Option<impl Into<Number>>) {
        if let Some(value) = value {
            self.sample(value);
        }
    }

    /// One sample, unless it is 0.
    pub(super) fn rare(&mut self, labels: &[(&str, &str)], value: u64) {
        if value > 0 {
            self.labelled(labels, value);
        }
    }

    /// One sample with further labels.
    pub(super) fn labelled(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) {
        self.out.push_str(self.name);
        self.out.push('{');
        self.out.push_str(self.base);
        for (name, value) in labels {
            self.out.push(',');
            push_label(self.out, name, value);
        }
        self.out.push_str("} ");
        push_number(self.out, value.into());
        self.out.push('\n');
        *self.count += 1;
    }
}

/// `a="b",c="d"`, the values escaped.
pub(super) fn labels(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push(',');
        }
        push_label(&mut out, name, value);
    }
    out
}

/// Appends `name="value"`, the value escaped.
fn push_label(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    let value = bounded(value);
    let mut rest = &*value;
    while let Some(at) = rest.find(['\\', '"', '\n', '\0']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            b'\n' => "\\n",
            _ => NUL_SHOWN,
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Stands for NUL, which ends the input for Prometheus' lexer and would cost the whole page.
const NUL_SHOWN: &str = "\u{fffd}";

/// Bytes of a label's value at most. The shipped scrape configurations allow twice as many.
pub(super) const LABEL_BYTES: usize = 512;

/// The text, or its beginning and a hash that keeps it apart from others with the same beginning.
fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= LABEL_BYTES {
        return Cow::Borrowed(text);
    }
    let hash = Sha256::digest(text);
    let hash = hash
        .iter()
        .take(8)
        .fold(String::from("~"), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
    let end = text.floor_char_boundary(LABEL_BYTES - hash.len());
    Cow::Owned(format!("{}{hash}", &text[..end]))
}

/// The text as a label shows it: NUL replaced.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', NUL_SHOWN))
    } else {
        Cow::Borrowed(text)
    }
}

/// Appends a family's HELP and TYPE lines.
pub(super) fn push_header(out: &mut String, name: &str, kind: &str, help: &str) {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    // Writing to a string cannot fail.
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn push_number(out: &mut String, value: Number) {
    // Writing to a string cannot fail. `Display` of a float is its shortest form that reads back
    // to the same bits, without an exponent.
    let _ = match value {
        Number::Count(count) => write!(out, "{count}"),
        Number::Seconds(seconds) => write!(out, "{seconds}"),
        Number::Real(real) => write!(out, "{real}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped_as_the_format_asks() {
        let mut out = String::new();
        push_label(&mut out, "a", "q\"b\\n\nz\0\u{202e}");
        assert_eq!(out, "a=\"q\\\"b\\\\n\\nz\u{fffd}\u{202e}\"");
    }

    #[test]
    fn a_long_value_is_cut_and_stays_apart_from_others() {
        let long = "ä".repeat(LABEL_BYTES);
        let (one, other) = (format!("{long}1"), format!("{long}2"));
        let (one, other) = (bounded(&one), bounded(&other));
        assert!(one.starts_with("ää") && one != other);
        assert!((LABEL_BYTES - 1..=LABEL_BYTES).contains(&one.len()));
        let fits = "x".repeat(LABEL_BYTES);
        assert_eq!(bounded(&fits), fits);
    }

    #[test]
    fn help_is_escaped_as_the_format_asks() {
        let mut out = String::new();
        push_header(&mut out, "m", "gauge", "a \"quote\", a \\ and a\nline");
        assert_eq!(
            out,
            "# HELP m a \"quote\", a \\\\ and a\\nline\n# TYPE m gauge\n"
        );
    }

    #[test]
    fn numbers_are_written_in_full_and_read_back_exactly() {
        for real in [0.0, 0.1, 1.0 / 3.0, 173.372_13, 1e-7, 1e21, f64::MAX] {
            let mut out = String::new();
            push_number(&mut out, Number::Real(real));
            assert_eq!(out.parse::<f64>().unwrap().to_bits(), real.to_bits());
        }
        let mut out = String::new();
        push_number(&mut out, Number::Count(u64::MAX));
        assert_eq!(out, "18446744073709551615");
    }
}
