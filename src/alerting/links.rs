//! The addresses in the annotations of alerts: runbook, and the form that silences exactly what the alert is about.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::labels::{Labels, label, quoted};

/// What comes between the address of Alertmanager and the matchers of a silence.
const FORM: &str = "/#/silences/new?filter=";

/// The labels that name a job, as `silence_url` of the shipped rules has them.
const JOB: [&str; 6] = ["gitlab", "cluster", "project", "ref", "track", "job_name"];

/// The annotations that pages link to. Templates of rules are read as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Annotations {
    pub(super) summary: String,
    pub(super) runbook_url: String,
    pub(super) silence_url: String,
}

/// The address of Alertmanager that people use, by an annotation `silence_url`, unless it is the example of the shipped
/// rules.
pub(super) fn alertmanager_of(silence_url: &str) -> Option<&str> {
    let (base, _) = silence_url.split_once("/#/silences/new")?;
    let host = base.split("://").nth(1)?.split(['/', ':']).next()?;
    let is_example = host == "example.com" || host.ends_with(".example.com");
    (!is_example).then_some(base)
}

/// The form of an Alertmanager that silences all alerts on the job with these labels, and on no other.
pub(super) fn silence_of_job(alertmanager: &str, job: &Labels) -> String {
    let matchers = JOB.map(|name| (name, label(job, name)));
    format!("{alertmanager}{FORM}{}", filter(matchers))
}

/// The form that silences an alert that is not on a job.
pub(super) fn silence_of_alert(alertmanager: &str, labels: &Labels) -> String {
    let matchers = labels.iter().map(|(name, value)| (&**name, &**value));
    format!("{alertmanager}{FORM}{}", filter(matchers))
}

/// The page of an Alertmanager that shows the alerts with these labels.
pub(super) fn alerts_with(alertmanager: &str, labels: &Labels) -> String {
    let names = [
        "alertname",
        "project",
        "ref",
        "track",
        "job_name",
        "schedule",
    ];
    let matchers = names.map(|name| (name, label(labels, name)));
    let matchers = matchers.into_iter().filter(|(_, value)| !value.is_empty());
    format!("{alertmanager}/#/alerts?filter={}", filter(matchers))
}

/// Matchers between braces, encoded for an address.
fn filter<'a>(matchers: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let matchers = matchers.into_iter();
    let matchers = matchers.map(|(name, value)| format!("{name}={}", quoted(value)));
    let filter = format!("{{{}}}", matchers.collect::<Vec<_>>().join(","));
    utf8_percent_encode(&filter, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_has_the_matchers_of_the_shipped_rules_with_names_of_any_kind() {
        let labels = [
            ("project", "acme/shop"),
            ("ref", "main"),
            ("job_name", "a \"b\"\\\n+ü"),
            ("team", "x"),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let link = silence_of_job("https://am.example/prefix", &Labels::from(labels));
        let (base, filter) = link.split_once(FORM).unwrap();
        assert_eq!(base, "https://am.example/prefix");
        let filter = percent_encoding::percent_decode_str(filter).decode_utf8();
        assert_eq!(
            filter.unwrap(),
            r#"{gitlab="",cluster="",project="acme/shop",ref="main",track="",job_name="a \"b\"\\\n+ü"}"#
        );
    }

    #[test]
    fn the_address_of_alertmanager_comes_from_the_rules_unless_they_have_the_example() {
        let template = "http://am.acme.net:9093/x/#/silences/new?filter={{ printf }}";
        assert_eq!(alertmanager_of(template), Some("http://am.acme.net:9093/x"));
        for other in [
            "https://alertmanager.example.com/#/silences/new?filter=x",
            "https://am.acme.net/other",
            "",
        ] {
            assert_eq!(alertmanager_of(other), None, "{other}");
        }
    }
}
