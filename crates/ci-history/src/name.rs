//! The history that a job name belongs to.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::JobNames;
use super::pattern::pattern;

/// Suffixes of parallel and matrix jobs (`1/3`, `[a, b]`, up to three) that GitLab strips for grouping
/// (`CommitStatus#group_name`). Its `\b` inside the class is a backspace.
static GROUP_SUFFIX: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:[\x08\t\n\v\f\r :]+(?:\[.*\]|[0-9]+[\t\n\v\f\r :/\\]+[0-9]+)){1,3}[\t\n\v\f\r ]*\z",
    )
});

/// Names that datadog-agent does not shorten.
static KEPT_WHOLE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\Akmt_run_.+_tests_.*\z"));

/// Code points that datadog-agent keeps of a name.
const LONGEST_AGENT_NAME: usize = 48;

impl JobNames {
    /// Name of the history for a job name.
    pub fn history_name(self, job: &str) -> Cow<'_, str> {
        let name = match self {
            Self::Full => job,
            Self::Grouped => GROUP_SUFFIX
                .find(job)
                .map_or(job, |suffix| job[..suffix.start()].trim()),
            Self::DatadogAgent => datadog_agent(job),
        };
        // A name that is only a suffix would group unrelated jobs.
        if name.is_empty() && self == Self::Grouped {
            return Cow::Borrowed(job);
        }
        Cow::Borrowed(name)
    }
}

fn datadog_agent(job: &str) -> &str {
    if KEPT_WHOLE.is_match(job) {
        return job;
    }
    let head = job.split(':').next().unwrap_or(job);
    head.char_indices()
        .nth(LONGEST_AGENT_NAME)
        .map_or(head, |(end, _)| &head[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parallel_and_matrix_parts_are_grouped_as_gitlab_groups_them() {
        for (job, group) in [
            ("test 1/3", "test"),
            ("test: [linux, amd64]", "test"),
            ("rspec:unit 10/20", "rspec:unit"),
            ("build: [a] 1/2", "build"),
            ("test 1 / 3", "test"),
            ("test 1:3", "test"),
            ("deploy", "deploy"),
            ("[odd]", "[odd]"),
            (" [odd]", " [odd]"),
            ("v1.2/3x", "v1.2/3x"),
        ] {
            assert_eq!(JobNames::Grouped.history_name(job), group);
        }
    }

    #[test]
    fn datadog_agent_names_are_cut_at_the_colon_and_at_48_code_points() {
        let long = "é".repeat(60);
        for (job, name) in [
            ("tests: [a, b]", "tests"),
            (long.as_str(), &long[..96]),
            ("kmt_run_x_tests_y: [a]", "kmt_run_x_tests_y: [a]"),
            ("kmt_run_x", "kmt_run_x"),
        ] {
            assert_eq!(JobNames::DatadogAgent.history_name(job), name);
        }
    }

    #[test]
    fn full_names_stay_as_they_are() {
        assert_eq!(
            JobNames::Full.history_name("test: [a] 1/2"),
            "test: [a] 1/2"
        );
    }
}
