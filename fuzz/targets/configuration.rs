//! The configuration: its file of any content is taken, or refused with a short message that names a place.

#![no_main]

use libfuzzer_sys::fuzz_target;

use fuzz::linear;
use job_failure_exporter::config::{Config, Overrides};

fuzz_target!(|content: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("config.yml");
    std::fs::write(&file, content).expect("a file is written");
    let check = || Config::check(Some(&file), &Overrides::default(), &|_| None);
    if let Err(problems) = linear(content.len(), check) {
        let text = problems.to_string();
        assert!(!text.is_empty() && text.lines().count() <= 21, "{text}");
        let last_line = content.iter().filter(|byte| **byte == b'\n').count() + 1;
        for problem in problems.iter() {
            assert!(!problem.message.is_empty());
            // A lone carriage return ends a line of YAML, too.
            let returns = content.iter().filter(|byte| **byte == b'\r').count();
            assert!(problem.line.is_none_or(|line| line >= 1 && line <= last_line + returns + 1));
        }
    }
});
