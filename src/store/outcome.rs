//! What came of reading and writing documents.

use std::io;
use std::path::PathBuf;

use super::document::{DocumentError, Saved};

/// A document that could not be read, and was moved aside if possible: the store keeps it, and goes on.
#[derive(Debug)]
pub struct Quarantined {
    /// Where it was.
    pub path: PathBuf,
    /// Where it is now; `None` if it stayed: moving failed, or a newer version wrote it or another document.
    pub moved_to: Option<PathBuf>,
    /// Why it could not be read.
    pub error: ReadError,
}

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Its content.
    #[error("{0}")]
    Document(#[from] DocumentError),
}

impl Quarantined {
    /// Whether a newer version of this program wrote it.
    pub(super) fn is_newer(&self) -> bool {
        matches!(self.error, ReadError::Document(DocumentError::Newer { .. }))
    }
}

/// All documents of a store.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of their paths.
    pub timelines: Vec<Saved>,
    /// Documents that could not be read.
    pub quarantined: Vec<Quarantined>,
}

/// The result of a save.
#[derive(Debug, Default)]
pub struct Written {
    /// The merged timeline, where another replica had saved meanwhile.
    pub merged: Option<Saved>,
    /// How often another replica's document was in the way.
    pub conflicts: u32,
    /// A document that was in the way and could not be read.
    pub quarantined: Vec<Quarantined>,
}
