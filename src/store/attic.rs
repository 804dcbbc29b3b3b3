//! The attic: documents that fell to the retention, or were replaced, for as long as they may be brought back.

use std::fmt;

use ci_history::{Rules, TimelineKey, Timestamp};

use super::document::{DocumentError, Saved, decode};
use super::layout::{ATTIC, document_path};
use super::{Store, StoreError, Written, blocking};

/// Whether the document stays where it is, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// It is moved.
    Move,
    /// It is copied: another one is about to replace it.
    Copy,
}

/// A document in the attic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AtticName {
    /// When it was put there, by GitLab's clock.
    pub at: Timestamp,
    /// Below the root of the store.
    name: String,
}

impl AtticName {
    /// The name that the document of a timeline gets.
    fn of(key: &TimelineKey, at: Timestamp) -> Self {
        let path = document_path(key);
        let stem = path.strip_suffix(".json").unwrap_or(&path);
        Self {
            at,
            name: format!("{ATTIC}/{stem}@{}.json", at.unix()),
        }
    }

    /// `None` for anything that is no document of the attic.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let stem = name
            .strip_prefix(ATTIC)?
            .strip_prefix('/')?
            .strip_suffix(".json")?;
        let (_, seconds) = stem.rsplit_once('@')?;
        Some(Self {
            at: Timestamp::from_unix(seconds.parse().ok()?)?,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for AtticName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

impl Store {
    /// Puts the document of a timeline into the attic. That there is none is no error.
    pub async fn set_aside(
        &self,
        key: &TimelineKey,
        at: Timestamp,
        aside: Aside,
    ) -> Result<(), StoreError> {
        let (from, to) = (document_path(key), AtticName::of(key, at).name);
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
                blocking(move || directory.attic()).await
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
            self.delete(name.name.clone()).await?;
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
                let (directory, name) = (directory.clone(), name.name.clone());
                blocking(move || directory.read(&name).ok().flatten()).await
            }
            Self::S3(s3) => s3.read(&name.name).await?,
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
        self.delete(name.name.clone()).await?;
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_the_document_was_put_there() {
        let at = Timestamp::of_clock(1_700_000_000);
        let name = AtticName::of(&TimelineKey::new(7, "release/1@2"), at);
        assert_eq!(name.name, "attic/7/release%2F1%402@1700000000.json");
        assert_eq!(AtticName::parse(&name.name), Some(name));
        for other in ["7/main.json", "attic/7/main.json", "attic/7/x@y.json"] {
            assert_eq!(AtticName::parse(other), None, "{other}");
        }
    }
}
