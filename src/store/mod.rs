//! Where timelines are saved: documents, and the places that hold them.

mod directory;
mod document;
mod draft;
mod layout;
mod s3;
mod shapes;

use std::sync::Arc;

use tokio::task::spawn_blocking;

pub use directory::{Directory, Loaded, OpenError, ReadError, SaveError, SetAside};
pub use document::{DocumentError, Saved, decode, decode_v2, encode, encode_v2, names_a_version};
pub use draft::Draft;
pub use s3::{Fault, S3, S3Error};

use crate::model::{Rules, Shard, Timeline, TimelineKey};

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
    /// A document on disk could not be written or removed.
    #[error(transparent)]
    Directory(#[from] SaveError),
    /// S3.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// A document of a newer version.
    #[error(
        "{document}: {error}; or move the document away, and its history is read from GitLab again"
    )]
    Newer {
        /// The document.
        document: String,
        /// Which versions.
        error: ReadError,
    },
}

/// What a save came to.
#[derive(Debug, Default)]
pub struct Written {
    /// What was saved, where another replica had saved meanwhile and the two were merged.
    pub merged: Option<Timeline>,
    /// How often another replica's document was in the way.
    pub conflicts: u32,
    /// A document that was in the way and could not be read.
    pub set_aside: Vec<SetAside>,
}

impl StoreError {
    /// Whether what failed once will fail for the other documents, too, so that it is better to wait.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::S3(error) if error.fault().is_outage())
    }

    /// Whether waiting cannot help: somebody has to change the configuration, or a right.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::S3(error) => error.fault().is_lasting(),
            Self::Open(_) | Self::Directory(_) | Self::Newer { .. } => true,
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

    /// Reads all documents, as [`Self::load_shard`] does.
    pub async fn load(&self) -> Result<Loaded, StoreError> {
        self.load_shard(Shard::WHOLE).await
    }

    /// Reads the documents of a shard. One that cannot be read is moved aside, never deleted, and the others go on.
    ///
    /// # Errors
    ///
    /// Also where a newer version wrote one: to go on without it would overwrite it.
    pub async fn load_shard(&self, shard: Shard) -> Result<Loaded, StoreError> {
        let mut loaded = match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || directory.load_shard(shard)).await
            }
            Self::S3(s3) => Box::pin(s3.load_shard(shard)).await?,
        };
        match loaded.set_aside.iter().position(SetAside::is_newer) {
            None => Ok(loaded),
            Some(at) => {
                let newer = loaded.set_aside.swap_remove(at);
                Err(StoreError::Newer {
                    document: newer.path.display().to_string(),
                    error: newer.error,
                })
            }
        }
    }

    /// Replaces a timeline's document, or merges with what another replica has saved meanwhile.
    pub async fn save(&self, saved: Saved, rules: &Rules) -> Result<Written, StoreError> {
        match self {
            Self::Directory(directory) => {
                let (directory, rules) = (directory.clone(), rules.clone());
                let write = move || directory.save(&saved.timeline.key, &encode(&saved, &rules));
                blocking(write).await?;
                Ok(Written::default())
            }
            Self::S3(s3) => Ok(Box::pin(s3.save(saved, rules)).await?),
        }
    }

    /// Removes a timeline's document, if there is one.
    pub async fn remove(&self, key: TimelineKey) -> Result<(), StoreError> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                Ok(blocking(move || directory.remove(&key)).await?)
            }
            Self::S3(s3) => Ok(Box::pin(s3.remove(&key)).await?),
        }
    }

    /// What a backfill has left of a project that it has not done with.
    pub async fn draft(&self, project_id: u64) -> Result<Option<Draft>, StoreError> {
        let text = match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                // One that cannot be read is read from GitLab again, as one that does not parse.
                blocking(move || directory.draft(project_id).ok().flatten()).await
            }
            Self::S3(s3) => s3.draft(project_id).await?,
        };
        Ok(text.and_then(|text| Draft::decode(&text).ok().flatten()))
    }

    /// Keeps what a backfill has read of a project so far.
    pub async fn save_draft(
        &self,
        project_id: u64,
        draft: Draft,
        rules: &Rules,
    ) -> Result<(), StoreError> {
        match self {
            Self::Directory(directory) => {
                let (directory, rules) = (directory.clone(), rules.clone());
                let write = move || directory.save_draft(project_id, &draft.encode(&rules));
                Ok(blocking(write).await?)
            }
            Self::S3(s3) => Ok(s3.save_draft(project_id, draft.encode(rules)).await?),
        }
    }

    /// Removes what a backfill has left of a project.
    pub async fn remove_draft(&self, project_id: u64) -> Result<(), StoreError> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                Ok(blocking(move || directory.remove_draft(project_id)).await?)
            }
            Self::S3(s3) => Ok(s3.remove_draft(project_id).await?),
        }
    }

    /// How many saves may run at a time: those of a disk only wait for each other.
    pub fn parallel_saves(&self) -> usize {
        match self {
            Self::Directory(_) => 1,
            Self::S3(_) => s3::PARALLEL_REQUESTS,
        }
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
