//! The shipped configurations of Prometheus and Alertmanager: valid, and alerts go where they should.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::alert_rules::alert_names;
use crate::tools;
use crate::tools::at_root;

const ALERTMANAGER: &str = "deploy/alertmanager/alertmanager.yml";
const ROUTES: &str = "deploy/alertmanager/routes.txt";

#[test]
fn the_example_configurations_are_valid() {
    let prometheus = at_root("deploy/prometheus/prometheus.yml");
    tools::run(
        "promtool",
        ["check", "config", prometheus.to_str().unwrap()],
    )
    .must_pass();
    tools::run(
        "amtool",
        ["check-config", at_root(ALERTMANAGER).to_str().unwrap()],
    )
    .must_pass();
}

#[test]
fn alerts_go_where_the_table_of_routes_says() {
    let table = fs::read_to_string(at_root(ROUTES)).unwrap();
    let config = format!("--config.file={}", at_root(ALERTMANAGER).display());
    let mut routed = BTreeSet::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let verify = format!("--verify.receivers={}", words.next().unwrap());
        let labels: Vec<_> = words.collect();
        routed.extend(
            labels
                .iter()
                .find_map(|label| label.strip_prefix("alertname="))
                .map(str::to_owned),
        );
        let args = ["config", "routes", "test", &config, &verify];
        tools::run("amtool", args.into_iter().chain(labels)).must_pass();
    }
    for team in ["", "team=payments ", "team=research ", "team=unknown "] {
        for severity in ["critical", "warning"] {
            let wanted =
                format!("alertname=CIJobFailingRepeatedly severity={severity} {team}project=");
            assert!(table.contains(&wanted), "{ROUTES} has no {wanted}");
        }
    }
    let forgotten: Vec<_> = alert_names().difference(&routed).cloned().collect();
    assert!(
        forgotten.is_empty(),
        "{ROUTES} says nothing of {forgotten:?}"
    );
}

/// The labels of a job by which an incident of the pager is grouped.
const INCIDENT: [&str; 8] = [
    "gitlab", "cluster", "project", "ref", "track", "job_name", "schedule", "team",
];

/// How each route groups that may send alerts on jobs, with its receiver. Children inherit from their parent.
fn groupings(route: &Value, inherited: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let own = route["group_by"].as_array().map(|labels| {
        let labels = labels
            .iter()
            .map(|label| label.as_str().unwrap().to_owned());
        labels.collect::<Vec<_>>()
    });
    let group = own.as_deref().unwrap_or(inherited);
    let receiver = route["receiver"].as_str().unwrap().to_owned();
    if receiver == "platform" || receiver == "dead-mans-switch" {
        return;
    }
    found.push((receiver, group.to_vec()));
    for child in route["routes"].as_array().into_iter().flatten() {
        groupings(child, group, found);
    }
}

#[test]
fn a_job_has_one_group_whatever_the_name_and_the_severity_of_its_alerts() {
    for path in [ALERTMANAGER, "deploy/alertmanager/receivers.example.yml"] {
        let config = fs::read_to_string(at_root(path)).unwrap();
        let config: Value = serde_yaml::from_str(&config).unwrap();
        let mut found = Vec::new();
        groupings(&config["route"], &[], &mut found);
        for (receiver, group) in found {
            let wanted: &[&str] = if receiver.ends_with("pager") {
                &INCIDENT
            } else {
                &["gitlab", "cluster", "team", "project"]
            };
            assert_eq!(group, wanted, "{path}: {receiver}");
        }
    }
}
