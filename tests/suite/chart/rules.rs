//! Rules, routes and dashboards of the chart are the shipped ones, and promtool and amtool take them.

use std::fs;

use serde_json::{Value, json};

use super::modes::MODES;
use super::{list, objects, of_kind, render, text};
use crate::assets::assets;
use crate::tools::{at_root, run};

const CHANGED: &str = "changed rules, receivers and addresses";

fn mode(name: &str) -> Vec<Value> {
    render(MODES.iter().find(|(mode, _)| *mode == name).unwrap().1)
}

#[test]
fn rules_routes_and_dashboards_are_the_shipped_ones() {
    let made = mode("everything for the operator and Grafana");
    for (kind, what) in [
        ("PrometheusRule", "prometheusrule"),
        ("AlertmanagerConfig", "alertmanagerconfig"),
    ] {
        let shipped = objects(&assets(&[what]).done());
        let made = of_kind(&made, kind);
        assert_eq!(made.len(), shipped.len());
        for (made, shipped) in made.iter().zip(&shipped) {
            assert_eq!(made["metadata"]["name"], shipped["metadata"]["name"]);
            assert!(made["spec"] == shipped["spec"], "{}", made["metadata"]);
        }
    }
    for file in ["configmaps-dashboards.yaml", "configmap-templates.yaml"] {
        for shipped in objects(&assets(&["configmaps", "--file", file]).done()) {
            let name = &shipped["metadata"]["name"];
            let maps = of_kind(&made, "ConfigMap");
            let map = maps
                .iter()
                .find(|map| map["metadata"]["name"] == *name)
                .unwrap();
            for (key, content) in shipped["data"].as_object().unwrap() {
                assert!(
                    text(&map["data"][key]).trim_end() == text(content).trim_end(),
                    "{key}"
                );
            }
            if file.contains("dashboards") {
                assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
                assert_eq!(
                    map["metadata"]["annotations"]["grafana_folder"],
                    "CI job failures"
                );
            }
        }
    }
    let kept = fs::read_to_string(at_root("deploy/helm/files/alertmanagerconfig.yaml")).unwrap();
    let current = kept == assets(&["alertmanagerconfig"]).done();
    assert!(
        current,
        "deploy/helm/files/alertmanagerconfig.yaml is old; run: make chart"
    );
}

#[test]
fn promtool_takes_the_rules_also_with_changed_thresholds_and_labels() {
    for name in ["everything for the operator and Grafana", CHANGED] {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for rule in of_kind(&mode(name), "PrometheusRule") {
            let file = folder
                .path()
                .join(format!("{}.yml", text(&rule["metadata"]["name"])));
            fs::write(&file, serde_yaml::to_string(&rule["spec"]).unwrap()).unwrap();
            files.push(file.to_str().unwrap().to_owned());
        }
        assert!(files.len() > 5);
        let args = ["check", "rules", "--lint=all", "--lint-fatal"].map(str::to_owned);
        run("promtool", args.into_iter().chain(files)).must_pass();
    }
}

#[test]
fn thresholds_labels_and_addresses_of_the_values_reach_the_rules_and_nothing_else_changes() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let thresholds = "defaults: {consecutive_failures: {warning: 5, critical: off}, failure_ratio: {critical: 0.9}, window_failures: 7}
overrides: [{team: research, thresholds: {consecutive_failures: {warning: 9}}}]";
    fs::write(file.path(), thresholds).unwrap();
    let wanted = objects(
        &assets(&[
            "prometheusrule",
            "--thresholds",
            file.path().to_str().unwrap(),
            "--rule-label",
            "environment=production",
            "--grafana",
            "https://grafana.company.test/",
            "--runbooks",
            "https://wiki.company.test/?page=",
        ])
        .done(),
    );
    let made = mode(CHANGED);
    let made = of_kind(&made, "PrometheusRule");
    assert_eq!(made.len(), wanted.len());
    for (made, wanted) in made.iter().zip(&wanted) {
        assert_eq!(made["spec"], wanted["spec"], "{}", made["metadata"]["name"]);
    }
}

#[test]
fn receivers_and_addresses_of_the_values_replace_the_placeholders() {
    let made = mode(CHANGED);
    let spec = &of_kind(&made, "AlertmanagerConfig")[0]["spec"];
    let chat = list(&spec["receivers"])
        .iter()
        .find(|it| it["name"] == "chat")
        .unwrap();
    let slack = json!([{"channel": "#ci", "apiURL": {"name": "slack", "key": "url"}}]);
    assert_eq!(*chat, json!({"name": "chat", "slackConfigs": slack}));
    let maps = of_kind(&made, "ConfigMap");
    let dashboards = maps
        .iter()
        .filter(|it| it["metadata"]["labels"]["grafana_dashboard"] == "1");
    let texts: Vec<_> = dashboards.map(|map| map["data"].to_string()).collect();
    assert_eq!(texts.len(), 4);
    assert!(
        texts
            .iter()
            .any(|text| text.contains("https://gitlab.company.test\\\""))
    );
    let own = render(
        "{alertmanagerConfig: {enabled: true, spec: {route: {receiver: mine}, receivers: [{name: mine}]}}}",
    );
    let spec = &of_kind(&own, "AlertmanagerConfig")[0]["spec"];
    assert_eq!(
        *spec,
        json!({"route": {"receiver": "mine"}, "receivers": [{"name": "mine"}]})
    );
}

/// A key of the operator as Alertmanager calls it: `groupBy` as `group_by`.
fn snake(key: &str) -> String {
    let parts = key.chars().map(|c| match c {
        c if c.is_ascii_uppercase() => format!("_{}", c.to_ascii_lowercase()),
        c => c.to_string(),
    });
    parts.collect()
}

/// Alertmanager's configuration as the operator makes it of an AlertmanagerConfig.
fn of_operator(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(of_operator).collect(),
        Value::Object(entries) if entries.contains_key("matchType") => {
            let part = |key: &str| text(&entries[key]);
            format!("{}{}{}", part("name"), part("matchType"), entries["value"]).into()
        }
        Value::Object(entries) => {
            let renamed = |key: &str| match key {
                "sourceMatch" => "source_matchers".to_owned(),
                "targetMatch" => "target_matchers".to_owned(),
                key => snake(key),
            };
            entries
                .iter()
                .map(|(key, value)| (renamed(key), of_operator(value)))
                .collect()
        }
        other => other.clone(),
    }
}

#[test]
fn amtool_takes_the_routes() {
    let made = mode("everything for the operator and Grafana");
    let mut config = of_operator(&of_kind(&made, "AlertmanagerConfig")[0]["spec"]);
    let intervals = config
        .as_object_mut()
        .unwrap()
        .remove("mute_time_intervals")
        .unwrap();
    config["time_intervals"] = intervals;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), serde_yaml::to_string(&config).unwrap()).unwrap();
    let path = file.path().to_str().unwrap();
    let answer = run("amtool", ["check-config", path]);
    answer.must_pass();
    assert!(answer.output.contains("8 receivers"), "{}", answer.output);
}
