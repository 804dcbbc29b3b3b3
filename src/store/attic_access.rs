//! What a store does with its attic.

use ci_history::{Rules, TimelineKey, Timestamp};

use super::attic::{Aside, AtticName};
use super::document::{Saved, decode};
use super::json::DocumentError;
use super::layout::{ATTIC, document_path};
use super::outcome::Written;
use super::{Store, StoreError, blocking, read_file_of_ours};

impl Store {
    /// Puts the document of a timeline into the attic. That there is none is no error.
    pub async fn set_aside(
        &self,
        key: &TimelineKey,
        at: Timestamp,
        aside: Aside,
    ) -> Result<(), StoreError> {
        let (from, to) = (document_path(key), AtticName::of(key, at).to_string());
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                let work = move || match aside {
                    Aside::Move => directory.rename(&from, &to),
                    Aside::Copy => directory.copy(&from, &to),
                };
                Ok(blocking(work).await?)
            }
            Self::S3(s3) => {
                if let Some(text) = s3.read(&from).await? {
                    s3.write(&to, text).await?;
                }
                if aside == Aside::Move {
                    Box::pin(s3.remove(key)).await?;
                }
                Ok(())
            }
        }
    }

    /// The documents in the attic, oldest first.
    pub async fn attic(&self) -> Result<Vec<AtticName>, StoreError> {
        let mut names = match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                let listed = blocking(move || directory.attic()).await;
                listed.map_err(|source| StoreError::Unreadable {
                    name: ATTIC.to_owned(),
                    source,
                })?
            }
            Self::S3(s3) => s3.attic().await?,
        };
        names.sort();
        Ok(names)
    }

    /// Removes the documents that were put into the attic before this time.
    pub async fn clear_attic(&self, before: Timestamp) -> Result<usize, StoreError> {
        let mut names = self.attic().await?;
        names.retain(|name| name.at < before);
        for name in &names {
            self.delete(name.to_string()).await?;
        }
        Ok(names.len())
    }

    /// Reads a document of the attic; `None` if it is gone.
    pub async fn look_into_attic(
        &self,
        name: &AtticName,
    ) -> Result<Option<Result<Saved, DocumentError>>, StoreError> {
        let text = match self {
            Self::Directory(directory) => {
                let (directory, name) = (directory.clone(), name.to_string());
                blocking(move || read_file_of_ours(&directory, &name)).await?
            }
            Self::S3(s3) => s3.read(&name.to_string()).await?,
        };
        Ok(text.map(|text| decode(&text)))
    }

    /// Brings a document back. Its ref is read back from GitLab then, for what happened meanwhile.
    pub async fn bring_back(
        &self,
        name: &AtticName,
        mut saved: Saved,
        rules: &Rules,
    ) -> Result<Written, StoreError> {
        saved.has_gap = true;
        let written = self.save(saved, rules).await?;
        self.delete(name.to_string()).await?;
        Ok(written)
    }
}
