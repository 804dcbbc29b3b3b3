//! Each rule of the configuration: one bad file, and exactly what is said about it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use job_failure_exporter::config::{Config, Overrides};

use self::cases::CASES;

mod cases;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config")
}

/// The problems of a file, each as `line: path: message`.
fn problems(name: &str) -> Vec<String> {
    let file = folder().join(name).with_extension("yml");
    let problems = Config::load(Some(&file), &Overrides::default(), &|_| None).unwrap_err();
    let prefix = format!("{}:", file.display());
    let text = problems.to_string();
    assert_eq!(text.lines().count(), problems.len(), "one problem a line");
    text.lines()
        .map(|line| line.strip_prefix(&prefix).unwrap_or(line).to_owned())
        .collect()
}

#[test]
fn each_bad_file_gets_exactly_its_messages() {
    for (name, expected) in CASES {
        assert_eq!(problems(name), *expected, "{name}.yml");
    }
}

#[test]
fn every_bad_file_has_a_case() {
    let files: BTreeSet<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let cases: BTreeSet<_> = CASES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, cases);
}

#[test]
fn five_mistakes_are_five_problems() {
    assert_eq!(problems("five-mistakes").len(), 5);
}

#[test]
fn a_missing_file_is_one_problem_that_names_it() {
    let file = folder().join("no-such-file.yml");
    let problems = Config::load(Some(&file), &Overrides::default(), &|_| None).unwrap_err();
    let wanted = format!(
        "{}: cannot read the configuration: No such file or directory (os error 2)",
        file.display()
    );
    assert_eq!(problems.to_string(), wanted);
}

#[test]
fn no_message_shows_a_token() {
    for (_, messages) in CASES {
        for message in *messages {
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
