//! The schema against the configurations of the repository, and against mistakes.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::daemon::Ran;
use testkit::s3_servers::tool;

use crate::tools::{at_root, run};

const SCHEMA: &str = "deploy/config.schema.json";

fn current() -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"));
    Ran::of(&command.arg("config-schema").output().unwrap()).done()
}

/// What the schema says of each document, in their order: nothing, or its first problem.
fn verdicts(documents: &[String]) -> Vec<Option<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.json");
    fs::write(&file, serde_json::to_vec(documents).unwrap()).unwrap();
    let script = at_root("tests/suite/check_config/schema.py");
    let answer = run(
        tool("python").to_str().unwrap(),
        [script, at_root(SCHEMA), file],
    );
    answer.must_pass();
    serde_json::from_str(&answer.printed).unwrap()
}

#[test]
fn the_shipped_schema_is_that_of_the_keys() {
    let shipped = fs::read_to_string(at_root(SCHEMA)).unwrap_or_default();
    assert!(shipped == current(), "run: make schema");
}

#[test]
fn the_example_points_editors_to_the_schema() {
    let example = at_root("deploy/config.example.yml");
    let text = fs::read_to_string(&example).unwrap();
    let first = text.lines().next().unwrap();
    let (_, path) = first.split_once("yaml-language-server: $schema=").unwrap();
    let schema = example.parent().unwrap().join(path);
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    assert_eq!(schema["type"][0], "object");
}

#[test]
fn configurations_of_the_repository_fit_the_schema() {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let readme = read(&at_root("README.md"));
    let block = readme.split("```yaml config\n").nth(1).unwrap();
    let (readme, _) = block.split_once("```").unwrap();
    let documents = [
        read(&at_root("deploy/config.example.yml")),
        readme.to_owned(),
        super::TRICKY.to_owned(),
        "x-shared: &rules {jobs: deploy-*, team: a}\nowners: {rules: [*rules]}\n".to_owned(),
        "watch:\nprometheus:\n".to_owned(),
    ];
    assert_eq!(verdicts(&documents), vec![None; documents.len()]);
}

#[test]
fn mistakes_do_not_fit_the_schema() {
    let mistakes = [
        ("watch: {project: [a/b]}", "'project' does not match any"),
        ("watch: {projects: a/b}", "is not of type 'array'"),
        ("watch: {interval: 30}", "is not of type 'string'"),
        ("watch: {interval: 30 s}", "does not match"),
        ("watch: {interval: 1m1h}", "does not match"),
        ("watch: {groups: [platform]}", "is not of type"),
        ("watch: {groups: [{exclude: []}]}", "'path' is a required"),
        ("watch: {sources: [pusch]}", "is not one of"),
        ("gitlab: {url: gitlab.com}", "does not match"),
        ("gitlab: {requests_per_second: 0}", "minimum of 0"),
        ("counting: {window: 0}", "minimum of 1"),
        ("counting: {window: ten}", "is not of type 'integer'"),
        ("web: {show_logs: maybe}", "is not of type 'boolean'"),
        ("store: {s3: {prefix: a}}", "'bucket' is a required"),
        (
            "store: {directory: a, s3: {bucket: b}}",
            "should not be valid",
        ),
        ("retention: ", "is not of type 'string'"),
    ];
    let documents: Vec<_> = mistakes
        .iter()
        .map(|(text, _)| (*text).to_owned())
        .collect();
    for ((text, problem), verdict) in mistakes.iter().zip(verdicts(&documents)) {
        let verdict = verdict.unwrap_or_else(|| panic!("{text} fits"));
        assert!(verdict.contains(problem), "{text}: {verdict}");
    }
}
