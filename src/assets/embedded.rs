//! The shipped files, embedded at compile time. A test compares the list with the folders.

/// A shipped file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Embedded {
    /// Below the folder of its kind, such as `templates/slack.tmpl`.
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

macro_rules! embedded {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(Embedded {
            path: $path,
            text: include_str!(concat!("../../", $folder, "/", $path)),
        }),+]
    };
}

/// Every `alert-rules/*.yml`.
pub(super) const RULES: &[Embedded] = embedded!("alert-rules":
    "absence.yml",
    "common.yml",
    "dashboards.yml",
    "exporter.yml",
    "exporter_troubles.yml",
    "flaky.yml",
    "jobs.yml",
    "pipelines.yml",
    "remediation.yml",
    "runners.yml",
    "schedules.yml",
    "thresholds.yml",
    "watchdog.yml",
);

/// The rule file with the defaults of all thresholds.
pub(super) const THRESHOLDS: &str = "thresholds.yml";

/// Alertmanager's configuration, examples of receivers, and the templates of messages.
pub(super) const ALERTMANAGER: &[Embedded] = embedded!("deploy/alertmanager":
    "alertmanager.yml",
    "receivers.example.yml",
    "receivers.msteams.example.yml",
    "templates/common.tmpl",
    "templates/email.tmpl",
    "templates/msteams.tmpl",
    "templates/pagerduty.tmpl",
    "templates/silence.tmpl",
    "templates/slack.tmpl",
    "templates/text.tmpl",
);

/// The complete configuration among [`ALERTMANAGER`].
pub(super) const ALERTMANAGER_CONFIG: &str = "alertmanager.yml";

/// Where the templates among [`ALERTMANAGER`] are.
pub(super) const TEMPLATES: &str = "templates/";

/// Every `dashboards/*.json`.
pub(super) const DASHBOARDS: &[Embedded] = embedded!("dashboards":
    "exporter.json",
    "job.json",
    "main.json",
    "overview.json",
);

/// Rules for the time before the first scrape.
pub(super) const HISTORY: &[Embedded] = embedded!("deploy/prometheus": "history.yml");

/// The scrape configuration that a ServiceMonitor repeats.
pub(super) const PROMETHEUS: &str = include_str!("../../deploy/prometheus/prometheus.yml");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The files of a folder with one of these endings.
    fn there(folder: &str, below: &str, endings: &[&str]) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(folder)
            .join(below);
        let names = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        names
            .map(|name| name.into_string().unwrap())
            .filter(|name| endings.iter().any(|ending| name.ends_with(ending)))
            .map(|name| format!("{below}{name}"))
            .collect()
    }

    #[test]
    fn every_shipped_file_is_embedded() {
        let mut alertmanager = there("deploy/alertmanager", "", &[".yml"]);
        alertmanager.extend(there("deploy/alertmanager", TEMPLATES, &[".tmpl"]));
        for (embedded, there) in [
            (RULES, there("alert-rules", "", &[".yml"])),
            (ALERTMANAGER, alertmanager),
            (DASHBOARDS, there("dashboards", "", &[".json"])),
        ] {
            let embedded: BTreeSet<_> = embedded.iter().map(|file| file.path.to_owned()).collect();
            assert_eq!(
                embedded,
                there.into_iter().collect(),
                "left: the list in this file, right: the folder"
            );
        }
    }
}
