//! Reading all documents of a bucket.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use ci_history::{Shard, Timestamp};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::bucket::{Bucket, Listed, Object};
use super::error::S3Error;
use super::{PARALLEL_REQUESTS, S3};
use crate::store::envelope::{self, Content, Opened};
use crate::store::json::DocumentError;
use crate::store::layout::{project_of_path, project_of_sights};
use crate::store::outcome::{Loaded, Quarantined};

/// How often a document that does not parse is read before it counts as broken and not the answer.
const READINGS: u32 = 2;

/// A document that was there when it was asked for.
struct Read {
    object: Object,
    content: Result<Opened, DocumentError>,
}

impl Read {
    fn watermark(&self) -> Option<Timestamp> {
        match &self.content.as_ref().ok()?.saved {
            Content::Timeline(saved) => saved.watermark,
            Content::Project(_) | Content::Sights(_) => None,
        }
    }
}

impl S3 {
    /// Reads the documents of a shard. One that cannot be read is moved aside, never deleted, and the others go on.
    /// Where one is of a newer version or another GitLab, nothing is moved.
    ///
    /// Another replica may save meanwhile. Its watermark promises what is in documents that were
    /// perhaps read before it wrote them, so all that changed is read once more, for its content only.
    pub async fn load_shard(&self, shard: Shard) -> Result<Loaded, S3Error> {
        self.check().await?;
        let mut documents = self.read_all(self.list(shard).await?).await?;
        let listed = self.list(shard).await?;
        let names: HashSet<&str> = listed.iter().map(|now| now.name.as_str()).collect();
        documents.retain(|name, _| names.contains(name.as_str()));
        let changed = listed.into_iter().filter(|now| {
            let known = documents.get(&now.name);
            known.is_none_or(|known| bare(known.object.etag.as_ref()) != bare(now.etag.as_ref()))
        });
        for (name, mut later) in self.read_all(changed.collect()).await? {
            let earlier = documents.get(&name).and_then(Read::watermark);
            if let Ok(Opened {
                saved: Content::Timeline(later),
                ..
            }) = &mut later.content
            {
                later.watermark = earlier;
            }
            documents.insert(name, later);
        }
        let loaded = self.sort_out(documents).await;
        Ok(loaded.saved_again_unless(self.compress))
    }

    /// Reads all documents and writes nothing. Unreadable documents are listed and stay where they are.
    pub async fn look(&self) -> Result<Loaded, S3Error> {
        let mut loaded = Loaded::default();
        for (name, read) in self.read_all(self.list(Shard::WHOLE).await?).await? {
            match read.content {
                Ok(opened) => loaded.push(opened),
                Err(error) => loaded.quarantined.push(self.left(&name, error)),
            }
        }
        Ok(loaded)
    }

    /// A document that cannot be read and stays where it is.
    fn left(&self, name: &str, error: DocumentError) -> Quarantined {
        Quarantined {
            path: PathBuf::from(self.bucket.address(name)),
            moved_to: None,
            error: error.into(),
        }
    }

    async fn sort_out(&self, documents: BTreeMap<String, Read>) -> Loaded {
        let mut loaded = Loaded::default();
        self.etags().clear();
        let is_refused = |read: &Read| matches!(&read.content, Err(error) if error.is_refused());
        let stays = documents.values().any(is_refused);
        for (name, read) in documents {
            match read.content {
                Ok(opened) => {
                    if let Content::Timeline(saved) = &opened.saved {
                        self.remember(saved.timeline.key.clone(), read.object.etag);
                    }
                    loaded.push(opened);
                }
                Err(error) if stays => loaded.quarantined.push(self.left(&name, error)),
                Err(error) => {
                    let aside = self.quarantine(&name, read.object, error).await;
                    loaded.quarantined.push(aside);
                }
            }
        }
        loaded
    }

    /// The documents of a shard that there are.
    async fn list(&self, shard: Shard) -> Result<Vec<Listed>, S3Error> {
        let mut listed = self.bucket.list().await?;
        listed.retain(|object| project_of(&object.name).is_some_and(|id| shard.owns(id)));
        Ok(listed)
    }

    async fn read_all(&self, listed: Vec<Listed>) -> Result<BTreeMap<String, Read>, S3Error> {
        let reading = listed.into_iter().map(|Listed { name, .. }| {
            let (bucket, instance) = (self.bucket.clone(), self.instance.clone());
            // A task each: parsing is work for all cores.
            let task = tokio::spawn(async move {
                let read = read(&bucket, &name, instance.as_deref()).await?;
                Ok(read.map(|read| (name, read)))
            });
            async { task.await.unwrap_or(Ok(None)) }
        });
        stream::iter(reading)
            .buffer_unordered(PARALLEL_REQUESTS)
            .try_filter_map(|read| async { Ok(read) })
            .try_collect()
            .await
    }
}

async fn read(
    bucket: &Bucket,
    name: &str,
    instance: Option<&str>,
) -> Result<Option<Read>, S3Error> {
    let mut reading = 1;
    loop {
        let Some(object) = bucket.get(name).await? else {
            return Ok(None);
        };
        let content = envelope::open(&object.body, name, instance);
        if reading == READINGS || !matches!(content, Err(DocumentError::Malformed { .. })) {
            return Ok(Some(Read { object, content }));
        }
        reading += 1;
    }
}

/// The project of a document's name, `<project id>/<ref>.json` or one of the project's own; none where it is no such name.
fn project_of(name: &str) -> Option<u64> {
    if let Some(id) = project_of_path(name).or_else(|| project_of_sights(name)) {
        return Some(id);
    }
    let (project, stem) = name.strip_suffix(".json")?.split_once('/')?;
    let is_document = !stem.starts_with('.') && !stem.contains('/');
    project.parse().ok().filter(|_| is_document)
}

/// An etag without its quotation marks, which not every list has.
fn bare(etag: Option<&String>) -> Option<&str> {
    etag.map(|etag| etag.trim_matches('"'))
}
