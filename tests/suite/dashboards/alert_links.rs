//! `dashboard_url` of the alerts: it opens a dashboard that exists, with variables that it has.

use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use super::{Board, boards, list, text};
use testkit::daemon::folder;

const BASE: &str = "https://grafana.example.com/d/";

/// What is seen in Prometheus itself and on no dashboard.
const IN_PROMETHEUS: [&str; 5] = [
    "CIWatchdog",
    "CIRuleEvaluationFailing",
    "CIRuleEvaluationMissed",
    "CIThresholdsMissing",
    "CIThresholdUnused",
];

/// Each alert with its link.
fn links() -> Vec<(String, String)> {
    let files = folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("alert-rules"));
    let mut links = Vec::new();
    for path in files.iter().filter(|path| path.is_file()) {
        let rules: Value = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let groups = list(&rules["groups"]).iter();
        for rule in groups.flat_map(|group| list(&group["rules"])) {
            if let Some(alert) = rule["alert"].as_str() {
                let link = text(&rule["annotations"]["dashboard_url"]);
                links.push((alert.to_owned(), link.to_owned()));
            }
        }
    }
    links
}

/// The addresses that a link may become, depending on which of its labels the alert has.
fn addresses(link: &str) -> Vec<String> {
    let optional = r"\{\{ with \$labels\.(\w+) \}\}([?&]var-\w+)=\{\{ \. \| urlquery \}\}";
    let optional = Regex::new(optional).unwrap();
    let always = link.split("{{ with").next().unwrap();
    let mut branches = link.split("{{ else }}");
    let all = branches.next().unwrap().to_owned();
    let without = branches.map(|branch| format!("{always}{branch}"));
    std::iter::once(all)
        .chain(without)
        .map(|branch| {
            let filled = optional.replace_all(&branch, "$2={{ $$labels.$1 | urlquery }}");
            filled.replace("{{ end }}", "")
        })
        .collect()
}

/// What is wrong with the link of an alert.
fn problem(alert: &str, link: &str, boards: &[Board]) -> Option<&'static str> {
    let Some(path) = link.strip_prefix(BASE) else {
        let rightly = IN_PROMETHEUS.contains(&alert) && link.starts_with("{{ $externalURL }}/");
        return (!rightly).then_some("leads to no dashboard");
    };
    let (uid, parameters) = path.split_once('?').unwrap_or((path, ""));
    let Some(board) = boards.iter().find(|board| board.uid() == uid) else {
        return Some("the dashboard does not exist");
    };
    let parameter = Regex::new(r"^var-(\w+)=\{\{ \$labels\.(\w+) \| urlquery \}\}$").unwrap();
    let fits = |part: &str| {
        parameter.captures(part).is_some_and(|found| {
            let known = board.variables().iter().any(|v| v["name"] == found[1]);
            known && found[1] == found[2]
        })
    };
    let all_fit = parameters.is_empty() || parameters.split('&').all(fits);
    let wanted = if uid == "jfe-job" { 3 } else { 0 };
    (!all_fit || parameters.matches("var-").count() < wanted).then_some("its variables")
}

#[test]
fn every_alert_opens_a_dashboard_with_what_the_alert_is_about() {
    let boards = boards();
    let links = links();
    assert!(links.len() >= 20, "{links:?}");
    for (alert, link) in links {
        for address in addresses(&link) {
            assert_eq!(problem(&alert, &address, &boards), None, "{alert}: {link}");
        }
    }
    let faulty = [
        "{{ $externalURL }}/graph?g0.expr=up",
        "https://grafana.example.com/d/jfe-jobs",
        "https://grafana.example.com/d/jfe-job?var-project={{ $labels.project | urlquery }}",
        "https://grafana.example.com/d/jfe-exporter?var-team={{ $labels.team | urlquery }}",
        "https://grafana.example.com/d/jfe-overview?var-project={{ $labels.project }}",
        "https://grafana.example.com/d/jfe-overview{{ with $labels.gitlab }}?var-site={{ . | urlquery }}{{ end }}",
        "https://grafana.example.com/d/jfe-overview{{ with $labels.gitlab }}?var-gitlab={{ . | urlquery }}{{ else }}{{ with $labels.cluster }}?var-gitlab={{ . | urlquery }}{{ end }}{{ end }}",
    ];
    for link in faulty {
        let found = |address: &String| problem("CIJobFlaky", address, &boards).is_some();
        assert!(addresses(link).iter().any(found), "{link}");
    }
}
