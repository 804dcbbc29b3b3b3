//! The Helm chart in `deploy/helm`, rendered by the real helm in every mode.

mod check;
mod configurations;
mod modes;
mod refusals;
mod rules;
mod schemas;
mod wiring;

pub(crate) use self::check::{check_mounts, check_pod_security, check_selectors, pods};

use std::process::Command;

use serde_json::Value;
use testkit::daemon::Ran;
use testkit::s3_servers::tool;

use crate::tools::at_root;

/// The release of all modes. It contains the chart's name, so the objects are called like it.
const RELEASE: &str = "job-failure-exporter";
/// Namespace of the release.
const NAMESPACE: &str = "ci";

/// The objects of a YAML text.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let objects = serde_yaml::Deserializer::from_str(text);
    let objects = objects.map(|object| serde::Deserialize::deserialize(object).unwrap());
    objects.filter(|object: &Value| !object.is_null()).collect()
}

/// Runs helm on the chart, with these values.
fn helm(command: &[&str], values: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, values).unwrap();
    let mut helm = Command::new(tool("helm"));
    helm.args(command).arg(at_root("deploy/helm"));
    helm.arg("--values").arg(&file);
    // Neither the configuration nor the plugins of who runs the test.
    helm.env("HELM_CONFIG_HOME", folder.path());
    helm.env("HELM_DATA_HOME", folder.path());
    helm.env("HELM_CACHE_HOME", folder.path());
    Ran::of(&helm.output().unwrap())
}

/// The objects of the chart with these values.
#[track_caller]
fn render(values: &str) -> Vec<Value> {
    objects(&helm(&["template", RELEASE, "--namespace", NAMESPACE], values).done())
}

/// The objects of a kind.
fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|it| it["kind"] == kind).collect()
}

/// The entries of a list that may be missing.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value}"))
}
