//! The configuration that the chart writes is one that the exporter takes.

use std::fs;
use std::process::Command;

use testkit::daemon::Ran;

use super::modes::MODES;
use super::{RELEASE, of_kind, render, text};
use crate::tools::at_root;

/// `check-config` with the configuration of these values, with the Secrets in a folder of this machine.
fn check(values: &str) -> Ran {
    let objects = render(values);
    let maps = of_kind(&objects, "ConfigMap");
    let config = maps
        .iter()
        .find_map(|map| map["data"]["config.yml"].as_str())
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    for (path, content) in [
        ("gitlab/token", "glpat-0123456789abcdef"),
        ("webhook/token", "hook-0123456789abcdef"),
        (
            "webhook/key",
            "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        ),
        ("remediation/secret", "glpat-fedcba9876543210"),
        ("callers/alertmanager", "caller-0123456789abcdef"),
        ("web/web-config.yml", "http_server_config: {http2: true}\n"),
    ] {
        let path = secrets.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let file = folder.path().join("config.yml");
    fs::write(
        &file,
        config.replace("/run/secrets", secrets.to_str().unwrap()),
    )
    .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"));
    command.arg("check-config").arg(&file).env_clear();
    // The flags of the pods belong to the check.
    let container =
        &of_kind(&objects, "StatefulSet")[0]["spec"]["template"]["spec"]["containers"][0];
    for arg in super::list(&container["args"]).iter().map(text) {
        if !arg.starts_with("--config.file") {
            command.arg(arg);
        }
    }
    Ran::of(&command.output().unwrap())
}

#[test]
fn the_exporter_takes_the_configuration_and_the_flags_of_every_mode() {
    for (mode, values) in MODES {
        let said = check(values);
        assert_eq!(said.code, Some(0), "{mode}: {said:?}");
        assert!(!said.err.contains("warning"), "{mode}: {said:?}");
    }
}

#[test]
fn the_configuration_is_passed_through_and_keys_of_the_user_win() {
    let said = check("{shards: 2, config: {watch: {groups: [{path: platform}]}, store: {directory: /var/lib/job-failure-exporter/mine}}}").done();
    assert!(said.contains("group     platform"), "{said}");
    assert!(!said.contains("group/app"), "{said}");
    assert!(said.contains("shard     1/2"), "{said}");
    assert!(
        said.contains("/var/lib/job-failure-exporter/mine"),
        "{said}"
    );
    let said = check("{config: {wach: {projects: [a/b]}}}").refused();
    assert!(said.contains("wach"), "{said}");
}

#[test]
fn the_whole_example_of_the_configuration_can_be_given() {
    let example = fs::read_to_string(at_root("deploy/config.example.yml")).unwrap();
    let mut example: serde_yaml::Mapping = serde_yaml::from_str(&example).unwrap();
    // Left to the chart.
    example.remove("store");
    let watch = example.get_mut("watch").unwrap().as_mapping_mut().unwrap();
    watch.remove("shard");
    let indented = serde_yaml::to_string(&example)
        .unwrap()
        .replace('\n', "\n  ");
    let said = check(&format!("config:\n  {indented}"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let objects = render(&format!("config:\n  {indented}"));
    let name = &of_kind(&objects, "StatefulSet")[0]["metadata"]["name"];
    assert_eq!(name, RELEASE);
}
