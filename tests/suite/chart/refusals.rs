//! Values that cannot work are refused with what to do, and the files that are made from the values are current.

use std::fs;

use serde_json::Value;
use testkit::s3_servers::tool;

use super::{RELEASE, helm};
use crate::tools::{at_root, run};

#[test]
fn unknown_and_contradicting_values_are_refused_with_what_to_do() {
    for (values, problem) in [
        (
            "{replicaCount: 2}",
            "additional properties 'replicaCount' not allowed",
        ),
        (
            "{image: {name: x}}",
            "additional properties 'name' not allowed",
        ),
        ("{config: null}", "missing property 'config'"),
        ("{shards: 0}", "at '/shards'"),
        ("{replicas: two}", "at '/replicas'"),
        ("{logLevel: verbose}", "at '/logLevel'"),
        ("{podLabels: {a: true}}", "at '/podLabels/a'"),
        ("{image: {digest: sha256:12}}", "at '/image/digest'"),
        ("{replicas: 2}", "Set config.store.s3.bucket"),
        ("{config: {watch: {shard: 1/2}}}", "set `shards`"),
        (
            "{config: {store: {directory: /state}}}",
            "choose a directory below /var/lib/job-failure-exporter",
        ),
        (
            "{config: {web: {listen_address: '127.0.0.1:10141'}}}",
            "Leave the host out",
        ),
        ("{secrets: {web: {tls: true}}}", "Set both"),
        (
            "{secrets: {webhook: {name: hook, tokenKey: ''}}}",
            "Name at least one key",
        ),
        (
            "{prometheusRule: {enabled: true, thresholds: {failures: 3}}}",
            "There are: allowed_failures,",
        ),
        (
            "{prometheusRule: {enabled: true, thresholds: {consecutive_failures: 3}}}",
            "give values by severity",
        ),
        (
            "{prometheusRule: {enabled: true, thresholds: {window_failures: {warning: 3}}}}",
            "no such severity",
        ),
        (
            "{prometheusRule: {enabled: true, thresholds: {failing_seconds: 4h}}}",
            "Write times such as 4h as seconds",
        ),
        (
            "{alertmanagerConfig: {enabled: true, receivers: {mail: {}}}}",
            "There are: null, dead-mans-switch,",
        ),
    ] {
        let said = helm(&["template", RELEASE], values).refused();
        assert!(said.contains(problem), "{values}: {said}");
    }
}

#[test]
fn helm_finds_nothing_to_complain_about_and_the_notes_tell_the_next_step() {
    let said = helm(&["lint", "--strict"], "").done();
    assert!(
        !said.contains("[WARNING]") && !said.contains("[ERROR]"),
        "{said}"
    );
    let install = ["install", RELEASE, "--dry-run=client"];
    let notes = helm(&install, "").done();
    let notes = notes.split_once("NOTES:").unwrap().1;
    for next in [
        "NOTHING IS WATCHED YET",
        "kubectl create secret generic gitlab-token",
        "helm test job-failure-exporter",
        "Prometheus does not scrape",
    ] {
        assert!(notes.contains(next), "{notes}");
    }
    let values = "{config: {watch: {projects: [7]}}, secrets: {gitlabToken: {name: t}}, serviceMonitor: {enabled: true}}";
    let notes = helm(&install, values).done();
    let notes = notes.split_once("NOTES:").unwrap().1;
    for done in [
        "NOTHING IS WATCHED",
        "kubectl create secret",
        "does not scrape",
    ] {
        assert!(!notes.contains(done), "{notes}");
    }
}

/// Fails for a value without a description.
fn check_described(schema: &Value, path: &str) {
    assert!(
        schema["description"].is_string(),
        "{path} has no description"
    );
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        check_described(value, &format!("{path}.{key}"));
    }
}

#[test]
fn the_readme_and_the_schema_are_those_of_the_values_and_describe_each_one() {
    let folder = tempfile::tempdir().unwrap();
    let script = at_root("scripts/chart-docs.py");
    let values = at_root("deploy/helm/values.yaml");
    let args = [&script, &values, &folder.path().to_owned()];
    run(tool("python").to_str().unwrap(), args).must_pass();
    for file in ["README.md", "values.schema.json"] {
        let made = fs::read_to_string(folder.path().join(file)).unwrap();
        let kept = fs::read_to_string(at_root("deploy/helm").join(file)).unwrap();
        assert!(made == kept, "deploy/helm/{file} is old; run: make chart");
    }
    let schema = fs::read_to_string(folder.path().join("values.schema.json")).unwrap();
    check_described(&serde_json::from_str(&schema).unwrap(), "values");
}

#[test]
fn the_chart_has_the_version_of_the_exporter() {
    let chart = fs::read_to_string(at_root("deploy/helm/Chart.yaml")).unwrap();
    let chart: Value = serde_yaml::from_str(&chart).unwrap();
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
}
