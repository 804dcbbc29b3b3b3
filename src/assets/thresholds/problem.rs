//! Everything that is wrong with the given thresholds, at once.

use std::fmt;

/// What is wrong with the given thresholds, one line each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ThresholdProblems(Vec<String>);

impl ThresholdProblems {
    pub(super) fn add(&mut self, place: &str, problem: impl fmt::Display) {
        self.0.push(format!("{place}: {problem}"));
    }

    pub(super) fn result<T>(self, found: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(found)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for ThresholdProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let what = if count == 1 {
            "threshold"
        } else {
            "thresholds"
        };
        write!(f, "{count} {what} cannot be used:")?;
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ThresholdProblems {}
