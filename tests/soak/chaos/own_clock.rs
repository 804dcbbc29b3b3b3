//! The clock of an exporter's machine, as libfaketime shows it to the exporter.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// The wall clock of one exporter. Its monotonic clock is not touched, as on a real machine.
pub(crate) struct OwnClock {
    folder: TempDir,
    library: PathBuf,
}

impl OwnClock {
    pub(crate) fn right() -> Self {
        let clock = Self {
            folder: tempfile::tempdir().unwrap(),
            library: library(),
        };
        clock.set(0);
        clock
    }

    /// What the exporter is started with.
    pub(crate) fn environment(&self) -> Vec<String> {
        let file = self.folder.path().join("offset");
        vec![
            format!("LD_PRELOAD={}", self.library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ]
    }

    /// Sets the clock so many seconds ahead of the right time, or behind.
    pub(crate) fn set(&self, seconds: i64) {
        let (new, file) = (
            self.folder.path().join("new"),
            self.folder.path().join("offset"),
        );
        fs::write(&new, format!("{seconds:+}s\n")).unwrap();
        fs::rename(new, file).unwrap();
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap();
    let mut found = folders.filter_map(|folder| {
        let file = folder.ok()?.path().join("faketime/libfaketime.so.1");
        file.exists().then_some(file)
    });
    found.next().expect("libfaketime; run: make install-tools")
}
