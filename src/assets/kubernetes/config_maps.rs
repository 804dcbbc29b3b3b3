//! ConfigMaps: dashboards for Grafana's sidecar, templates of messages, and rules for a Prometheus without operator.

use super::super::file::File;
use super::super::yaml_text::quoted;
use super::metadata::{Objects, indented, suffix};

/// The label by which Grafana's sidecar finds dashboards.
const SIDECAR: (&str, &str) = ("grafana_dashboard", "1");

/// One file each for dashboards, templates and rules.
pub(in super::super) fn config_maps(
    dashboards: &[File],
    templates: &[File],
    rules: &[File],
    objects: &Objects,
) -> Vec<File> {
    let head = "# Written by `job-failure-exporter assets configmaps`.\n";
    let mut of_dashboards = head.to_owned();
    for dashboard in dashboards {
        let stem = dashboard.path.trim_end_matches(".json");
        of_dashboards.push_str("---\n");
        of_dashboards.push_str(&objects.head(
            "v1",
            "ConfigMap",
            &format!("-dashboard{}", suffix(stem)),
            &[SIDECAR],
        ));
        let folder = quoted(objects.folder());
        let annotation = ["  annotations:\n    grafana_folder: ", &folder, "\ndata:\n"];
        of_dashboards.push_str(&annotation.concat());
        // The sidecar writes the dashboards of all applications into one folder, so the name has to be unique.
        of_dashboards.push_str(&entry(
            &format!("{}-{stem}.json", objects.name()),
            &dashboard.text,
        ));
    }
    let whole = |suffix: &str, files: &[File]| {
        let mut text = format!(
            "{head}{}data:\n",
            objects.head("v1", "ConfigMap", suffix, &[])
        );
        for file in files {
            let name = file.path.rsplit('/').next().unwrap_or(&file.path);
            text.push_str(&entry(name, &file.text));
        }
        text
    };
    vec![
        File::new("configmaps-dashboards.yaml", of_dashboards),
        File::new("configmap-templates.yaml", whole("-templates", templates)),
        File::new("configmap-rules.yaml", whole("-rules", rules)),
    ]
}

/// A file as an entry of `data`.
fn entry(name: &str, text: &str) -> String {
    // `|+` keeps every line break at the end, `|` one, `|-` none.
    let style = match (text.ends_with("\n\n"), text.ends_with('\n')) {
        (true, _) => "|+",
        (false, true) => "|",
        (false, false) => "|-",
    };
    format!("  {name}: {style}\n{}", indented(text, 4))
}
