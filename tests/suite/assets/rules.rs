//! Rules and Alertmanager's configuration, checked by promtool and amtool.

use std::fs;

use serde_json::Value;

use super::{GRAFANA, RUNBOOKS, SHIPPED_GRAFANA, SHIPPED_RUNBOOKS, Target, assets, files};
use crate::tools;
use crate::tools::at_root;

/// Tests with links of alerts. All of them run on the shipped rules, which are the same to the byte.
const SHIPPED_TESTS: [&str; 3] = [
    "exporter_poll_stale.yml",
    "job_failing_repeatedly.yml",
    "job_flaky.yml",
];

/// Jobs of two teams with four failures each, polled by one exporter.
const SERIES: &str = r#"
rule_files: [RULES]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'job_failure_exporter_build_info{job="j",instance="a",version="1"}', values: 1x60}
      - {series: 'up{job="j",instance="a"}', values: 1x60}
      - {series: 'project_info{job="j",instance="a",project="acme/shop"}', values: 1x60}
      - {series: 'project_info{job="j",instance="a",project="acme/models"}', values: 1x60}
      - {series: 'project_last_successful_poll_timestamp_seconds{job="j",instance="a",project="acme/shop"}', values: 0+60x60}
      - {series: 'project_last_successful_poll_timestamp_seconds{job="j",instance="a",project="acme/models"}', values: 0+60x60}
      - {series: 'job_consecutive_failures{job="j",instance="a",project="acme/shop",ref="main",job_name="unit"}', values: 4x60}
      - {series: 'job_info{job="j",instance="a",project="acme/shop",ref="main",job_name="unit",stage="test",team="shop",allow_failure="false"}', values: 1x60}
      - {series: 'job_consecutive_failures{job="j",instance="a",project="acme/models",ref="main",job_name="train"}', values: 4x60}
      - {series: 'job_info{job="j",instance="a",project="acme/models",ref="main",job_name="train",stage="test",team="research",allow_failure="false"}', values: 1x60}
    promql_expr_test:
      - expr: count by (job_name, severity, environment) (ALERTS{alertname="CIJobFailingRepeatedly",alertstate="firing"})
        eval_time: 30m
        exp_samples: ["#;

/// Runs promtool's test of [`SERIES`] with these alerts expected.
fn expect_alerts(target: &Target, expected: &[&str]) {
    let sample = |labels: &&str| format!("{{labels: '{{{labels}}}', value: 1}}");
    let samples: Vec<_> = expected.iter().map(sample).collect();
    let names = files(target.0.path(), ".yml");
    let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    let text = SERIES.replace("RULES", &names.join(", ")) + &samples.join(", ") + "]\n";
    let path = target.put("series.test.yaml", &text);
    tools::run("promtool", ["test", "rules", &path]).must_pass();
}

fn check_rules(target: &Target) {
    let mut args = vec![
        "check".to_owned(),
        "rules".to_owned(),
        "--lint=all".to_owned(),
    ];
    args.push("--lint-fatal".to_owned());
    args.extend(files(target.0.path(), ".yml"));
    tools::run("promtool", args).must_pass();
}

#[test]
fn without_options_the_rules_are_the_shipped_ones_to_the_byte() {
    let target = Target::new();
    target.write("rules", &[]).done();
    let shipped = files(&at_root("alert-rules"), ".yml");
    let written = files(target.0.path(), ".yml");
    assert_eq!(shipped.len(), written.len());
    for (shipped, written) in shipped.iter().zip(&written) {
        let (shipped, written) = (fs::read(shipped).unwrap(), fs::read(written).unwrap());
        assert!(shipped == written);
    }
}

#[test]
fn with_given_addresses_the_rules_pass_the_shipped_tests_with_the_same_addresses() {
    let target = Target::new();
    let grafana = GRAFANA.trim_end_matches('/');
    target
        .write("rules", &["--runbooks", RUNBOOKS, "--grafana", grafana])
        .done();
    check_rules(&target);
    let mut args = vec!["test".to_owned(), "rules".to_owned()];
    fs::create_dir_all(target.path("tests/fixtures")).unwrap();
    for name in SHIPPED_TESTS.iter().chain(&["fixtures/overrides.yml"]) {
        let path = at_root("alert-rules/tests").join(name);
        let text = fs::read_to_string(path).unwrap();
        let text = text
            .replace(SHIPPED_RUNBOOKS, RUNBOOKS)
            .replace(SHIPPED_GRAFANA, GRAFANA);
        let written = target.put(&format!("tests/{name}"), &text);
        args.extend(SHIPPED_TESTS.contains(name).then_some(written));
    }
    tools::run("promtool", args).must_pass();
    for file in files(target.0.path(), ".yml") {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains(SHIPPED_RUNBOOKS), "{file}");
        assert!(!text.contains(SHIPPED_GRAFANA), "{file}");
    }
}

#[test]
fn without_thresholds_three_failures_in_a_row_are_a_warning() {
    let target = Target::new();
    target.write("rules", &[]).done();
    let expected = [
        "job_name=\"unit\", severity=\"warning\"",
        "job_name=\"train\", severity=\"warning\"",
    ];
    expect_alerts(&target, &expected);
}

#[test]
fn given_thresholds_and_labels_decide_which_alerts_fire() {
    let target = Target::new();
    let file = target.put(
        "given.yaml",
        "
defaults:
  consecutive_failures: {warning: 2, critical: 9}
overrides:
  - team: research
    thresholds: {consecutive_failures: {warning: off, critical: 9}}
  - project: acme/shop
    job: unit
    thresholds:
      consecutive_failures: {critical: 4}
      no_success_seconds: {warning: 26h}
",
    );
    let rules = Target::new();
    let args = [
        "--thresholds",
        &file,
        "--rule-label",
        "environment=production",
    ];
    rules.write("rules", &args).done();
    check_rules(&rules);
    let expected = [
        "environment=\"production\", job_name=\"unit\", severity=\"warning\"",
        "environment=\"production\", job_name=\"unit\", severity=\"critical\"",
    ];
    expect_alerts(&rules, &expected);
}

#[test]
fn a_default_on_the_command_line_overrides_the_file() {
    let target = Target::new();
    let file = target.put(
        "given.yaml",
        "defaults: {consecutive_failures: {warning: 2}}",
    );
    let rules = Target::new();
    let given = [
        "--thresholds",
        &file,
        "--threshold",
        "consecutive_failures.warning=5",
    ];
    rules.write("rules", &given).done();
    expect_alerts(&rules, &[]);
}

#[test]
fn wrong_thresholds_are_refused_together_and_nothing_is_written() {
    let target = Target::new();
    let file = target.put(
        "given.yaml",
        "overrides: [{teem: research, thresholds: {}}]",
    );
    let to = target.path("rules");
    let args = [
        "rules",
        "--to",
        &to,
        "--thresholds",
        &file,
        "--threshold",
        "failure_ratio=150%",
        "--threshold",
        "flaky_execution=3",
    ];
    let said = assets(&args).refused();
    for expected in [
        "3 thresholds cannot be used:",
        "overrides[1].teem: no key is called `teem`; did you mean `team`?",
        "--threshold failure_ratio=150%: found `150%`, wanted a share such as 50% or 0.5, or off",
        "no threshold is called `flaky_execution`; did you mean `flaky_executions`?",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(!std::path::Path::new(&to).exists());
}

#[test]
fn amtool_takes_the_written_configuration_with_its_receivers_and_templates() {
    let target = Target::new();
    let receiver = "chat=https://hooks.company.test/ci?token=a&b=c#d";
    target
        .write("alertmanager", &["--receiver", receiver])
        .done();
    for config in ["alertmanager.yml", "receivers.example.yml"] {
        tools::run("amtool", ["check-config", &target.path(config)]).must_pass();
    }
    let config: Value = serde_yaml::from_str(&target.read("alertmanager.yml")).unwrap();
    let receivers = config["receivers"].as_array().unwrap();
    let chat = receivers.iter().find(|it| it["name"] == "chat").unwrap();
    let url = &chat["webhook_configs"][0]["url"];
    assert_eq!(*url, "https://hooks.company.test/ci?token=a&b=c#d");
    assert!(target.read("templates/slack.tmpl").contains("{{ define "));

    let said = target
        .write("alertmanager", &["--receiver", "chaat=https://x.test/"])
        .refused();
    assert!(
        said.contains("no receiver is called `chaat`; did you mean `chat`?"),
        "{said}"
    );
}
