//! Labels of series and alerts, and how a job is named by them.

use std::collections::BTreeMap;

/// Names and values of labels.
pub type Labels = BTreeMap<String, String>;

/// A job, by the labels of its series.
#[derive(Debug, Clone, Copy)]
pub struct JobLabels<'a> {
    /// Path of the project.
    pub project: &'a str,
    /// Branch or tag; `None` for any.
    pub ref_name: Option<&'a str>,
    /// Track of the ref, empty for the unnamed one; `None` for any.
    pub track: Option<&'a str>,
    /// Name of the job.
    pub job_name: &'a str,
}

impl JobLabels<'_> {
    /// Matchers for PromQL.
    pub(super) fn selector(self) -> String {
        let pairs = [
            ("project", Some(self.project)),
            ("ref", self.ref_name),
            ("track", self.track),
            ("job_name", Some(self.job_name)),
        ];
        let matchers = pairs
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", quoted(value?))));
        matchers.collect::<Vec<_>>().join(",")
    }

    /// Whether an alert is about this job. Some alerts are about it on every ref.
    pub(super) fn are_in(self, labels: &Labels) -> bool {
        let is_place = labels.get("ref").is_none_or(|ref_name| {
            self.ref_name.is_none_or(|wanted| wanted == ref_name)
                && self
                    .track
                    .is_none_or(|wanted| wanted == label(labels, "track"))
        });
        is_place
            && label(labels, "project") == self.project
            && label(labels, "job_name") == self.job_name
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
    fn an_alert_of_another_ref_or_track_is_about_another_job() {
        let job = |ref_name, track| JobLabels {
            project: "acme/shop",
            ref_name,
            track,
            job_name: "e2e",
        };
        let labels = |more: &[(&str, &str)]| {
            let own = [("project", "acme/shop"), ("job_name", "e2e")];
            let all = own.iter().chain(more);
            all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<Labels>()
        };
        let (nightly, pushes) = (
            job(Some("main"), Some("nightly")),
            job(Some("main"), Some("")),
        );
        let main = labels(&[("ref", "main")]);
        let nights = labels(&[("ref", "main"), ("track", "nightly")]);
        assert!(nightly.are_in(&nights) && !nightly.are_in(&main));
        assert!(pushes.are_in(&main) && !pushes.are_in(&nights));
        for anywhere in [nightly, pushes, job(None, None)] {
            assert!(anywhere.are_in(&labels(&[])));
        }
        assert!(job(None, None).are_in(&nights) && job(Some("main"), None).are_in(&nights));
        assert!(!job(Some("next"), None).are_in(&nights));
        assert_eq!(
            pushes.selector(),
            r#"project="acme/shop",ref="main",track="",job_name="e2e""#
        );
        assert_eq!(
            job(None, None).selector(),
            r#"project="acme/shop",job_name="e2e""#
        );
    }

    #[test]
    fn values_are_quoted_for_matchers() {
        assert_eq!(quoted("a\\b \"c\"\nd"), r#""a\\b \"c\"\nd""#);
    }
}
