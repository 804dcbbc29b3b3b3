//! Tells whether a file was replaced or written.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What differs after a file was replaced or written. Links are followed: Kubernetes replaces mounted secrets by a link to
/// another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    /// `None` of a pipe or a missing file.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok();
        metadata.filter(Metadata::is_file).map(|file| Self {
            file: (file.dev(), file.ino()),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}
