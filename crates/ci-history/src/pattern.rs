//! Compiling the constant patterns of this crate.

use regex::Regex;

/// Compiles a constant pattern.
#[expect(
    clippy::expect_used,
    reason = "constant patterns, compiled by the tests"
)]
pub(crate) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

/// Compiles constant patterns.
#[expect(
    clippy::expect_used,
    reason = "constant patterns, compiled by the tests"
)]
pub(crate) fn patterns(texts: &[&str]) -> regex::RegexSet {
    regex::RegexSet::new(texts).expect("valid patterns")
}
