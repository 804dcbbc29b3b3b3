//! Owners files: any text gives a bounded number of patterns and of messages.

#![no_main]

use libfuzzer_sys::fuzz_target;

use fuzz::linear;
use job_failure_exporter::config::OwnersFile;

fuzz_target!(|text: &str| {
    let (file, bad) = linear(text.len(), || OwnersFile::parse(text));
    let file = file.unwrap_or_default();
    let lines = text.lines().count();
    assert!(file.len() <= lines.min(5000) && bad.len() <= 10);
    for line in bad {
        assert!((1..=lines).contains(&line.line) && !line.problem.is_empty());
        assert!(line.problem.len() < 4096, "{} bytes", line.problem.len());
    }
});
