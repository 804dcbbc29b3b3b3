//! `check-config` with `--print`, `--json` and `--online`, and the JSON Schema of the configuration.

mod online;
mod schema;

use std::fs;
use std::path::Path;
use std::process::Command;

use job_failure_exporter::config::{Config, Overrides, Setting, keys};
use serde_json::Value;
use testkit::daemon::Ran;

/// Values that YAML would read as something else, a preset, and an address with a password.
const TRICKY: &str = r#"
gitlab: {url: http://gitlab.test}
watch:
  interval: 10m
  projects: [7, group/app]
  groups:
    - path: platform
      exclude: ['*/attic/**', "a,b"]
  refs: [default, 'release/.*', '#[0-9]', '\d{2}: x', "it's"]
  backfill: {days: 3}
counting: {preset: datadog-agent, window: 5}
classification:
  rules: [{match: "a \"b\"\tc", class: script}, {match: 'true', class: timeout}]
store: {s3: {bucket: state}}
owners: {rules: [{jobs: 'deploy-*', team: "@sre"}]}
"#;

fn check(folder: &Path, args: &[&str], text: &str) -> Ran {
    fs::write(folder.join("config.yml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"));
    command.current_dir(folder).env_clear();
    let command = command.args(["check-config", "config.yml"]).args(args);
    Ran::of(&command.output().unwrap())
}

fn settings(text: &str) -> Vec<Setting> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    fs::write(&file, text).unwrap();
    let (config, _) = Config::check(Some(&file), &Overrides::default(), &|_| None).unwrap();
    config.settings().to_vec()
}

#[test]
fn what_print_writes_is_a_configuration_with_the_same_values() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["watch: {projects: [a/b]}", TRICKY] {
        let printed = check(folder.path(), &["--print"], text).done();
        let again = settings(&printed);
        let values = |settings: &[Setting]| -> Vec<_> {
            let value = |it: &Setting| -> Option<Value> {
                it.value
                    .as_ref()
                    .map(|yaml| serde_yaml::from_str(yaml).unwrap())
            };
            settings
                .iter()
                .map(|it| (it.key.clone(), value(it)))
                .collect()
        };
        assert_eq!(values(&again), values(&settings(text)), "{printed}");
        for key in keys().filter(|key| !key.path.contains('[')) {
            assert!(printed.contains(key.name()), "{} in {printed}", key.path);
        }
    }
}

#[test]
fn print_tells_where_each_value_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--print", "--web.listen-address", "127.0.0.1:1"];
    let printed = check(folder.path(), &args, TRICKY).done();
    for line in [
        "  url: http://gitlab.test # line 2",
        "  listen_address: 127.0.0.1:1 # --web.listen-address",
        "  window: 5 # line 11",
        "  absent_jobs: pass # preset",
        "  absent_after: 10 # default",
        "  child_pipelines: ignore # preset",
        "    pipelines: 1000 # default",
        "  idle_interval: 10m # default",
        "    - path: platform # line 7",
        "# store.directory is not set",
    ] {
        assert!(printed.lines().any(|it| it == line), "{line}\n{printed}");
    }
}

#[test]
fn no_form_shows_a_token_that_stands_in_place_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = "watch: {projects: [a/b]}\ngitlab: {token_file: glpat-0123456789abcdef0123}\n";
    for form in ["--print", "--json"] {
        let ran = check(folder.path(), &[form], text);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(!all.contains("0123456789"), "{all}");
        assert!(all.contains("token_file"), "{all}");
    }
}

#[test]
fn json_has_the_warnings_the_summary_and_the_values_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{TRICKY}alertmanager: {{url: 'http://am.test', token_file: missing}}\n");
    let ran = check(folder.path(), &["--json"], &text);
    assert_eq!(ran.err, "");
    let report: Value = serde_json::from_str(&ran.done()).unwrap();
    assert_eq!(report["usable"], true);
    assert_eq!(report["problems"], Value::Array(Vec::new()));
    let warning = &report["warnings"][0];
    assert_eq!(warning["path"], "alertmanager.token_file");
    assert_eq!(warning["line"], 16);
    assert_eq!(report["summary"]["project"].as_array().unwrap().len(), 2);
    let settings = report["settings"].as_array().unwrap();
    let value = |key: &str| &settings.iter().find(|it| it["key"] == key).unwrap()["value"];
    assert_eq!(
        value("watch.projects"),
        &serde_json::json!([7, "group/app"])
    );
    assert_eq!(value("classification.rules[1].match"), "true");
    assert_eq!(value("watch.backfill.days"), 3);
    assert_eq!(value("web.external_url"), &Value::Null);
}

#[test]
fn json_has_every_problem_with_its_place_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let text = "watch: {projects: [a/b]}\nretention: soon\nlimit: 3\n";
    let ran = check(folder.path(), &["--json"], text);
    assert_eq!(ran.code, Some(1));
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["usable"], false);
    let problems = report["problems"].as_array().unwrap();
    let places: Vec<_> = problems
        .iter()
        .map(|it| (&it["path"], &it["line"]))
        .collect();
    assert_eq!(places.len(), 2, "{report}");
    assert!(places[0].0 == "retention" && places[0].1 == 2, "{report}");
    assert!(places[1].0 == "limit" && places[1].1 == 3, "{report}");

    fs::write(folder.path().join("web.yml"), "tls_server: {}\n").unwrap();
    let text = "watch: {projects: [a/b]}\nweb: {config_file: web.yml}\n";
    let report: Value = serde_json::from_str(&check(folder.path(), &["--json"], text).out).unwrap();
    assert_eq!(report["problems"][0]["path"], "web.config_file", "{report}");
}

#[test]
fn patterns_of_the_other_kind_are_warnings_with_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let text = "watch:\n  projects: [a/b]\n  groups: [{path: c, exclude: ['c/attic/.*']}]\n  refs:\n    [default, 'release/*']\n\
                owners: {rules: [{jobs: '^deploy$', team: a}]}\n";
    let ran = check(folder.path(), &[], text);
    for line in [
        "warning: 3: watch.groups[0].exclude: `c/attic/.*` looks like a regular expression",
        "watch.refs: `release/*` looks like a glob",
        "warning: 6: owners.rules[0].jobs: `^deploy$` looks like a regular expression",
    ] {
        assert!(ran.err.contains(line), "{line}\n{}", ran.err);
    }
    let report: Value =
        serde_json::from_str(&check(folder.path(), &["--json"], text).done()).unwrap();
    assert_eq!(report["warnings"].as_array().unwrap().len(), 3, "{report}");
    assert_eq!(report["online"], Value::Null);
    ran.done();
}
