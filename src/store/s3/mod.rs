//! Documents in an S3 bucket, which several replicas may share.

mod bucket;
mod credentials;
mod error;
mod load;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use aws_config::{BehaviorVersion, ConfigLoader, Region};
use ci_history::{Rules, TimelineKey};
use tokio::time::sleep;

use self::bucket::{BACKOFF, Bucket, Condition, Object};
use self::credentials::Rebuild;
pub use self::error::{S3Error, S3ErrorKind};
use super::attic::AtticName;
use super::checksum::named_checksum;
use super::document::{Saved, encode};
use super::envelope::{self, Opened, seal};
use super::json::DocumentError;
use super::layout::document_path;
use super::outcome::{Quarantined, Written};
use super::packed;
use super::record_version::Version;
use crate::base::compress::Compress;
use crate::base::s3_options::S3Options;

/// Requests that run at a time.
pub(super) const PARALLEL_REQUESTS: usize = 16;

/// How often a save gives way to other replicas before it is put off.
const TRIES: u32 = 8;

/// Written twice at the start, to see whether the second time is refused.
const PROBE: &str = ".conditional-write-probe";

/// Documents in a bucket.
#[derive(Debug)]
pub struct S3 {
    bucket: Bucket,
    /// The GitLab of the documents, if it is known.
    instance: Option<Arc<str>>,
    compress: Compress,
    /// Whether the store refuses a write whose condition does not hold; empty until it was asked.
    conditional: OnceLock<bool>,
    /// The documents as they were last read or written.
    etags: Mutex<HashMap<TimelineKey, String>>,
}

impl S3 {
    /// Sends no request to S3.
    pub async fn new(options: S3Options) -> Self {
        let region = options.region.clone();
        let settings = move || {
            let settings = aws_config::defaults(BehaviorVersion::latest());
            match region.clone() {
                Some(region) => settings.region(Region::new(region)),
                None => settings,
            }
        };
        let sdk = settings();
        let rebuild: Rebuild = Arc::new(move || {
            let settings = settings();
            Box::pin(async move { settings.load().await.credentials_provider() })
        });
        Self::of(Bucket::new(options, sdk, Some(rebuild)).await)
    }

    /// The same, with settings of the SDK's own, such as another source of credentials.
    pub async fn with(options: S3Options, sdk: ConfigLoader) -> Self {
        Self::of(Bucket::new(options, sdk, None).await)
    }

    fn of(bucket: Bucket) -> Self {
        Self {
            bucket,
            instance: None,
            compress: Compress::default(),
            conditional: OnceLock::new(),
            etags: Mutex::default(),
        }
    }

    /// The documents are of this GitLab.
    #[must_use]
    pub fn of_instance(mut self, instance: Option<String>) -> Self {
        self.instance = instance.map(Arc::from);
        self
    }

    /// Which documents are compressed.
    #[must_use]
    pub fn compressing(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }

    /// Whether the store refuses a write whose condition does not hold; `None` until it was asked.
    pub fn conditional_writes(&self) -> Option<bool> {
        self.conditional.get().copied()
    }

    /// Sees whether the bucket is there and lets us list and write, and whether it honours conditions.
    pub async fn check(&self) -> Result<(), S3Error> {
        if self.conditional.get().is_some() {
            return Ok(());
        }
        self.bucket.try_list().await?;
        let honoured = self.honours_conditions(PROBE).await?;
        let _ = self.conditional.set(honoured);
        Ok(())
    }

    /// Writes an object twice, unless it is there.
    async fn honours_conditions(&self, probe: &str) -> Result<bool, S3Error> {
        // The first write may find the probe of an earlier start.
        for _ in 0..2 {
            match self.put(probe, b"{}\n".to_vec(), Condition::Absent).await {
                Ok(_) => {}
                Err(error) if matches!(error.kind(), S3ErrorKind::Precondition) => return Ok(true),
                Err(error) if matches!(error.kind(), S3ErrorKind::NotImplemented(_)) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Sees the same with an object of its own, which is removed again. Returns whether the store honours conditions.
    pub async fn try_out(&self) -> Result<bool, S3Error> {
        self.bucket.try_list().await?;
        // Replicas that start meanwhile are not to find or miss it.
        let probe = format!("{PROBE}-{:016x}", fastrand::u64(..));
        let honoured = self.honours_conditions(&probe).await;
        let removed = self.bucket.delete(&probe, None).await;
        let honoured = honoured?;
        removed.map(|()| honoured)
    }

    /// Replaces a timeline's document. Where another replica has written it meanwhile, the two are
    /// merged, and the result is returned.
    pub async fn save(&self, saved: Saved, rules: &Rules) -> Result<Written, S3Error> {
        let key = saved.timeline.key.clone();
        let name = document_path(&key);
        let mut current = saved;
        let mut written = Written::default();
        let mut merged = false;
        for attempt in 1..=TRIES {
            let known = self.etags().get(&key).cloned();
            let condition = known.as_deref().map_or(Condition::Absent, Condition::Is);
            let text = seal(encode(&current, rules), self.instance.as_deref());
            let checksum = named_checksum(&text);
            let text = packed::pack(text, self.compress);
            match self.put(&name, text, condition).await {
                Ok(etag) => {
                    self.remember(key, etag);
                    written.merged = merged.then_some(current);
                    written.checksum = checksum;
                    return Ok(written);
                }
                // Some stores say so of an object that is gone.
                Err(error)
                    if matches!(
                        error.kind(),
                        S3ErrorKind::Precondition | S3ErrorKind::NoSuchKey
                    ) => {}
                Err(error) => return Err(error),
            }
            written.conflicts += 1;
            sleep(BACKOFF.delay(attempt - 1)).await;
            let Some(stored) = self.stored(&key, &name, &mut written).await? else {
                continue;
            };
            current.merge(&stored.saved, rules);
            merged = true;
            if current == stored.saved {
                written.merged = Some(current);
                written.checksum = stored.checksum;
                return Ok(written);
            }
        }
        let target = self.bucket.address(&name);
        Err(S3Error::new("write", target, S3ErrorKind::Contended(TRIES)))
    }

    /// The document that another replica has saved; `None` if there is no readable one.
    async fn stored(
        &self,
        key: &TimelineKey,
        name: &str,
        written: &mut Written,
    ) -> Result<Option<Opened<Saved>>, S3Error> {
        self.remember(key.clone(), None);
        let Some(object) = self.bucket.get(name).await? else {
            return Ok(None);
        };
        match envelope::open_timeline(&object.body, name, self.instance.as_deref()) {
            Ok(stored) => {
                self.remember(key.clone(), object.etag);
                Ok(Some(stored))
            }
            Err(error) if error.is_refused() => {
                let target = self.bucket.address(name);
                Err(S3Error::new("write", target, S3ErrorKind::Newer(error)))
            }
            Err(error) => {
                let aside = self.quarantine(name, object, error).await;
                written.quarantined.push(aside);
                Ok(None)
            }
        }
    }

    /// Removes a timeline's document, unless another replica has written it meanwhile.
    pub async fn remove(&self, key: &TimelineKey) -> Result<(), S3Error> {
        let etag = self.etags().get(key).cloned();
        self.delete(&document_path(key), etag.as_deref()).await?;
        self.remember(key.clone(), None);
        Ok(())
    }

    /// The documents in the attic.
    pub(super) async fn attic(&self) -> Result<Vec<AtticName>, S3Error> {
        let listed = self.bucket.list().await?.into_iter();
        Ok(listed
            .filter_map(|object| AtticName::parse(&object.name))
            .collect())
    }

    /// An object; `None` if there is none.
    pub(super) async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, S3Error> {
        let object = self.bucket.get(name).await?;
        Ok(object.map(|object| object.body.to_vec()))
    }

    /// The GitLab of the documents, if it is known.
    pub(super) fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// Replaces an object, whatever another replica has written.
    pub(super) async fn write(&self, name: &str, text: Vec<u8>) -> Result<(), S3Error> {
        self.bucket.put(name, text, Condition::None).await.map(drop)
    }

    /// An object, and which one it is.
    pub(super) async fn read_version(
        &self,
        name: &str,
    ) -> Result<(Option<Vec<u8>>, Version), S3Error> {
        let object = self.bucket.get(name).await?;
        Ok(match object {
            None => (None, Version { etag: None }),
            Some(Object { etag, body }) => (Some(body.to_vec()), Version { etag }),
        })
    }

    /// Replaces an object, unless another replica has done so meanwhile.
    pub(super) async fn replace(
        &self,
        name: &str,
        text: Vec<u8>,
        version: &Version,
    ) -> Result<bool, S3Error> {
        let etag = version.etag.as_deref();
        let condition = etag.map_or(Condition::Absent, Condition::Is);
        match self.put(name, text, condition).await {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    S3ErrorKind::Precondition | S3ErrorKind::NoSuchKey
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes an object, whatever another replica has written.
    pub(super) async fn delete_always(&self, name: &str) -> Result<(), S3Error> {
        self.bucket.delete(name, None).await
    }

    async fn put(
        &self,
        name: &str,
        body: Vec<u8>,
        condition: Condition<'_>,
    ) -> Result<Option<String>, S3Error> {
        let condition = match self.conditional_writes() {
            Some(false) => Condition::None,
            _ => condition,
        };
        self.bucket.put(name, body, condition).await
    }

    async fn delete(&self, name: &str, etag: Option<&str>) -> Result<(), S3Error> {
        let etag = etag.filter(|_| self.conditional_writes() == Some(true));
        match self.bucket.delete(name, etag).await {
            // Not every store that knows conditions knows them for removals.
            Err(error) if matches!(error.kind(), S3ErrorKind::NotImplemented(_)) => {
                self.bucket.delete(name, None).await
            }
            done => done,
        }
    }

    /// Gives an unreadable document a name that is not loaded and not taken.
    async fn quarantine(&self, name: &str, object: Object, error: DocumentError) -> Quarantined {
        let moved = self.move_aside(name, &object).await;
        if let Err(error) = &moved {
            tracing::warn!("an unreadable document stays where it is: {error}");
        }
        Quarantined {
            path: PathBuf::from(self.bucket.address(name)),
            moved_to: moved.ok().map(PathBuf::from),
            error: error.into(),
        }
    }

    async fn move_aside(&self, name: &str, object: &Object) -> Result<String, S3Error> {
        let mut number = 1;
        let target = loop {
            let target = format!("{name}.broken-{number}");
            number += 1;
            // A store without conditions would overwrite.
            if self.conditional_writes() == Some(false) && self.bucket.get(&target).await?.is_some()
            {
                continue;
            }
            match self
                .put(&target, object.body.to_vec(), Condition::Absent)
                .await
            {
                Ok(_) => break target,
                Err(error) if matches!(error.kind(), S3ErrorKind::Precondition) => {}
                Err(error) => return Err(error),
            }
        };
        self.delete(name, object.etag.as_deref()).await?;
        Ok(self.bucket.address(&target))
    }

    fn remember(&self, key: TimelineKey, etag: Option<String>) {
        match etag {
            Some(etag) => self.etags().insert(key, etag),
            None => self.etags().remove(&key),
        };
    }

    fn etags(&self) -> MutexGuard<'_, HashMap<TimelineKey, String>> {
        self.etags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
