//! The plan of the house, held against its files: which module may import which, no circles, no wall clock.

mod imports;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use testkit::daemon::folder;

use self::imports::{Crate, circles};

/// What each module of the exporter may import of the others.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("base", &[]),
    ("config", &["base", "metrics"]),
    ("gitlab", &["base"]),
    ("store", &["base"]),
    ("metrics", &["base"]),
    ("ingest", &["base", "config", "gitlab"]),
    ("remediation", &["base", "config", "gitlab", "store"]),
    (
        "http",
        &["base", "config", "metrics", "remediation", "alerting"],
    ),
    ("alerting", &["base"]),
    ("assets", &["base"]),
    (
        "daemon",
        &[
            "base",
            "config",
            "gitlab",
            "store",
            "metrics",
            "ingest",
            "remediation",
            "http",
            "alerting",
        ],
    ),
    (
        "cli",
        &[
            "base",
            "config",
            "gitlab",
            "store",
            "metrics",
            "ingest",
            "remediation",
            "http",
            "alerting",
            "assets",
            "daemon",
        ],
    ),
];

/// The crates of the workspace, with their root files.
const CRATES: [(&str, &str); 5] = [
    ("job-failure-exporter", "src/lib.rs"),
    ("ci-history", "crates/ci-history/src/lib.rs"),
    ("gitlab-simulator", "crates/gitlab-simulator/src/lib.rs"),
    ("demo", "crates/demo/src/lib.rs"),
    ("testkit", "crates/testkit/src/lib.rs"),
];

/// All that the pure crate may depend on: no runtime, sockets or logs.
const PURE: [&str; 6] = ["arcstr", "regex", "serde", "smallvec", "strum", "thiserror"];

/// I/O and clocks of the standard library.
const IMPURE: &str = r"\bstd::(fs|io|net|process|thread|env)::";

/// Reads of the wall clock.
const WALL_CLOCK: &str = r"\b(SystemTime|Timestamp|Zoned|Utc|Local|OffsetDateTime)::now\b";

fn at_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every Rust file below `path`, with its code: comments are left out.
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

fn matches(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let all = pattern.captures_iter(text);
    all.map(|found| found.get(1).unwrap().as_str().to_owned())
        .collect()
}

/// The module of the exporter that a file belongs to.
fn module(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap()
}

#[test]
fn each_module_imports_only_those_below_it() {
    let imports = Crate::read(&at_root("src/lib.rs")).imports();
    for (name, may_use) in MAY_USE {
        for (file, others) in imports.iter().filter(|(file, _)| module(file) == name) {
            for other in others.iter().filter(|other| module(other) != name) {
                assert!(
                    may_use.contains(&module(other)),
                    "{file} imports from {other}; `{name}` may use {may_use:?}"
                );
            }
        }
    }
    // That something is found at all: the wiring knows all that it wires.
    let daemon = imports.iter().filter(|(file, _)| module(file) == "daemon");
    let wired: BTreeSet<_> = daemon
        .flat_map(|(_, others)| others.iter().map(|other| module(other)))
        .collect();
    let (_, may_wire) = MAY_USE[10];
    assert!(
        may_wire.iter().all(|other| wired.contains(other)),
        "{wired:?}"
    );
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for (name, root) in CRATES {
        let imports = Crate::read(&at_root(root)).imports();
        assert!(!imports.is_empty(), "{name}");
        let found = circles(&imports);
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn a_circle_is_found_also_through_a_re_export() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("lib.rs", "mod a;\nmod b;\nmod c;\npub use self::a::A;\n");
    write("a.rs", "use super::b::B;\npub struct A(B);\n");
    write(
        "b.rs",
        "pub struct B;\n#[cfg(test)]\nmod tests { use crate::A; }\n",
    );
    write("c.rs", "use crate::A;\npub struct C(A);\n");
    let root = folder.path().join("lib.rs");
    assert_eq!(
        circles(&Crate::read(&root).imports()),
        Vec::<BTreeSet<&str>>::new()
    );

    write("b.rs", "pub struct B(Box<crate::A>);\n");
    let imports = Crate::read(&root).imports();
    assert_eq!(circles(&imports), [BTreeSet::from(["a.rs", "b.rs"])]);
}

#[test]
fn the_crate_that_counts_is_pure() {
    let manifest = fs::read_to_string(at_root("crates/ci-history/Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]\n").unwrap();
    let (dependencies, _) = dependencies.split_once("\n[").unwrap();
    for dependency in matches(r"(?m)^([a-z-]+)", dependencies) {
        assert!(PURE.contains(&&*dependency), "{dependency}");
    }
    let impure = Regex::new(IMPURE).unwrap();
    for (path, code) in files(&at_root("crates/ci-history/src")) {
        let found = impure.find(&code).map(|found| found.as_str());
        assert_eq!(found, None, "{}", path.display());
    }
}

#[test]
fn the_exporter_and_the_simulated_gitlab_know_nothing_of_each_other() {
    let manifest = |path: &str| {
        let text = fs::read_to_string(at_root(path)).unwrap();
        let (_, dependencies) = text.split_once("\n[dependencies]\n").unwrap();
        dependencies.split_once("\n[").unwrap().0.to_owned()
    };
    let exporter = manifest("Cargo.toml");
    for other in ["gitlab-simulator", "demo", "testkit"] {
        assert!(!exporter.contains(&format!("{other}.workspace")), "{other}");
    }
    let simulator = manifest("crates/gitlab-simulator/Cargo.toml");
    assert!(!simulator.contains("job-failure-exporter"), "{simulator}");
}

#[test]
fn only_the_clock_reads_the_wall_clock() {
    let reads = Regex::new(WALL_CLOCK).unwrap();
    let clock = at_root("crates/ci-history/src/clock.rs");
    for (path, code) in files(&at_root("src"))
        .into_iter()
        .chain(files(&at_root("crates")))
    {
        if path == clock {
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
    for path in folder(&at_root("src")) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if !["lib", "main"].contains(&&*name) {
            there.insert(name);
        }
    }
    let ruled: BTreeSet<_> = MAY_USE.map(|(name, _)| name.to_owned()).into();
    assert_eq!(ruled, there, "in this test");

    let library = fs::read_to_string(at_root("src/lib.rs")).unwrap();
    let page = fs::read_to_string(at_root("docs/architecture.md")).unwrap();
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
