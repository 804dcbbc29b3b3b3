//! The files that a configuration was read from, as they were then.

use std::path::{Path, PathBuf};

use crate::base::file_stamp::FileStamp;

/// See the module.
#[derive(Debug)]
pub struct Sources(Vec<(PathBuf, Option<FileStamp>)>);

impl Sources {
    pub(super) fn of(path: &Path) -> Self {
        let mut sources = Self(Vec::new());
        sources.add(path.to_owned());
        sources
    }

    pub(super) fn add(&mut self, path: PathBuf) {
        let stamp = FileStamp::of(&path);
        self.0.push((path, stamp));
    }

    /// Whether one of the files was replaced, written, removed or created since.
    pub fn has_changed(&self) -> bool {
        let mut files = self.0.iter();
        files.any(|(path, stamp)| FileStamp::of(path) != *stamp)
    }
}
