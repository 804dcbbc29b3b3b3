//! What came of reading and writing documents.

use std::io;
use std::path::PathBuf;

use ci_history::TimelineKey;
use rustix::process::geteuid;

use super::document::Saved;
use super::envelope::{Content, Opened};
use super::files;
use super::json::DocumentError;
use super::project_document::SavedMemory;
use super::sights_document::SavedSights;
use crate::base::compress::Compress;

/// A document that could not be read, and was moved aside if possible: the store keeps it, and goes on.
#[derive(Debug)]
pub struct Quarantined {
    /// Where it was.
    pub path: PathBuf,
    /// Where it is now; `None` if it stayed: moving failed, or one of the
    /// documents must not be moved.
    pub moved_to: Option<PathBuf>,
    /// Why it could not be read.
    pub error: ReadError,
}

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no file of ours.
    #[error("{0}")]
    File(io::Error),
    /// The system does not let it be read, which says nothing about its content.
    #[error(
        "it cannot be read: {0}: give it to the user who runs the exporter (`chown -R {user}`) or mend the disk",
        user = geteuid().as_raw()
    )]
    System(io::Error),
    /// Its content.
    #[error("{0}")]
    Document(#[from] DocumentError),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        if files::is_of_system(&error) {
            Self::System(error)
        } else {
            Self::File(error)
        }
    }
}

impl Quarantined {
    /// Whether it must neither be moved nor overwritten: it may be whole, or is whole and of a newer version or another
    /// GitLab.
    pub(super) fn is_refused(&self) -> bool {
        match &self.error {
            ReadError::System(_) => true,
            ReadError::Document(error) => error.is_refused(),
            ReadError::File(_) => false,
        }
    }

    /// Whether it is a copy, so that no history was lost with it.
    pub fn is_copy(&self) -> bool {
        matches!(
            self.error,
            ReadError::Document(DocumentError::Misplaced { .. })
        )
    }
}

/// All documents of a store.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of their paths.
    pub timelines: Vec<Saved>,
    /// The projects' own documents.
    pub memories: Vec<SavedMemory>,
    /// What polling knew of projects.
    pub sights: Vec<SavedSights>,
    /// The checksums of the timelines' documents, as far as they have one.
    pub checksums: Vec<(TimelineKey, u32)>,
    /// Documents that could not be read.
    pub quarantined: Vec<Quarantined>,
    /// Timelines whose documents are to be saved again: an earlier version wrote them without a checksum or their GitLab, or they
    /// are compressed and shall not be.
    pub unsealed: Vec<TimelineKey>,
    /// Timelines whose documents are compressed.
    pub packed: Vec<TimelineKey>,
}

impl Loaded {
    /// Where nothing is to be compressed, compressed documents are saved again.
    pub(super) fn saved_again_unless(mut self, compress: Compress) -> Self {
        if compress == Compress::Never {
            self.unsealed.extend(self.packed.iter().cloned());
        }
        self
    }

    pub(super) fn push(&mut self, opened: Opened) {
        match opened.saved {
            Content::Timeline(saved) => {
                if !opened.is_sealed {
                    self.unsealed.push(saved.timeline.key.clone());
                }
                if opened.is_packed {
                    self.packed.push(saved.timeline.key.clone());
                }
                let key = saved.timeline.key.clone();
                self.checksums.extend(opened.checksum.map(|it| (key, it)));
                self.timelines.push(*saved);
            }
            Content::Project(memory) => self.memories.push(memory),
            Content::Sights(sights) => self.sights.extend(sights),
        }
    }
}

/// The result of a save.
#[derive(Debug, Default)]
pub struct Written {
    /// The merged timeline, where another replica had saved meanwhile.
    pub merged: Option<Saved>,
    /// The checksum of the document's text as the store has it now.
    pub checksum: Option<u32>,
    /// How often another replica's document was in the way.
    pub conflicts: u32,
    /// A document that was in the way and could not be read.
    pub quarantined: Vec<Quarantined>,
}
