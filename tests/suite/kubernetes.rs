//! `deploy/kubernetes/`, which the chart makes, and Kubernetes objects with options, which `assets` writes: held to the shipped
//! rules and configurations and to the fields that the operator knows.

mod schema;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testkit::s3_servers::tool;

use self::schema::{AlertmanagerConfigSpec, PrometheusRuleSpec};
use crate::assets::assets;
use crate::chart::{check_mounts, check_pod_security, check_selectors, objects, pods};
use crate::tools::{at_root, run};

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
fn the_plain_manifests_are_what_the_chart_makes() {
    let folder = tempfile::tempdir().unwrap();
    let script = at_root("scripts/kubernetes.sh");
    run("bash", [&script, folder.path()]).must_pass();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let current =
            read(&format!("{FOLDER}/{name}")) == fs::read_to_string(entry.path()).unwrap();
        assert!(current, "{FOLDER}/{name} is old; run: make kubernetes");
        names.push(name);
    }
    let kept = fs::read_dir(at_root(FOLDER)).unwrap().count();
    assert_eq!(kept, names.len() + 1, "{names:?} and kustomization.yaml");
}

#[test]
fn kubectl_makes_of_the_kustomization_objects_that_fit_each_other() {
    let kubectl = tool("kubectl");
    let built = |path: &Path| {
        let answer = run(
            kubectl.to_str().unwrap(),
            [OsStr::new("kustomize"), path.as_os_str()],
        );
        answer.must_pass();
        objects(&answer.printed)
    };
    let made = built(&at_root(FOLDER));
    check_selectors(&made);
    check_mounts(&made);
    pods(&made).into_iter().for_each(check_pod_security);
    for kind in [
        "StatefulSet",
        "Service",
        "ServiceMonitor",
        "PrometheusRule",
        "ConfigMap",
    ] {
        assert!(made.iter().any(|it| it["kind"] == kind), "{kind}");
    }
    // The overlay of the documentation.
    let page = read("docs/kubernetes.md");
    let overlay = page.split("```yaml kustomization\n").nth(1).unwrap();
    let overlay = overlay.split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // kustomize takes relative paths only.
    let up = "../".repeat(folder.path().components().count() - 1);
    let base = format!(
        "{up}{}",
        at_root(FOLDER).strip_prefix("/").unwrap().display()
    );
    let overlay = overlay.replace("../job-failure-exporter/deploy/kubernetes", &base);
    fs::write(folder.path().join("kustomization.yaml"), overlay).unwrap();
    let made = built(folder.path());
    check_selectors(&made);
    assert!(
        made.iter()
            .all(|it| it["metadata"]["namespace"] == "monitoring")
    );
    let config = made
        .iter()
        .find_map(|it| it["data"]["config.yml"].as_str())
        .unwrap();
    assert!(config.contains("gitlab.company.example"), "{config}");
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
fn the_service_and_the_monitor_say_what_the_shipped_scrape_configuration_says() {
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
