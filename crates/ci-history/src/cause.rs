//! Why a job failed, told from the end of its log where GitLab's reason does not say.

use regex::RegexSet;

use super::FailureClass;

/// Patterns of logs and the classes they stand for; the first one that is found counts.
#[derive(Debug, Clone)]
pub struct LogRules {
    patterns: RegexSet,
    classes: Vec<FailureClass>,
}

/// What the runner and GitLab write where the job's script is not to blame: datadog-agent's list.
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
    /// One's own patterns, which come first, and the built-in ones.
    ///
    /// # Errors
    ///
    /// Where one of them is no regular expression.
    pub fn new(own: Vec<(String, FailureClass)>) -> Result<Self, regex::Error> {
        let (own, mut classes): (Vec<String>, Vec<FailureClass>) = own.into_iter().unzip();
        let built_in = BUILT_IN.iter().map(ToString::to_string);
        let patterns = RegexSet::new(own.into_iter().chain(built_in))?;
        classes.resize(patterns.len(), FailureClass::Infrastructure);
        Ok(Self { patterns, classes })
    }

    /// The class of a failure with this reason of GitLab's and this log, as [`LogText`](super::LogText)
    /// has it: what the reason says, else an empty log, else a pattern, else the script.
    pub fn class(&self, reason: Option<&str>, log: &str) -> FailureClass {
        let by_reason = FailureClass::of_reason(reason);
        if by_reason.is_decided_by_reason() {
            return by_reason;
        }
        if log.trim().is_empty() {
            return FailureClass::Infrastructure;
        }
        let found = self.patterns.matches(log).iter().next();
        match (found, reason) {
            (Some(index), _) => self.classes[index],
            (None, None) => FailureClass::Script,
            (None, Some(_)) => by_reason,
        }
    }
}

impl FailureClass {
    /// Whether GitLab's reason alone tells the class, so that the log cannot change it.
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
        let own = own.map(|(pattern, class)| (pattern.to_owned(), class));
        LogRules::new(own.into()).unwrap().class(reason, log)
    }

    #[test]
    fn the_first_of_reason_empty_log_and_pattern_that_says_something_counts() {
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
    fn what_the_runner_and_gitlab_write_is_infrastructure() {
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
