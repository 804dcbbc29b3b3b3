//! Finds the failure class in the end of a log if GitLab's reason does not tell it.

use std::sync::Arc;

use regex::{Regex, RegexSet};

use super::FailureClass;

/// Log patterns with their failure classes. The first matching pattern decides.
#[derive(Debug, Clone)]
pub struct LogRules {
    patterns: RegexSet,
    classes: Vec<FailureClass>,
    /// Of the configured patterns.
    names: Vec<Option<Arc<str>>>,
}

/// A configured pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRule {
    /// Its name, if it has one.
    pub name: Option<Arc<str>>,
    /// A regular expression to find in the log.
    pub pattern: String,
    /// The class of such failures.
    pub class: FailureClass,
}

/// Messages of infrastructure failures, from runner and GitLab. The list is datadog-agent's.
const BUILT_IN: [&str; 8] = [
    r"no basic auth credentials \(.*\)",
    r"net/http: TLS handshake timeout \(.*\)",
    r"Docker runner job start script failed",
    r"A disposable runner accepted this job, while it shouldn't have\.",
    r#"WARNING: Failed to pull image with policy "always":.*\(.*\)"#,
    r"Job failed \(system failure\): prepare environment: waiting for pod running: timed out waiting for pod to start",
    r"Job failed \(system failure\): prepare environment: setting up build pod: Internal error occurred: failed calling webhook",
    r"fatal: unable to access '.*': The requested URL returned error: 5..",
];

impl LogRules {
    /// The configured patterns, followed by the built-in ones.
    ///
    /// # Errors
    ///
    /// If a pattern is not a valid regular expression.
    pub fn new(own: Vec<LogRule>) -> Result<Self, regex::Error> {
        let texts = own.iter().map(|rule| rule.pattern.as_str());
        let patterns = RegexSet::new(texts.chain(BUILT_IN))?;
        let mut classes: Vec<FailureClass> = own.iter().map(|rule| rule.class).collect();
        classes.resize(patterns.len(), FailureClass::Infrastructure);
        Ok(Self {
            patterns,
            classes,
            names: own.into_iter().map(|rule| rule.name).collect(),
        })
    }

    /// Failure class by GitLab's reason and the text of a [`LogText`](super::LogText), and the name of the
    /// configured pattern that decided it.
    ///
    /// Precedence: the reason, unless it is `Script` or `Unknown`; an empty log (infrastructure); the first
    /// matching pattern; the script.
    pub fn class(&self, reason: Option<&str>, log: &str) -> (FailureClass, Option<&Arc<str>>) {
        let by_reason = FailureClass::of_reason(reason);
        if by_reason.is_decided_by_reason() {
            return (by_reason, None);
        }
        if log.trim().is_empty() {
            return (FailureClass::Infrastructure, None);
        }
        let found = self.patterns.matches(log).iter().next();
        match (found, reason) {
            (Some(index), _) => {
                let name = self.names.get(index).and_then(Option::as_ref);
                (self.classes[index], name)
            }
            (None, None) => (FailureClass::Script, None),
            (None, Some(_)) => (by_reason, None),
        }
    }
}

impl LogRules {
    /// The pattern that decides the class by the text of a [`LogText`](super::LogText), if one does.
    pub fn deciding_pattern(&self, reason: Option<&str>, log: &str) -> Option<Regex> {
        if FailureClass::of_reason(reason).is_decided_by_reason() {
            return None;
        }
        let index = self.patterns.matches(log).iter().next()?;
        // Alone a pattern takes no more room than in the set.
        Regex::new(&self.patterns.patterns()[index]).ok()
    }
}

impl FailureClass {
    /// Whether GitLab's reason is specific enough that the log cannot change the class.
    fn is_decided_by_reason(self) -> bool {
        !matches!(self, Self::Script | Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(reason: Option<&str>, log: &str) -> FailureClass {
        let own = [
            ("disk (is )?full", FailureClass::Policy),
            ("E137", FailureClass::Timeout),
        ];
        let own = own.map(|(pattern, class)| LogRule {
            name: Some(pattern.into()),
            pattern: pattern.to_owned(),
            class,
        });
        let rules = LogRules::new(own.into()).unwrap();
        let (class, rule) = rules.class(reason, log);
        let by_own_rule = log.contains("E137") || log.contains("disk full");
        let is_decided = FailureClass::of_reason(reason).is_decided_by_reason();
        assert_eq!(rule.is_some(), by_own_rule && !is_decided, "{log}");
        class
    }

    #[test]
    fn reason_goes_before_empty_log_before_pattern_before_script() {
        const SCRIPT: Option<&str> = Some("script_failure");
        for (reason, log, wanted) in [
            (
                Some("runner_system_failure"),
                "E137",
                FailureClass::Infrastructure,
            ),
            (Some("job_execution_timeout"), "", FailureClass::Timeout),
            (SCRIPT, " \n", FailureClass::Infrastructure),
            (SCRIPT, "E137\ndisk full", FailureClass::Policy),
            (SCRIPT, "E137", FailureClass::Timeout),
            (SCRIPT, "1 test failed", FailureClass::Script),
            (None, "1 test failed", FailureClass::Script),
            (
                Some("unknown_failure"),
                "1 test failed",
                FailureClass::Unknown,
            ),
            (Some("unknown_failure"), "E137", FailureClass::Timeout),
            (
                Some("of_a_newer_gitlab"),
                "1 test failed",
                FailureClass::Unknown,
            ),
        ] {
            assert_eq!(class(reason, log), wanted, "{reason:?} {log:?}");
        }
    }

    #[test]
    fn messages_of_runner_and_gitlab_are_infrastructure_failures() {
        for line in [
            "ERROR: no basic auth credentials (manager.go:237:0s)",
            "net/http: TLS handshake timeout (manager.go:237:10s)",
            "Docker runner job start script failed",
            "A disposable runner accepted this job, while it shouldn't have.",
            "WARNING: Failed to pull image with policy \"always\": image not found (manager.go:237:0s)",
            "ERROR: Job failed (system failure): prepare environment: waiting for pod running: timed out waiting for pod to start. Check ..",
            "ERROR: Job failed (system failure): prepare environment: setting up build pod: Internal error occurred: failed calling webhook \"x\"",
            "fatal: unable to access 'https://gitlab.example/a.git/': The requested URL returned error: 502",
        ] {
            let log = format!("Running\n{line}\nCleaning up");
            assert_eq!(
                class(Some("script_failure"), &log),
                FailureClass::Infrastructure,
                "{line}"
            );
        }
        let not_found =
            "fatal: unable to access 'https://x/': The requested URL returned error: 404";
        assert_eq!(
            class(Some("script_failure"), not_found),
            FailureClass::Script
        );
    }
}
