//! Kubernetes and the Prometheus operator know every field of every object.

use std::fs;

use serde_json::{Value, json};
use testkit::s3_servers::tool;

use super::modes::MODES;
use super::render;
use crate::tools::{Answer, at_root, run};

/// Checks objects, each with the mode that made it.
fn check(all: &[Value]) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("objects.json");
    fs::write(&file, serde_json::to_vec(all).unwrap()).unwrap();
    let script = at_root("tests/suite/chart/schemas.py");
    let args = [script, at_root("tests/data/prometheus-operator"), file];
    run(tool("python").to_str().unwrap(), args)
}

#[test]
fn kubernetes_and_the_operator_know_every_field_in_every_mode() {
    let all: Vec<Value> = MODES
        .iter()
        .flat_map(|(mode, values)| {
            render(values)
                .into_iter()
                .map(move |object| json!({"mode": mode, "object": object}))
        })
        .collect();
    assert!(all.len() > 100);
    check(&all).must_pass();
}

#[test]
fn a_misspelled_field_and_a_value_of_a_wrong_type_are_found() {
    let head =
        |api: &str, kind: &str| json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}});
    let mut service = head("v1", "Service");
    service["spec"] = json!({"ports": [{"port": "http"}], "selectors": {}});
    let mut monitor = head("monitoring.coreos.com/v1", "ServiceMonitor");
    monitor["spec"] = json!({"selector": {}, "endpoints": [{"honourLabels": true}]});
    let mut routes = head("monitoring.coreos.com/v1alpha1", "AlertmanagerConfig");
    routes["spec"] = json!({"route": {"routes": [{"reciever": "chat"}]}});
    for (object, problem) in [
        (service, "Service a"),
        (monitor, "honourLabels"),
        (routes, "reciever"),
    ] {
        let answer = check(&[json!({"mode": "wrong", "object": object})]);
        assert!(
            !answer.passed && answer.output.contains(problem),
            "{}",
            answer.output
        );
    }
}
