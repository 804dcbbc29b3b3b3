//! A PrometheusRule for each rule file.

use super::super::file::File;
use super::metadata::{Objects, indented, suffix};

/// The text of each rule file as it stands, comments included.
pub(in super::super) fn prometheus_rules(rules: &[File], objects: &Objects) -> File {
    let mut text = "# Written by `job-failure-exporter assets prometheusrule`.\n".to_owned();
    for rule in rules {
        let suffix = suffix(rule.path.trim_end_matches(".yml"));
        text.push_str("---\n");
        text.push_str(&objects.head("monitoring.coreos.com/v1", "PrometheusRule", &suffix, &[]));
        text.push_str("spec:\n");
        text.push_str(&indented(&rule.text, 2));
    }
    File::new("prometheusrule.yaml", text)
}
