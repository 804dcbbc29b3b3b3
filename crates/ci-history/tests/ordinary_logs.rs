//! Ordinary logs stay readable: lines of well-known tools in `tests/data/logs`, in which there are no secrets.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::fs;
use std::path::Path;
use std::time::Instant;

use ci_history::Masker;

fn logs() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/logs");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

#[test]
fn at_most_one_line_in_a_hundred_is_masked_without_need() {
    let logs = logs();
    let masked = Masker::default().masked(&logs);
    let lines = logs.lines().count();
    let kept: std::collections::HashSet<&str> = masked.lines().collect();
    let changed: Vec<&str> = logs.lines().filter(|line| !kept.contains(line)).collect();
    assert!(lines > 1000, "{lines} lines");
    let share = changed.len() as f64 / lines as f64;
    assert!(
        share <= 0.01,
        "{:.2} %:\n{}",
        share * 100.0,
        changed.join("\n")
    );
}

#[test]
fn messages_about_a_password_stay() {
    for line in [
        "password: required field is missing",
        "password: must be at least 8 characters.",
        "  password: is too short (minimum is 8 characters)",
        "AUTH LOGIN",
        "requirepass is not set",
        "main.rs:118:12: error",
        "DB_PASSWORD=\nRunning tests",
    ] {
        assert_eq!(Masker::default().masked(line), line);
    }
}

#[test]
fn the_time_of_masking_grows_with_the_length() {
    let masker = Masker::default();
    masker.masked("warm");
    // The least of several: other processes only add to it.
    let timed = |text: &str| {
        let times = (0..2).map(|_| {
            let start = Instant::now();
            masker.masked(text);
            start.elapsed()
        });
        times.min().unwrap()
    };
    let hostile = [
        "password=",
        "-p ",
        "\"",
        "eyJ",
        "glpat-",
        "a",
        "https://",
        "name: x value: ",
        "sk-",
        "=",
        "%41%42",
        "| token ",
        "-----BEGIN ",
        "the password ",
        "\\\n",
        "login -p ",
        "Zm9v",
        "\u{301}",
        "?a=b&token=",
        "~",
        "curl ",
        "glpat-aB3d\n",
        "name=",
        "value=",
    ];
    for text in hostile {
        let short = timed(&text.repeat((2 << 10) >> text.len().ilog2()));
        let long = timed(&text.repeat((16 << 10) >> text.len().ilog2()));
        assert!(
            long < short * 30 + std::time::Duration::from_millis(300),
            "{text:?}: {short:?}, {long:?}"
        );
    }
}
