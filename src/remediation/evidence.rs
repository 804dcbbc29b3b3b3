//! What rules would have done about past failures, and what came of the retries that happened anyway.

use std::collections::BTreeMap;
use std::sync::Arc;

use ci_history::FollowingAttempt;

use super::guard::seconds;
use crate::config::{FailureFacts, Remediation};

/// A failed attempt of the past, and what followed.
#[derive(Debug, Clone, Copy)]
pub struct PastFailure<'a> {
    /// The failure.
    pub facts: FailureFacts<'a>,
    /// Earlier attempts of the job in the pipeline.
    pub earlier_attempts: usize,
    /// Consecutive failures, this one included.
    pub streak: u64,
    /// The next attempt of the job in the same pipeline.
    pub followed_by: Option<FollowingAttempt>,
}

/// What the past says about one rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Failures that the rule would have acted on.
    pub matched: usize,
    /// Of these, retried anyway and passed.
    pub hits: usize,
    /// Retried anyway and failed again.
    pub wasted: usize,
    /// Not retried by anybody, so that nobody knows.
    pub untried: usize,
    /// Seconds for which hits waited longer than the rule would have.
    pub waiting_saved: i64,
}

/// What the past says about all rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// By rule, in the order of the configuration.
    pub rules: Vec<(Arc<str>, Evidence)>,
    /// Failures that were retried and passed, and that no rule covers.
    pub missed: usize,
    /// Failures that were retried and failed again, and that no rule covers.
    pub rightly_left: usize,
    /// Failures left alone because the tries were used up or the circuit was open.
    pub held_back: usize,
    /// All failures.
    pub failures: usize,
    /// Failures that no rule covers, by class and whether GitLab gave the reason: where a rule could be missing.
    pub missed_by_class: BTreeMap<&'static str, usize>,
}

impl Verdicts {
    /// Without any failure.
    pub fn new(settings: &Remediation) -> Self {
        let rules = settings.rules.iter();
        Self {
            rules: rules
                .map(|rule| (rule.name.clone(), Evidence::default()))
                .collect(),
            ..Self::default()
        }
    }

    /// Adds a failure.
    pub fn add(&mut self, settings: &Remediation, failure: &PastFailure<'_>) {
        self.failures += 1;
        let Some(index) = settings.position_of_rule(&failure.facts) else {
            match failure.followed_by.and_then(|next| next.passed) {
                Some(true) => {
                    self.missed += 1;
                    let class = failure.facts.class.as_str();
                    *self.missed_by_class.entry(class).or_default() += 1;
                }
                Some(false) => self.rightly_left += 1,
                None => {}
            }
            return;
        };
        let rule = &settings.rules[index];
        let delay = rule.delays.get(failure.earlier_attempts);
        let Some(delay) = delay.filter(|_| failure.streak < settings.circuit.failures) else {
            self.held_back += 1;
            return;
        };
        let evidence = &mut self.rules[index].1;
        evidence.matched += 1;
        match failure.followed_by {
            Some(FollowingAttempt {
                passed: Some(true),
                waited,
            }) => {
                evidence.hits += 1;
                let delay = seconds(*delay);
                evidence.waiting_saved += waited.map_or(0, |waited| (waited - delay).max(0));
            }
            Some(FollowingAttempt {
                passed: Some(false),
                ..
            }) => evidence.wasted += 1,
            _ => evidence.untried += 1,
        }
    }
}

/// Retries from which on a rule can be judged.
const ENOUGH: usize = 5;

impl Evidence {
    /// What the retries of the past say about the rule, in a few words.
    pub fn verdict(&self) -> &'static str {
        match self.hit_rate() {
            _ if self.matched == 0 => "matches nothing",
            None => "unknown: nobody retried",
            Some(_) if self.hits + self.wasted < ENOUGH => "too few retries to tell",
            Some(rate) if rate >= 0.7 => "retries help",
            Some(rate) if rate >= 0.4 => "mixed: narrow it",
            Some(_) => "too wide: retries seldom help",
        }
    }

    /// Share of the retried failures that passed; `None` if none was retried.
    pub fn hit_rate(&self) -> Option<f64> {
        let retried = self.hits + self.wasted;
        (retried > 0).then(|| self.hits as f64 / retried as f64)
    }
}
