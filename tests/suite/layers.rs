//! Which folder of the source may use which, told from the source itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::daemon::folder;

/// What each module of the crate may use of the others.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("base", &[]),
    ("clock", &[]),
    ("model", &[]),
    ("config", &["base", "model"]),
    ("gitlab", &["base", "model"]),
    ("store", &["base", "model"]),
    ("metrics", &["base", "model"]),
    ("ingest", &["base", "model", "config", "gitlab"]),
    ("http", &["base", "model", "metrics"]),
    (
        "daemon",
        &[
            "base", "clock", "model", "config", "gitlab", "store", "metrics", "ingest", "http",
        ],
    ),
    ("simulator", &["clock"]),
    (
        "cli",
        &[
            "base",
            "clock",
            "model",
            "config",
            "gitlab",
            "store",
            "metrics",
            "ingest",
            "http",
            "daemon",
            "simulator",
        ],
    ),
];

/// What the model has no business with: the runtime, files, sockets, logs.
const IMPURE: &str = r"\b(tokio|tracing|reqwest|hyper|std::(fs|io|net|process|thread|env|time))::";

/// Reads of the wall clock.
const WALL_CLOCK: &str = r"\b(SystemTime|Timestamp|Zoned|Utc|Local|OffsetDateTime)::now\b";

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file below `path`, with its code: comments are left out.
fn files(path: &Path) -> Vec<(PathBuf, String)> {
    if path.is_dir() {
        return folder(path).iter().flat_map(|path| files(path)).collect();
    }
    if path.extension().is_none_or(|ending| ending != "rs") {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    vec![(path.to_owned(), code.collect::<Vec<_>>().join("\n"))]
}

/// The files of a module, which is a folder or one file.
fn module(name: &str) -> Vec<(PathBuf, String)> {
    let folder = source().join(name);
    let found = files(&if folder.is_dir() {
        folder
    } else {
        source().join(format!("{name}.rs"))
    });
    assert!(!found.is_empty(), "{name} has no files");
    found
}

fn matches(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let all = pattern.captures_iter(text);
    all.map(|found| found.get(1).unwrap().as_str().to_owned())
        .collect()
}

#[test]
fn each_module_uses_only_those_below_it() {
    // A list such as `use crate::{a, b}` would hide names from this test.
    let list = Regex::new(r"\bcrate::(\{|\*)").unwrap();
    let mut used = BTreeMap::new();
    for (name, may_use) in MAY_USE {
        for (path, code) in module(name) {
            let path = path.display();
            assert!(
                !list.is_match(&code),
                "{path}: name each module of the crate on its own"
            );
            for other in matches(r"\bcrate::([a-z_]+)", &code) {
                assert!(
                    other == name || may_use.contains(&&*other),
                    "{path} uses `{other}`; `{name}` may use {may_use:?}"
                );
                used.entry(name).or_insert_with(BTreeSet::new).insert(other);
            }
        }
    }
    // That something is found at all: the wiring knows all that it wires.
    let (_, wired) = MAY_USE[9];
    assert!(
        wired.iter().all(|other| used["daemon"].contains(*other)),
        "{used:?}"
    );
}

#[test]
fn the_model_is_pure() {
    let impure = Regex::new(IMPURE).unwrap();
    for (path, code) in module("model") {
        let found = impure.find(&code).map(|found| found.as_str());
        assert_eq!(found, None, "{}", path.display());
    }
}

#[test]
fn only_the_clock_reads_the_wall_clock() {
    let reads = Regex::new(WALL_CLOCK).unwrap();
    for (path, code) in files(&source()) {
        if path == source().join("clock.rs") {
            assert!(reads.is_match(&code), "it has moved");
            continue;
        }
        let found = reads.find(&code).map(|found| found.as_str());
        assert_eq!(found, None, "{}", path.display());
    }
}

#[test]
fn the_maps_of_the_modules_name_each_of_them_and_no_other() {
    let mut there = BTreeSet::new();
    for path in folder(&source()) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if !["lib", "main"].contains(&&*name) {
            there.insert(name);
        }
    }
    let ruled: BTreeSet<_> = MAY_USE.map(|(name, _)| name.to_owned()).into();
    assert_eq!(ruled, there, "in this test");

    let library = fs::read_to_string(source().join("lib.rs")).unwrap();
    let architecture = source().with_file_name("docs").join("architecture.md");
    let page = fs::read_to_string(architecture).unwrap();
    let (_, modules) = page.split_once("\n## Modules\n").unwrap();
    let (modules, _) = modules.split_once("\n## ").unwrap();
    let maps = [
        (
            "src/lib.rs",
            matches(r"(?m)^//! \| \[`([a-z_]+)`\] \|", &library),
        ),
        (
            "docs/architecture.md",
            matches(r"(?m)^\| `([a-z_]+)` \|", modules),
        ),
    ];
    for (file, named) in maps {
        assert_eq!(named, there, "in {file}");
    }
}
