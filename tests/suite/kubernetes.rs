//! `deploy/kubernetes/`: made from the shipped rules and configurations, and equal to them.
//!
//! `make kubernetes` writes the files anew; without it the tests only compare.

use std::env;
use std::fmt::Write as _;
use std::fs;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::tools::at_root;

const FOLDER: &str = "deploy/kubernetes";
const NAME: &str = "job-failure-exporter";
const ALERTMANAGER: &str = "deploy/alertmanager/alertmanager.yml";
const PROMETHEUS: &str = "deploy/prometheus/prometheus.yml";
/// Set by `make kubernetes`.
const WRITE: &str = "WRITE_KUBERNETES";

fn read(path: &str) -> String {
    fs::read_to_string(at_root(path)).unwrap()
}

fn parsed(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// The rule files, by name without ending, sorted.
fn rule_files() -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(at_root("alert-rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// One `PrometheusRule` a rule file, its text as it stands, comments included.
fn prometheus_rules() -> String {
    let mut text = "# Made by `make kubernetes` from alert-rules/*.yml: edit there.\n".to_owned();
    for (name, rules) in rule_files() {
        write!(
            text,
            "---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {NAME}-{name}
  labels:
    app.kubernetes.io/name: {NAME}
spec:
"
        )
        .unwrap();
        for line in rules.lines() {
            let line = format!("  {line}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// How the operator's Prometheus finds the exporter, with the scrape job's interval.
fn service_monitor() -> String {
    let config = parsed(&read(PROMETHEUS));
    let interval = config["global"]["scrape_interval"].as_str().unwrap();
    let job = config["scrape_configs"][0]["job_name"].as_str().unwrap();
    assert_eq!(job, NAME, "the service's name is the scrape job's");
    let target = config["scrape_configs"][0]["static_configs"][0]["targets"][0].as_str();
    let (_, port) = target.unwrap().rsplit_once(':').unwrap();
    format!(
        "# Made by `make kubernetes` from {PROMETHEUS}: edit there.
# The service's name becomes the label `job` that the rules look for.
apiVersion: v1
kind: Service
metadata:
  name: {job}
  labels:
    app.kubernetes.io/name: {NAME}
spec:
  selector:
    app.kubernetes.io/name: {NAME}
  ports:
    - name: metrics
      port: {port}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {NAME}
  labels:
    app.kubernetes.io/name: {NAME}
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: {NAME}
  endpoints:
    - port: metrics
      path: /metrics
      interval: {interval}
"
    )
}

/// The keys of Alertmanager's configuration as the operator spells them, in `v1alpha1`.
fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(1);
        name + &head.to_uppercase() + tail
    })
}

/// A matcher such as `severity=~"warning|info"`.
fn matcher(text: &Value) -> Value {
    let text = text.as_str().unwrap();
    let at = text.find(['=', '!']).unwrap();
    let (name, rest) = text.split_at(at);
    let kind = &rest[..rest.find('"').unwrap()];
    let value: String = serde_json::from_str(&rest[kind.len()..]).unwrap();
    json!({ "name": name, "matchType": kind, "value": value })
}

fn matchers(list: &Value) -> Value {
    list.as_array().unwrap().iter().map(matcher).collect()
}

fn route(found: &Value) -> Value {
    let mut made = Map::new();
    for (key, value) in found.as_object().unwrap() {
        let value = match key.as_str() {
            "matchers" => matchers(value),
            "routes" => value.as_array().unwrap().iter().map(route).collect(),
            _ => value.clone(),
        };
        made.insert(camel(key), value);
    }
    made.into()
}

fn inhibit_rule(found: &Value) -> Value {
    let mut made = json!({
        "sourceMatch": matchers(&found["source_matchers"]),
        "targetMatch": matchers(&found["target_matchers"]),
    });
    if let Some(equal) = found.get("equal") {
        made["equal"] = equal.clone();
    }
    made
}

fn receiver(found: &Value) -> Value {
    let mut made = json!({ "name": found["name"] });
    if let Some(hooks) = found["webhook_configs"].as_array() {
        let hook = |hook: &Value| -> Value {
            let fields = hook.as_object().unwrap().iter();
            fields
                .map(|(key, value)| (camel(key), value.clone()))
                .collect::<Map<_, _>>()
                .into()
        };
        made["webhookConfigs"] = hooks.iter().map(hook).collect();
    }
    made
}

fn interval(found: &Value) -> Value {
    let intervals = found["time_intervals"].as_array().unwrap().iter();
    let times = |interval: &Value| -> Value {
        let times = interval["times"].as_array().unwrap().iter();
        let times: Value = times
            .map(|range| json!({ "startTime": range["start_time"], "endTime": range["end_time"] }))
            .collect();
        json!({ "weekdays": interval["weekdays"], "times": times })
    };
    json!({ "name": found["name"], "timeIntervals": intervals.map(times).collect::<Value>() })
}

/// `alertmanager.yml` as an `AlertmanagerConfig`.
fn alertmanager_spec() -> Value {
    let config = parsed(&read(ALERTMANAGER));
    let each = |key: &str, make: fn(&Value) -> Value| -> Value {
        config[key].as_array().unwrap().iter().map(make).collect()
    };
    json!({
        "route": route(&config["route"]),
        "inhibitRules": each("inhibit_rules", inhibit_rule),
        "muteTimeIntervals": each("time_intervals", interval),
        "receivers": each("receivers", receiver),
    })
}

fn alertmanager_config() -> String {
    let document = json!({
        "apiVersion": "monitoring.coreos.com/v1alpha1",
        "kind": "AlertmanagerConfig",
        "metadata": { "name": NAME, "labels": { "app.kubernetes.io/name": NAME } },
        "spec": alertmanager_spec(),
    });
    // Readers of YAML 1.1 take `=` and `18:00` for something else.
    let quoted = Regex::new(r"(?m)((?:matchType|startTime|endTime): )([^'\n]+)$").unwrap();
    let document = serde_yaml::to_string(&document).unwrap();
    let document = quoted.replace_all(&document, "${1}'${2}'");
    format!(
        "# Made by `make kubernetes` from {ALERTMANAGER}: edit there.
# An example: put in the URLs. Alerts about the exporter may come from another namespace than this object's, so the
# Alertmanager object needs `alertmanagerConfigMatcherStrategy: {{type: None}}`.
{document}"
    )
}

fn made() -> [(&'static str, String); 3] {
    [
        ("prometheusrule.yaml", prometheus_rules()),
        ("servicemonitor.yaml", service_monitor()),
        ("alertmanagerconfig.example.yaml", alertmanager_config()),
    ]
}

#[test]
fn the_files_are_what_the_shipped_rules_and_configurations_make() {
    for (name, text) in made() {
        let path = format!("{FOLDER}/{name}");
        if env::var_os(WRITE).is_some() {
            fs::create_dir_all(at_root(FOLDER)).unwrap();
            fs::write(at_root(&path), &text).unwrap();
        }
        assert!(read(&path) == text, "{path} is old; run: make kubernetes");
    }
}

#[test]
fn each_prometheus_rule_holds_the_groups_of_its_file_and_no_file_is_left_out() {
    let text = read(&format!("{FOLDER}/prometheusrule.yaml"));
    let mut objects = text.split("---\n").skip(1).map(parsed);
    for (name, rules) in rule_files() {
        let object = objects.next().unwrap();
        assert_eq!(object["metadata"]["name"], format!("{NAME}-{name}"));
        assert_eq!(object["spec"], parsed(&rules), "{name}");
    }
    assert_eq!(objects.next(), None);
}

#[test]
fn the_service_has_the_name_of_the_scrape_job_and_the_monitor_selects_it() {
    let text = read(&format!("{FOLDER}/servicemonitor.yaml"));
    let objects: Vec<_> = text.split("---\n").map(parsed).collect();
    let [service, monitor] = &objects[..] else {
        panic!("{objects:?}");
    };
    let scraped = &parsed(&read(PROMETHEUS))["scrape_configs"][0];
    assert_eq!(service["metadata"]["name"], scraped["job_name"]);
    assert_eq!(
        monitor["spec"]["selector"]["matchLabels"],
        service["metadata"]["labels"]
    );
    assert_eq!(
        monitor["spec"]["endpoints"][0]["port"],
        service["spec"]["ports"][0]["name"]
    );
}

#[test]
fn every_route_receiver_and_inhibition_is_in_the_alertmanager_config() {
    let object = parsed(&read(&format!("{FOLDER}/alertmanagerconfig.example.yaml")));
    let config = parsed(&read(ALERTMANAGER));
    let spec = &object["spec"];
    let count = |list: &Value| list.as_array().unwrap().len();
    let routes = &config["route"]["routes"];
    assert_eq!(count(&spec["route"]["routes"]), count(routes));
    for (made, shipped) in spec["route"]["routes"]
        .as_array()
        .unwrap()
        .iter()
        .zip(routes.as_array().unwrap())
    {
        assert_eq!(made["receiver"], shipped["receiver"]);
        assert_eq!(made["groupWait"], shipped["group_wait"]);
    }
    assert_eq!(count(&spec["receivers"]), count(&config["receivers"]));
    assert_eq!(
        count(&spec["inhibitRules"]),
        count(&config["inhibit_rules"])
    );
    let mute = &spec["inhibitRules"][0]["sourceMatch"][0];
    assert_eq!(
        *mute,
        json!({ "name": "alertname", "matchType": "=", "value": "CIExporterDown" })
    );
}
