//! The shipped alert rules, runbooks and rule tests, held to each other and to promtool. `scripts/check-rules.sh` runs the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::tools;
use crate::tools::at_root;

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: Option<String>,
    record: Option<String>,
    expr: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct TestFile {
    tests: Vec<TestGroup>,
}

#[derive(Deserialize)]
struct TestGroup {
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
}

#[derive(Deserialize)]
struct AlertTest {
    alertname: String,
    exp_alerts: Vec<serde_yaml::Value>,
}

/// Files of a folder with an ending, sorted.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    assert!(!files.is_empty(), "no .{ending} in {}", folder.display());
    files.sort();
    files
}

fn alerts() -> Vec<(String, Rule)> {
    files(&at_root("alert-rules"), "yml")
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            serde_yaml::from_str::<RuleFile>(&text).unwrap().groups
        })
        .flat_map(|group| group.rules)
        .filter_map(|rule| Some((rule.alert.clone()?, rule)))
        .collect()
}

pub(crate) fn alert_names() -> BTreeSet<String> {
    alerts().into_iter().map(|(name, _)| name).collect()
}

fn promtool(args: &[&str], files: &[PathBuf]) -> tools::Answer {
    let files = files.iter().map(|path| path.to_str().unwrap());
    tools::run("promtool", args.iter().copied().chain(files))
}

#[test]
fn every_alert_says_what_it_is_and_where_to_read_on() {
    for (name, rule) in alerts() {
        assert!(name.starts_with("CI"), "{name}");
        for key in ["summary", "description", "runbook_url", "dashboard_url"] {
            let text = rule.annotations.get(key).map_or("", String::as_str);
            assert!(!text.trim().is_empty(), "{name} has no {key}");
        }
        let summary = &rule.annotations["summary"];
        assert!(
            !summary.contains("{{"),
            "{name}: the summary is one static sentence"
        );
        let runbook = &rule.annotations["runbook_url"];
        assert!(
            runbook.ends_with(&format!("/alert-rules/runbooks/{name}.md")),
            "{name}: {runbook}"
        );
    }
}

#[test]
fn no_alert_carries_a_label_that_changes_while_it_fires() {
    let joined = regex::Regex::new(r"group_left \(([^)]*)\)").unwrap();
    for (name, rule) in alerts() {
        for (label, value) in &rule.labels {
            assert!(!value.contains("{{"), "{name}: label {label} is a template");
        }
        let is_taken_off = |label: &str| rule.labels.get(label).is_some_and(String::is_empty);
        let labels = joined.captures_iter(&rule.expr);
        let labels = labels.flat_map(|found| found.extract::<1>().1[0].split(", "));
        let labels: Vec<_> = labels.filter(|label| !label.is_empty()).collect();
        for label in &labels {
            assert!(
                *label == "team" || is_taken_off(label),
                "{name}: the label {label} restarts `for`"
            );
        }
        let has_details = labels.iter().any(|label| is_taken_off(label));
        for word in ["failure_info", "topk"] {
            assert!(
                has_details || !rule.expr.contains(word) || !rule.expr.contains("group_left"),
                "{name}: {word} in the expression restarts `for`"
            );
        }
    }
}

#[test]
fn rules_read_only_metrics_that_the_exporter_documents() {
    let documented = fs::read_to_string(at_root("docs/metrics.md")).unwrap();
    let metric = regex::Regex::new(
        r"\b(?:job|project|pipeline|schedule)_[a-z_]+(?:seconds|total|failures|ratio|info|active|flaky|open)\b",
    )
    .unwrap();
    let mut read = BTreeSet::new();
    for path in files(&at_root("alert-rules"), "yml") {
        let text = fs::read_to_string(path).unwrap();
        let rules = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        read.extend(rules.flat_map(|line| {
            metric
                .find_iter(line)
                .map(|found| found.as_str().to_owned())
        }));
    }
    assert!(
        read.contains("job_failure_info") && read.contains("project_poll_errors_total"),
        "{read:?}"
    );
    for name in read {
        assert!(
            documented.contains(&format!("`{name}`")),
            "{name} is not in docs/metrics.md"
        );
    }
}

#[test]
fn severity_comes_from_the_rule_or_from_the_threshold() {
    for (name, rule) in alerts() {
        let own = rule.labels.get("severity").map(String::as_str);
        match own {
            Some(severity) => assert!(
                ["critical", "warning", "info", "none"].contains(&severity),
                "{name}"
            ),
            None => assert!(
                rule.expr.contains("\"severity\", \"warning\"")
                    || rule.expr.starts_with("ci_job:failing_repeatedly\n"),
                "{name} has no severity"
            ),
        }
    }
}

#[test]
fn every_alert_has_a_runbook_with_the_four_headings_and_every_runbook_an_alert() {
    let runbooks = files(&at_root("alert-rules/runbooks"), "md");
    let named: BTreeSet<_> = runbooks
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(named, alert_names());
    for path in runbooks {
        let text = fs::read_to_string(&path).unwrap();
        let title = format!("# {}", path.file_stem().unwrap().to_str().unwrap());
        let headings: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
        let wanted = [
            &title,
            "## Meaning",
            "## Impact",
            "## Diagnosis",
            "## Mitigation",
        ];
        assert_eq!(headings, wanted, "{}", path.display());
    }
}

#[test]
fn every_runbook_tells_how_to_look_without_guessing() {
    let command = regex::Regex::new("job-failure-exporter (?:explain|state show) ").unwrap();
    let query =
        regex::Regex::new(r"`[^`]*\b(?:ci|job|project|prometheus|alertmanager|schedule)_[a-z_:]+")
            .unwrap();
    for path in files(&at_root("alert-rules/runbooks"), "md") {
        let text = fs::read_to_string(&path).unwrap();
        let (_, diagnosis) = text.split_once("## Diagnosis").unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_of_a_job = name.starts_with("CIJob") || name.starts_with("CIMass");
        assert!(
            !is_of_a_job || command.is_match(&text),
            "{name} names neither `explain` nor `state show`"
        );
        assert!(
            query.is_match(diagnosis),
            "{name}: no query in the diagnosis"
        );
    }
}

#[test]
fn every_alert_is_tested_to_fire_and_to_be_silent() {
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for path in files(&at_root("alert-rules/tests"), "yml") {
        let text = fs::read_to_string(&path).unwrap();
        let file: TestFile = serde_yaml::from_str(&text).unwrap();
        for test in file
            .tests
            .into_iter()
            .flat_map(|group| group.alert_rule_test)
        {
            let seen = if test.exp_alerts.is_empty() {
                &mut silent
            } else {
                &mut fires
            };
            seen.insert(test.alertname);
        }
    }
    assert_eq!(fires, alert_names());
    // The heartbeat is never silent.
    silent.insert("CIWatchdog".to_owned());
    assert_eq!(silent, alert_names());
}

/// The file for the past cannot read thresholds: they have no past.
#[test]
fn the_rules_for_the_past_have_the_default_thresholds_of_a_streak() {
    let read = |path: &str| -> RuleFile {
        serde_yaml::from_str(&fs::read_to_string(at_root(path)).unwrap()).unwrap()
    };
    let recorded = |file: &RuleFile, name: &str| -> BTreeMap<String, String> {
        let rules = file.groups.iter().flat_map(|group| &group.rules);
        let named = rules.filter(|rule| rule.record.as_deref() == Some(name));
        named
            .map(|rule| (rule.labels["severity"].clone(), rule.expr.clone()))
            .collect()
    };
    let thresholds = read("alert-rules/thresholds.yml");
    let defaults = recorded(&thresholds, "ci_default:consecutive_failures:threshold");
    assert_eq!(defaults.len(), 2);
    let past = read("deploy/prometheus/history.yml");
    for name in [
        "ci_job:failing_repeatedly",
        "ci_project:jobs_failing_repeatedly:count",
    ] {
        let found = recorded(&past, name);
        assert_eq!(found.len(), 2, "{name}");
        for (severity, expr) in found {
            let wanted = format!("job_consecutive_failures >= {})", defaults[&severity]);
            assert!(expr.contains(&wanted), "{name} {severity}: {wanted}");
        }
    }
}

#[test]
fn the_rules_are_valid() {
    let rules = files(&at_root("alert-rules"), "yml");
    promtool(&["check", "rules", "--lint=all", "--lint-fatal"], &rules).must_pass();
}

#[test]
fn the_rule_tests_notice_a_wait_that_is_changed() {
    for (file, wait, other, test) in [
        ("jobs.yml", " for: 1m", " for: 2m", "job_failing_repeatedly"),
        (
            "jobs.yml",
            "keep_firing_for: 10m",
            "keep_firing_for: 9m",
            "job_failure_ratio_high",
        ),
        (
            "watchdog.yml",
            " for: 1m",
            " for: 0s",
            "rule_evaluation_failing",
        ),
        ("watchdog.yml", " for: 5m", " for: 4m", "thresholds_missing"),
        (
            "exporter_troubles.yml",
            " for: 15m",
            " for: 14m",
            "exporter_unsafe_replicas",
        ),
        (
            "exporter.yml",
            " for: 1m",
            " for: 0s",
            "exporter_poll_stale",
        ),
    ] {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&at_root("alert-rules"), copy.path());
        let changed = copy.path().join(file);
        let text = fs::read_to_string(&changed).unwrap();
        assert!(text.contains(wait), "{file} has no `{wait}`");
        fs::write(&changed, text.replace(wait, other)).unwrap();
        let test = copy.path().join(format!("tests/{test}.yml"));
        let answer = promtool(&["test", "rules"], &[test]);
        assert!(!answer.passed, "{file} with `{other}` passes its tests");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
