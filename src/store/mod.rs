//! Where timelines are saved: documents, and the places that hold them.

mod attic;
mod attic_access;
mod checkpoint;
mod checksum;
mod commit_document;
mod contents;
mod counts_document;
mod directory;
mod document;
mod envelope;
mod files;
mod history_document;
mod json;
mod layout;
mod outcome;
mod packed;
mod project_document;
mod record_version;
mod remediation;
mod s3;
mod sights_document;
mod text;
mod times;
mod version;

use std::io;
use std::sync::Arc;

use ci_history::{Rules, Shard};
use tokio::task::spawn_blocking;

pub use attic::{Aside, AtticName};
pub use checkpoint::BackfillCheckpoint;
pub use directory::{Directory, OpenError, SaveError};
pub use document::{Saved, SavedScope, decode, decode_v2, encode, encode_v2};
pub use json::DocumentError;
pub use outcome::{Loaded, Quarantined, ReadError, Written};
pub use project_document::SavedMemory;
pub use record_version::Version;
pub use s3::{S3, S3Error, S3ErrorKind};
pub use sights_document::SavedSights;
pub use version::names_a_version;

use self::envelope::seal;
use self::layout::{checkpoint_path, project_path, sights_path};

/// A place that holds documents. Clones share it.
#[derive(Debug, Clone)]
pub enum Store {
    /// A directory of the local disk, for one process alone.
    Directory(Arc<Directory>),
    /// A bucket, which several replicas may share.
    S3(Arc<S3>),
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state directory could not be taken.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file on disk could not be read.
    #[error("cannot read `{name}` in the state directory: {source}")]
    Unreadable {
        /// Below the state directory.
        name: String,
        /// The error of the system, or why it is no file of ours.
        source: io::Error,
    },
    /// A document on disk could not be written or removed.
    #[error(transparent)]
    Directory(#[from] SaveError),
    /// S3.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// A document that cannot be read now, of a newer version, or of another GitLab.
    #[error(
        "{document}: {error}; or move the document away, and its history is read from GitLab again"
    )]
    Refused {
        /// The document.
        document: String,
        /// The error of the system, which versions, or which GitLab.
        error: ReadError,
    },
}

impl StoreError {
    /// Whether the other documents will fail, too, so that it is better to wait.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::S3(error) if error.kind().is_outage())
    }

    /// Whether only a change of the configuration or of a right helps.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::S3(error) => error.kind().is_lasting(),
            Self::Open(_) | Self::Unreadable { .. } | Self::Directory(_) | Self::Refused { .. } => {
                true
            }
        }
    }
}

impl Store {
    /// Sees whether the store can be used at all, as far as a request or two can tell.
    pub async fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Directory(_) => Ok(()),
            Self::S3(s3) => Ok(Box::pin(s3.check()).await?),
        }
    }

    /// Whether another replica's save is noticed and not overwritten; `None` while not known, or where
    /// there is no other replica.
    pub fn conditional_writes(&self) -> Option<bool> {
        match self {
            Self::Directory(_) => None,
            Self::S3(s3) => s3.conditional_writes(),
        }
    }

    /// Reads the documents of a shard. One that cannot be read is moved aside, never deleted, and the others go on.
    ///
    /// # Errors
    ///
    /// Also where the system does not let one be read, or one is of a newer version or another GitLab: to go on without it
    /// would overwrite it.
    pub async fn load_shard(&self, shard: Shard) -> Result<Loaded, StoreError> {
        let mut loaded = match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || directory.load_shard(shard)).await
            }
            Self::S3(s3) => Box::pin(s3.load_shard(shard)).await?,
        };
        match loaded.quarantined.iter().position(Quarantined::is_refused) {
            None => Ok(loaded),
            Some(at) => {
                let refused = loaded.quarantined.swap_remove(at);
                Err(StoreError::Refused {
                    document: refused.path.display().to_string(),
                    error: refused.error,
                })
            }
        }
    }

    /// Replaces a timeline's document, or merges with what another replica has saved meanwhile.
    pub async fn save(&self, saved: Saved, rules: &Rules) -> Result<Written, StoreError> {
        match self {
            Self::Directory(directory) => {
                let (directory, rules) = (directory.clone(), rules.clone());
                let write = move || {
                    let text = encode(&saved, &rules);
                    directory.save_text(&saved.timeline.key, text)
                };
                Ok(Written {
                    checksum: blocking(write).await?,
                    ..Written::default()
                })
            }
            Self::S3(s3) => Ok(Box::pin(s3.save(saved, rules)).await?),
        }
    }

    /// The same store, for the documents of this GitLab; `None` if another part of the program uses it.
    pub fn of_instance(self, instance: String) -> Option<Self> {
        Some(match self {
            Self::Directory(directory) => {
                let directory = Arc::into_inner(directory)?;
                Self::Directory(Arc::new(directory.of_instance(Some(instance))))
            }
            Self::S3(s3) => Self::S3(Arc::new(Arc::into_inner(s3)?.of_instance(Some(instance)))),
        })
    }

    /// Replaces a project's own document. Of two replicas the last to write wins: what they remember comes to the same.
    pub async fn save_memory(&self, saved: &SavedMemory) -> Result<(), StoreError> {
        let text = project_document::encode(saved);
        self.write_sealed(project_path(saved.project_id), text)
            .await
    }

    /// Removes a project's own document, if there is one.
    pub async fn remove_memory(&self, project_id: u64) -> Result<(), StoreError> {
        self.delete(project_path(project_id)).await
    }

    /// Replaces the document of a project's sights. Of two replicas the last to write wins: sights that are not of the
    /// documents in the store are not used.
    pub async fn save_sights(&self, saved: &SavedSights) -> Result<(), StoreError> {
        let text = sights_document::encode(saved);
        self.write_sealed(sights_path(saved.project_id), text).await
    }

    /// Removes the document of a project's sights, if there is one.
    pub async fn remove_sights(&self, project_id: u64) -> Result<(), StoreError> {
        self.delete(sights_path(project_id)).await
    }

    /// The checkpoint of a project's backfill that was interrupted.
    pub async fn checkpoint(
        &self,
        project_id: u64,
    ) -> Result<Option<BackfillCheckpoint>, StoreError> {
        let name = checkpoint_path(project_id);
        let text = match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || read_file_of_ours(&directory, &name)).await?
            }
            Self::S3(s3) => s3.read(&name).await?,
        };
        Ok(text.and_then(|text| BackfillCheckpoint::decode(&text).ok().flatten()))
    }

    /// Saves how far the backfill of a project has come. Of two backfills at a time the last to write
    /// wins: they come to the same.
    pub async fn save_checkpoint(
        &self,
        project_id: u64,
        checkpoint: BackfillCheckpoint,
        rules: &Rules,
    ) -> Result<(), StoreError> {
        let rules = rules.clone();
        let text = blocking(move || checkpoint.encode(&rules)).await;
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                let name = checkpoint_path(project_id);
                Ok(blocking(move || directory.write(&name, &text)).await?)
            }
            Self::S3(s3) => Ok(s3.write(&checkpoint_path(project_id), text).await?),
        }
    }

    /// Removes the checkpoint of a backfill that is done.
    pub async fn remove_checkpoint(&self, project_id: u64) -> Result<(), StoreError> {
        self.delete(checkpoint_path(project_id)).await
    }

    /// Replaces a document, which is sealed as one of our own.
    async fn write_sealed(&self, name: String, text: Vec<u8>) -> Result<(), StoreError> {
        match self {
            Self::Directory(directory) => {
                let text = seal(text, directory.instance());
                let directory = directory.clone();
                Ok(blocking(move || directory.write(&name, &text)).await?)
            }
            Self::S3(s3) => Ok(Box::pin(s3.write(&name, seal(text, s3.instance()))).await?),
        }
    }

    async fn delete(&self, name: String) -> Result<(), StoreError> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                Ok(blocking(move || directory.remove(&name)).await?)
            }
            Self::S3(s3) => Ok(s3.delete_always(&name).await?),
        }
    }
}

/// A file of the state directory; `None` if there is none.
fn read_file(directory: &Directory, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    directory
        .read(name)
        .map_err(|source| StoreError::Unreadable {
            name: name.to_owned(),
            source,
        })
}

/// The same; `None` also if something else than a file of ours has this name.
fn read_file_of_ours(directory: &Directory, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    match read_file(directory, name) {
        Err(StoreError::Unreadable { source, .. }) if !files::is_of_system(&source) => Ok(None),
        read => read,
    }
}

/// Runs disk work off the async threads; a panic in it is passed on.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime ends, and with it whoever waits here.
        Err(_) => std::future::pending().await,
    }
}
