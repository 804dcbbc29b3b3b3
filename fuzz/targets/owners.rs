//! Owners files.

#![no_main]

use libfuzzer_sys::fuzz_target;

use job_failure_exporter::config::OwnersFile;

fuzz_target!(|text: &str| {
    OwnersFile::parse(text);
});
