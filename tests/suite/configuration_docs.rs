//! The table of keys against the docs, the example and what is read.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use job_failure_exporter::cli::args::Cli;
use job_failure_exporter::config::{Absence, Config, Overrides, keys};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap()
}

fn load(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    fs::write(&file, text).unwrap();
    let loaded = Config::load(Some(&file), &Overrides::default(), &|_| None);
    loaded.map_err(|problems| problems.to_string())
}

/// The docs' table as the code has it.
fn table() -> String {
    let mut table = "| key | takes | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for key in keys() {
        let absence = match key.absence {
            Absence::Default(value) | Absence::Preset(value) => format!("`{value}`"),
            Absence::Optional => "none".to_owned(),
            Absence::Required => "*required*".to_owned(),
        };
        let (path, kind, doc) = (key.path, key.type_name(), key.doc);
        writeln!(table, "| `{path}` | {kind} | {absence} | {doc} |").unwrap();
    }
    table
}

#[test]
fn the_docs_have_the_keys_of_the_code() {
    let docs = read("docs/configuration.md");
    let (_, rest) = docs.split_once("checked by a test -->\n").unwrap();
    let (written, _) = rest.split_once("<!-- end of keys -->").unwrap();
    let table = table();
    assert!(
        written == table,
        "put this between the marks in docs/configuration.md:\n{table}"
    );
}

#[test]
fn the_docs_have_the_flags_of_the_daemon() {
    let docs = read("docs/configuration.md");
    let (_, written) = docs.split_once("<!-- flags -->").unwrap();
    let written: BTreeSet<_> = written
        .split('`')
        .filter_map(|word| word.strip_prefix("--"))
        .map(str::to_owned)
        .collect();
    let flags: BTreeSet<_> = Cli::command()
        .get_arguments()
        .filter_map(|arg| arg.get_long().map(str::to_owned))
        .collect();
    assert_eq!(written, flags);
}

#[test]
fn the_example_can_be_used_as_it_is() {
    let example = file("deploy/config.example.yml");
    Config::load(Some(&example), &Overrides::default(), &|_| None).unwrap();
}

/// The example with its commented keys (`#key: value`, no space) in force.
fn whole_example() -> String {
    let in_force = |line: &str| {
        let bare = line.trim_start();
        match bare.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => {
                format!("{}{key}\n", " ".repeat(line.len() - bare.len()))
            }
            _ => format!("{line}\n"),
        }
    };
    read("deploy/config.example.yml")
        .lines()
        .map(in_force)
        .collect()
}

#[test]
fn the_example_has_every_key() {
    let example = whole_example();
    let problems = load(&example).unwrap_err();
    let expected = [
        ("gitlab.token_file", "No such file"),
        ("gitlab.ca_file", "No such file"),
        ("owners.file", "No such file"),
        ("store.s3", "given together with store.directory"),
        ("webhooks.gitlab.token_file", "No such file"),
        ("webhooks.gitlab.signing_key_file", "No such file"),
        ("webhooks.gitlab.secrets[0].token_file", "No such file"),
        (
            "webhooks.gitlab.secrets[1].signing_key_file",
            "No such file",
        ),
        ("remediation.token_file", "No such file"),
        ("remediation.callers[0].token_file", "No such file"),
        ("prometheus: ", "either a password_file or a token_file"),
        ("prometheus.password_file", "No such file"),
        ("prometheus.token_file", "No such file"),
        ("prometheus.ca_file", "No such file"),
        ("alertmanager: ", "either a password_file or a token_file"),
        ("alertmanager.password_file", "No such file"),
        ("alertmanager.token_file", "No such file"),
        ("alertmanager.ca_file", "No such file"),
    ];
    assert_eq!(problems.lines().count(), expected.len(), "{problems}");
    for (problem, (key, what)) in problems.lines().zip(expected) {
        assert!(problem.contains(key) && problem.contains(what), "{problem}");
    }
    let document: serde_yaml::Value = serde_yaml::from_str(&example).unwrap();
    for key in keys() {
        assert!(has(&document, key.path), "{} is missing", key.path);
    }
}

#[test]
fn the_examples_values_are_the_defaults_unless_it_says_otherwise() {
    let document: serde_yaml::Value = serde_yaml::from_str(&whole_example()).unwrap();
    let own = [
        "watch.projects",
        "watch.groups[].exclude",
        "watch.jobs.exclude",
        "store.s3.prefix",
        "remediation.rules[].match.failure_classes",
        "remediation.rules[].match.failure_reasons",
        "remediation.rules[].match.log_rules",
        "remediation.rules[].match.projects",
        "remediation.rules[].match.refs",
        "remediation.rules[].match.jobs",
        "remediation.rules[].match.stages",
        "remediation.rules[].match.tracks",
        "remediation.rules[].match.teams",
    ];
    for key in keys().filter(|key| !own.contains(&key.path)) {
        if let Absence::Default(default) | Absence::Preset(default) = key.absence {
            let default: serde_yaml::Value = serde_yaml::from_str(default).unwrap();
            let given = get(&document, key.path).unwrap();
            let quoted = given.as_str().zip(default.as_str());
            assert!(
                given == &default || quoted.is_some_and(|(given, default)| given == default),
                "{}: {given:?}",
                key.path
            );
        }
    }
}

#[test]
fn the_readmes_configuration_lacks_nothing() {
    let readme = read("README.md");
    let blocks: Vec<_> = readme.split("```yaml config\n").skip(1).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let (yaml, _) = block.split_once("```").unwrap();
        load(yaml).unwrap();
    }
}

fn has(document: &serde_yaml::Value, path: &str) -> bool {
    get(document, path).is_some()
}

/// The value at a path; of a list, in the first item that has it.
fn get<'a>(value: &'a serde_yaml::Value, path: &str) -> Option<&'a serde_yaml::Value> {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(a, b)| (a, Some(b)));
    let name = first.trim_end_matches("[]");
    let inner = value.get(name)?;
    match (rest, name.len() < first.len()) {
        (None, _) => Some(inner),
        (Some(rest), false) => get(inner, rest),
        (Some(rest), true) => inner.as_sequence()?.iter().find_map(|item| get(item, rest)),
    }
}

#[test]
fn every_key_of_the_table_is_read() {
    for key in keys() {
        // Nothing takes a mapping of this kind, so whoever reads the key complains.
        let mut text = "{x: y}".to_owned();
        for part in key.path.rsplit('.') {
            text = match part.strip_suffix("[]") {
                Some(list) => format!("{{{list}: [{text}]}}"),
                None => format!("{{{part}: {text}}}"),
            };
        }
        let shown = key.path.replace("[]", "[0]");
        let problems = load(&text).unwrap_err();
        let wanted = format!(" {shown}: found a mapping, wanted ");
        assert!(problems.contains(&wanted), "{shown}: {problems}");
        assert!(!problems.contains("unknown key"), "{shown}: {problems}");
    }
}
