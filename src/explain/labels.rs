//! Labels of series and alerts, and how a job is named by them.

use std::collections::BTreeMap;

pub(super) type Labels = BTreeMap<String, String>;

/// A job, by the labels of its series.
#[derive(Debug, Clone, Copy)]
pub struct JobLabels<'a> {
    /// Path of the project.
    pub project: &'a str,
    /// Branch or tag.
    pub ref_name: &'a str,
    /// Name of the job.
    pub job_name: &'a str,
}

impl JobLabels<'_> {
    /// Matchers for PromQL.
    pub(super) fn selector(self) -> String {
        format!(
            "project={},ref={},job_name={}",
            quoted(self.project),
            quoted(self.ref_name),
            quoted(self.job_name)
        )
    }

    /// Whether an alert is about this job. Some alerts are about it on every ref.
    pub(super) fn are_in(self, labels: &Labels) -> bool {
        let label = |name: &str| labels.get(name).map(String::as_str);
        label("project") == Some(self.project)
            && label("job_name") == Some(self.job_name)
            && label("ref").is_none_or(|name| name == self.ref_name)
    }
}

/// The value of a label, empty without one.
pub(super) fn label<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

/// A label's value in a matcher of Prometheus or Alertmanager.
pub(super) fn quoted(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", value.replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_for_matchers() {
        assert_eq!(quoted("a\\b \"c\"\nd"), r#""a\\b \"c\"\nd""#);
    }
}
