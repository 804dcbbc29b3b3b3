//! `compose.yaml`: what it mounts exists, its services find each other, and every program takes its configuration.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::Value;
use testkit::daemon::Ran;

use crate::tools::{at_root, run};

/// Ports that the programs listen on.
const PORTS: [(&str, u16); 6] = [
    ("alertmanager", 9093),
    ("exporter", 10141),
    ("gitlab", 8929),
    ("grafana", 3000),
    ("prometheus", 9090),
    ("receiver", 8080),
];

/// The file without variables of the environment: with their defaults.
fn compose() -> Value {
    let text = fs::read_to_string(at_root("compose.yaml")).unwrap();
    let variable = Regex::new(r"\$\{[A-Z_]+:-([^}]*)\}").unwrap();
    let text = variable.replace_all(&text, "$1");
    assert!(!text.contains("${"), "a variable without a default");
    serde_yaml::from_str::<serde_yaml::Value>(&text)
        .map(|mut value| {
            value.apply_merge().unwrap();
            serde_json::to_value(value).unwrap()
        })
        .unwrap()
}

fn list(value: &Value) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.map(|it| it.as_str().unwrap().to_owned()).collect()
}

fn services(compose: &Value) -> Vec<(&String, &Value)> {
    let services: Vec<_> = compose["services"].as_object().unwrap().iter().collect();
    assert!(services.len() > 5);
    services
}

/// Whether an address such as `prometheus:9090` is one of a service.
fn is_service(address: &str) -> bool {
    PORTS
        .iter()
        .any(|(name, port)| address == format!("{name}:{port}"))
}

#[test]
fn mounts_exist_volumes_are_declared_and_ports_are_of_this_machine_alone() {
    let compose = compose();
    let mut published = BTreeSet::new();
    for (name, service) in services(&compose) {
        for volume in list(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            match source.strip_prefix("./") {
                Some(path) => assert!(at_root(path).exists(), "{name}: {volume}"),
                None => assert!(compose["volumes"].get(source).is_some(), "{name}: {volume}"),
            }
        }
        for port in list(&service["ports"]) {
            let parts: Vec<_> = port.split(':').collect();
            assert_eq!(parts[0], "127.0.0.1", "{name}: {port}");
            assert!(
                PORTS.contains(&(name, parts[2].parse().unwrap())),
                "{name}: {port}"
            );
            assert!(published.insert(parts[1].to_owned()), "{port} twice");
        }
        if let Some(build) = service["build"].as_object() {
            let file = at_root(build["dockerfile"].as_str().unwrap());
            assert!(file.exists(), "{}", file.display());
            assert_eq!(build["context"], ".");
        }
    }
}

#[test]
fn services_wait_for_what_they_need_and_health_checks_ask_the_right_port() {
    let compose = compose();
    for (name, service) in services(&compose) {
        for (other, how) in service["depends_on"].as_object().into_iter().flatten() {
            let other = &compose["services"][other];
            assert!(other.is_object(), "{name}");
            match how["condition"].as_str().unwrap() {
                "service_healthy" => assert!(other["healthcheck"].is_object(), "{name}"),
                "service_completed_successfully" => assert!(other["restart"].is_null(), "{name}"),
                started => assert_eq!(started, "service_started"),
            }
        }
        let test = list(&service["healthcheck"]["test"]);
        if let Some(url) = test.last() {
            let port = PORTS.iter().find(|(it, _)| it == name).unwrap().1;
            assert!(url.contains(&format!("localhost:{port}/")), "{name}: {url}");
        }
    }
    let gitlab = list(&compose["services"]["gitlab"]["command"]).concat();
    assert!(gitlab.contains("--listen-address=0.0.0.0:8929"), "{gitlab}");
    let datasource = fs::read_to_string(at_root("deploy/compose/datasource.yml")).unwrap();
    let datasource: Value = serde_yaml::from_str(&datasource).unwrap();
    let url = datasource["datasources"][0]["url"].as_str().unwrap();
    assert!(is_service(url.trim_start_matches("http://")), "{url}");
}

fn exporter(args: &[String], token: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"));
    command.args(args).env_clear().env("GITLAB_TOKEN", token);
    Ran::of(&command.output().unwrap())
}

#[test]
fn the_exporter_takes_its_flags_and_its_configuration() {
    let compose = compose();
    let service = &compose["services"]["exporter"];
    let file = at_root("deploy/compose/config.yml");
    let flags = list(&service["command"]).into_iter();
    let flags = flags.map(|flag| {
        flag.replace(
            "/etc/job-failure-exporter/config.yml",
            file.to_str().unwrap(),
        )
    });
    let args: Vec<_> = [String::from("check-config")]
        .into_iter()
        .chain(flags)
        .collect();
    let token = service["environment"]["GITLAB_TOKEN"].as_str().unwrap();
    let said = exporter(&args, token).done();
    assert!(
        said.contains("http://gitlab:8929/ (with a token)"),
        "{said}"
    );
    assert!(said.contains("group     acme"), "{said}");
}

/// Every address that a configuration names is one of a service.
fn check_targets(text: &str) {
    let config: Value = serde_yaml::from_str(text).unwrap();
    let scraped = config["scrape_configs"].as_array().unwrap().iter();
    let groups = scraped.chain(config["alerting"]["alertmanagers"].as_array().unwrap());
    for target in groups.flat_map(|it| list(&it["static_configs"][0]["targets"])) {
        assert!(
            is_service(&target) || target == "localhost:9090",
            "{target}"
        );
    }
}

#[test]
fn prometheus_and_alertmanager_take_what_the_assets_service_writes() {
    let compose = compose();
    let folder = tempfile::tempdir().unwrap();
    let assets = folder.path().to_str().unwrap();
    let args = list(&compose["services"]["assets"]["command"]).into_iter();
    let args: Vec<_> = args
        .map(|arg| arg.replace("--to=/assets", &format!("--to={assets}")))
        .collect();
    exporter(&args, "").done();

    let text = fs::read_to_string(at_root("deploy/compose/prometheus.yml")).unwrap();
    check_targets(&text);
    let shipped = fs::read_to_string(at_root("deploy/prometheus/prometheus.yml")).unwrap();
    let parsed = |text: &str| serde_yaml::from_str::<Value>(text).unwrap();
    for key in ["honor_labels", "sample_limit", "label_value_length_limit"] {
        let of = |text: &str| parsed(text)["scrape_configs"][0][key].clone();
        assert_eq!(of(&text), of(&shipped), "{key}");
    }
    let config = folder.path().join("prometheus.yml");
    fs::write(&config, text.replace("/assets/", &format!("{assets}/"))).unwrap();
    let answer = run(
        "promtool",
        [Path::new("check"), Path::new("config"), &config],
    );
    answer.must_pass();
    assert!(answer.output.contains("rule files"), "{}", answer.output);

    let routes = folder.path().join("alertmanager/alertmanager.yml");
    run("amtool", [Path::new("check-config"), &routes]).must_pass();
    let routes = fs::read_to_string(routes).unwrap();
    let url = Regex::new(r#"url: ['\"]?http://([^/]+)/"#).unwrap();
    let receivers: Vec<_> = url
        .captures_iter(&routes)
        .map(|found| found[1].to_owned())
        .collect();
    assert!(
        receivers.len() > 5 && receivers.iter().all(|it| is_service(it)),
        "{receivers:?}"
    );
    assert!(folder.path().join("dashboards/overview.json").exists());
    // Grafana takes every JSON file of the volume for a dashboard.
    for kind in fs::read_dir(folder.path())
        .unwrap()
        .map(|it| it.unwrap().path())
    {
        if kind.is_dir() && !kind.ends_with("dashboards") {
            let names = fs::read_dir(&kind).unwrap().map(|it| it.unwrap().path());
            assert!(
                names
                    .into_iter()
                    .all(|it| it.extension().is_none_or(|end| end != "json"))
            );
        }
    }
}
