//! The configuration: its file of any content is taken or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

use job_failure_exporter::config::{Config, Overrides};

fuzz_target!(|content: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("config.yml");
    std::fs::write(&file, content).expect("a file is written");
    let checked = Config::check(Some(&file), &Overrides::default(), &|_| None);
    if let Err(problems) = checked {
        assert!(!problems.to_string().is_empty());
    }
});
