//! Why the past was not written.

use std::io;
use std::path::{Path, PathBuf};

/// Why the past was not written.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The file is there already.
    #[error("{} exists, and it is not overwritten: move it away or name another file", .0.display())]
    Exists(PathBuf),
    /// Nothing happened between the beginning and the end.
    #[error(
        "nothing was executed in the time that the file is to cover, so there is nothing to write"
    )]
    Empty,
    /// A part is not what this program writes.
    #[error(
        "{} was changed or is damaged; delete it and run the same command again",
        .0.display()
    )]
    Damaged(PathBuf),
    /// The disk.
    #[error("cannot {verb} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PastError {
    /// Names the file of an error.
    pub(super) fn at(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { verb, path, source }
    }
}
