//! `deploy/kubernetes/` and Kubernetes objects with options: what `assets` writes, held to the shipped rules and
//! configurations and to the fields that the operator knows.

mod schema;

use std::fs;

use serde_json::{Value, json};

use self::schema::{AlertmanagerConfigSpec, PrometheusRuleSpec};
use crate::assets::assets;
use crate::tools::at_root;

const FOLDER: &str = "deploy/kubernetes";
const NAME: &str = "job-failure-exporter";
const ALERTMANAGER: &str = "deploy/alertmanager/alertmanager.yml";
const PROMETHEUS: &str = "deploy/prometheus/prometheus.yml";
/// Kubernetes takes objects of 1 MiB, and `kubectl apply` repeats them in an annotation of this size.
const LARGEST_OBJECT: usize = 256 * 1024;
/// Options of every kind.
const OPTIONS: [&str; 10] = [
    "--name",
    "exporter-com",
    "--namespace",
    "monitoring",
    "--object-label",
    "release=kube-prometheus",
    "--object-label",
    "company.test/tier=1",
    "--object-label",
    "grafana_dashboard=yes",
];

fn read(path: &str) -> String {
    fs::read_to_string(at_root(path)).unwrap()
}

fn parsed(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// The objects of a file.
fn objects(text: &str) -> Vec<Value> {
    let objects = serde_yaml::Deserializer::from_str(text);
    let objects = objects.map(|object| serde::Deserialize::deserialize(object).unwrap());
    objects.filter(|object: &Value| !object.is_null()).collect()
}

/// The objects that `assets` prints with these options.
fn written(what: &str, options: &[&str]) -> Vec<Value> {
    let mut args = vec![what];
    args.extend(options);
    objects(&assets(&args).done())
}

/// The shipped files of a folder, by name without ending, sorted.
fn shipped(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(at_root(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_files_are_what_the_shipped_rules_and_configurations_make() {
    for what in ["prometheusrule", "servicemonitor", "alertmanagerconfig"] {
        let path = format!("{FOLDER}/{what}.yaml");
        let text = assets(&[what]).done();
        assert!(read(&path) == text, "{path} is old; run: make kubernetes");
    }
}

#[test]
fn each_prometheus_rule_holds_the_groups_of_its_file_and_no_file_is_left_out() {
    let mut objects = written("prometheusrule", &[]).into_iter();
    for (name, rules) in shipped("alert-rules", "yml") {
        let object = objects.next().unwrap();
        let object_name = format!("{NAME}-{}", name.replace('_', "-"));
        assert_eq!(object["metadata"]["name"], object_name);
        assert_eq!(object["spec"], parsed(&rules), "{name}");
    }
    assert_eq!(objects.next(), None);
}

#[test]
fn the_operator_knows_every_field_of_rules_and_routes() {
    for options in [&[][..], &OPTIONS[..4]] {
        let rules = written("prometheusrule", options);
        assert!(rules.len() > 5);
        for object in rules {
            assert_eq!(object["apiVersion"], "monitoring.coreos.com/v1");
            assert_eq!(object["kind"], "PrometheusRule");
            let spec: PrometheusRuleSpec = serde_json::from_value(object["spec"].clone()).unwrap();
            spec.check();
        }
        let [object] = &written("alertmanagerconfig", options)[..] else {
            panic!("wanted one object");
        };
        assert_eq!(object["apiVersion"], "monitoring.coreos.com/v1alpha1");
        assert_eq!(object["kind"], "AlertmanagerConfig");
        let spec = object["spec"].clone();
        let spec: AlertmanagerConfigSpec = serde_json::from_value(spec).unwrap();
        spec.check();
    }
}

#[test]
fn names_namespaces_and_labels_are_on_every_object() {
    let mut seen = 0;
    for (what, file) in [
        ("prometheusrule", None),
        ("alertmanagerconfig", None),
        ("servicemonitor", None),
        ("configmaps", Some("configmaps-dashboards.yaml")),
        ("configmaps", Some("configmap-templates.yaml")),
        ("configmaps", Some("configmap-rules.yaml")),
    ] {
        let mut options = OPTIONS.to_vec();
        options.extend(file.iter().flat_map(|file| ["--file", file]));
        for object in written(what, &options) {
            let metadata = &object["metadata"];
            let name = metadata["name"].as_str().unwrap();
            assert!(name.starts_with("exporter-com"), "{metadata}");
            let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.chars().all(is_allowed), "{metadata}");
            assert!(name.len() <= 63, "{metadata}");
            assert_eq!(metadata["namespace"], "monitoring", "{metadata}");
            let labels = json!({
                "app.kubernetes.io/name": "exporter-com",
                "release": "kube-prometheus",
                "company.test/tier": "1",
                "grafana_dashboard": "yes",
            });
            assert_eq!(metadata["labels"], labels);
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn a_changed_threshold_and_address_reach_the_rules_on_kubernetes() {
    let options = [
        "--threshold",
        "no_success_seconds=2w",
        "--rule-label",
        "environment=production",
        "--grafana",
        "https://grafana.company.test",
    ];
    let text = assets(&[&["prometheusrule"], &options[..]].concat()).done();
    assert!(text.contains("expr: '1209600'"), "{text}");
    assert!(!text.contains("grafana.example.com"));
    for object in objects(&text) {
        for group in object["spec"]["groups"].as_array().unwrap() {
            for rule in group["rules"].as_array().unwrap() {
                let label = rule["labels"]["environment"] == "production";
                assert_eq!(label, rule["alert"].is_string(), "{rule}");
            }
        }
    }
}

#[test]
fn the_service_and_the_monitor_select_what_the_statefulset_labels() {
    let [service, monitor] = &written("servicemonitor", &[])[..] else {
        panic!("wanted two objects");
    };
    let config = parsed(&read(PROMETHEUS));
    let scraped = &config["scrape_configs"][0];
    let labels = &service["metadata"]["labels"];
    let (spec, endpoint) = (&monitor["spec"], &monitor["spec"]["endpoints"][0]);
    assert_eq!(spec["selector"]["matchLabels"], *labels);
    assert_eq!(endpoint["port"], service["spec"]["ports"][0]["name"]);
    assert_eq!(endpoint["interval"], config["global"]["scrape_interval"]);
    assert_eq!(endpoint.get("honorLabels"), scraped.get("honor_labels"));
    assert_eq!(spec["sampleLimit"], scraped["sample_limit"]);
    assert_eq!(
        spec["labelValueLengthLimit"],
        scraped["label_value_length_limit"]
    );

    let others = objects(&read("deploy/kubernetes/statefulset.yaml"));
    let statefulset = others
        .iter()
        .find(|it| it["kind"] == "StatefulSet")
        .unwrap();
    let pods = &statefulset["spec"]["template"];
    for (key, value) in service["spec"]["selector"].as_object().unwrap() {
        assert_eq!(pods["metadata"]["labels"][key], *value);
    }
    let ports = &pods["spec"]["containers"][0]["ports"][0];
    assert_eq!(ports["containerPort"], service["spec"]["ports"][0]["port"]);
    // Another Service with the labels that the monitor selects would be scraped as well.
    let services: Vec<_> = others.iter().filter(|it| it["kind"] == "Service").collect();
    assert!(!services.is_empty());
    for other in services {
        assert_ne!(other["metadata"]["name"], service["metadata"]["name"]);
        let label = &other["metadata"]["labels"]["app.kubernetes.io/name"];
        assert_ne!(*label, labels["app.kubernetes.io/name"]);
    }
}

#[test]
fn every_route_receiver_and_inhibition_is_in_the_alertmanager_config() {
    let object = written(
        "alertmanagerconfig",
        &["--receiver", "chat=https://hooks.company.test/ci"],
    );
    let config = parsed(&read(ALERTMANAGER));
    let spec = &object[0]["spec"];
    let list = |value: &Value| value.as_array().unwrap().clone();
    let routes = list(&spec["route"]["routes"]);
    let shipped = list(&config["route"]["routes"]);
    assert_eq!(routes.len(), shipped.len());
    for (made, shipped) in routes.iter().zip(shipped) {
        assert_eq!(made["receiver"], shipped["receiver"]);
        assert_eq!(made["groupWait"], shipped["group_wait"]);
        assert_eq!(made["groupBy"], shipped["group_by"]);
    }
    assert_eq!(
        list(&spec["receivers"]).len(),
        list(&config["receivers"]).len()
    );
    let rules = list(&spec["inhibitRules"]);
    let shipped = list(&config["inhibit_rules"]);
    assert_eq!(rules.len(), shipped.len());
    for (made, shipped) in rules.iter().zip(shipped) {
        assert_eq!(made["equal"], shipped["equal"]);
        let matchers = list(&made["sourceMatch"]);
        assert_eq!(matchers.len(), list(&shipped["source_matchers"]).len());
        for (made, shipped) in matchers.iter().zip(list(&shipped["source_matchers"])) {
            let text = |key: &str| made[key].as_str().unwrap().to_owned();
            let written = format!("{}{}\"{}\"", text("name"), text("matchType"), text("value"));
            assert_eq!(shipped, written);
        }
    }
    let chat = list(&spec["receivers"])
        .into_iter()
        .find(|it| it["name"] == "chat")
        .unwrap();
    assert_eq!(
        chat["webhookConfigs"][0]["url"],
        "https://hooks.company.test/ci"
    );
}

#[test]
fn each_dashboard_is_a_config_map_for_the_sidecar_of_grafana() {
    let options = [
        "--file",
        "configmaps-dashboards.yaml",
        "--grafana-folder",
        "CI: \"red\"",
    ];
    let mut maps = written("configmaps", &options).into_iter();
    for (name, dashboard) in shipped("dashboards", "json") {
        let map = maps.next().unwrap();
        assert_eq!(
            (&map["kind"], &map["apiVersion"]),
            (&"ConfigMap".into(), &"v1".into())
        );
        let metadata = &map["metadata"];
        assert_eq!(metadata["name"], format!("{NAME}-dashboard-{name}"));
        assert_eq!(metadata["labels"]["grafana_dashboard"], "1");
        assert_eq!(metadata["annotations"]["grafana_folder"], "CI: \"red\"");
        let data = map["data"].as_object().unwrap();
        let key = format!("{NAME}-{name}.json");
        assert_eq!(data.keys().collect::<Vec<_>>(), [&key]);
        assert!(data[&key] == *dashboard, "{name}");
        let size = map.to_string().len();
        assert!(size < LARGEST_OBJECT, "{name}: {size}");
    }
    assert_eq!(maps.next(), None);
}

#[test]
fn templates_and_rules_are_config_maps_with_the_shipped_files() {
    for (file, folder, ending) in [
        (
            "configmap-templates.yaml",
            "deploy/alertmanager/templates",
            "tmpl",
        ),
        ("configmap-rules.yaml", "alert-rules", "yml"),
    ] {
        let [map] = &written("configmaps", &["--file", file])[..] else {
            panic!("wanted one object");
        };
        let data = map["data"].as_object().unwrap();
        let shipped = shipped(folder, ending);
        assert_eq!(data.len(), shipped.len());
        for (name, text) in shipped {
            assert!(data[&format!("{name}.{ending}")] == *text, "{name}");
        }
        assert!(map.to_string().len() < LARGEST_OBJECT);
    }
}
