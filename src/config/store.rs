//! The section `store`: where the state is kept.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::key::{Key, keys};
use super::section::Section;
use super::url::http_url;
use super::value_type::Form;
use super::word::words;
use crate::base::compress::Compress;
use crate::base::s3_options::{Encryption, S3Options};

/// Where the state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// A directory or a bucket.
    pub location: Location,
    /// Longest time a change waits before it is saved.
    pub save_interval: Duration,
    /// Which documents are compressed.
    pub compress: Compress,
}

/// A directory or a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory of the local disk.
    Directory(PathBuf),
    /// A bucket.
    S3(S3Options),
}

words!(Compress { Auto = "auto", Never = "never" });
words!(Encryption { Aes256 = "AES256", Kms = "aws:kms", KmsDsse = "aws:kms:dsse" });

keys! {
    DIRECTORY: Key<PathBuf> = Key::text(
        "store.directory",
        Form::new("directory", "the path of a directory"),
        directory,
    )
    .default("./state")
    .doc("Directory that keeps the state; created if missing. A relative path starts at the working directory. Flag: `--store.directory`, which also overrides `store.s3`.");

    BUCKET: Key<String> = Key::text(
        "store.s3.bucket",
        Form::new("text", "the name of a bucket"),
        bucket_name,
    )
    .required()
    .doc("Bucket that keeps the state, in place of a directory. It must exist. Several replicas may share it.");

    PREFIX: Key<String> = Key::text(
        "store.s3.prefix",
        Form::new("text", "the beginning of the objects' names"),
        |text| Ok(text.to_owned()),
    )
    .default("''")
    .doc("Prefix of the names of all objects; a `/` is put after it.");

    REGION: Key<String> = Key::text(
        "store.s3.region",
        Form::new("text", "a region such as `eu-central-1`"),
        not_empty,
    )
    .doc("Region of the bucket. Without it that of the environment (`AWS_REGION`), the profile or the instance; with `endpoint_url` and none of these, `us-east-1`.");

    ENDPOINT_URL: Key<Url> = Key::text(
        "store.s3.endpoint_url",
        Form::new("URL", "the address of a store, such as `https://minio.example.com:9000`"),
        |text| http_url(text, "credentials are not taken from a URL"),
    )
    .doc("Address of a store other than AWS.");

    FORCE_PATH_STYLE: Key<bool> = Key::bool("store.s3.force_path_style")
        .default("false")
        .doc("Whether the bucket is part of the URL's path, as many stores want it, and not of its host.");

    ENCRYPTION: Key<Encryption> = Key::word("store.s3.server_side_encryption")
        .doc("How the store encrypts the documents; without it, as the bucket is configured.");

    KMS_KEY_ID: Key<String> = Key::text(
        "store.s3.kms_key_id",
        Form::new("text", "the id or ARN of a KMS key"),
        not_empty,
    )
    .doc("KMS key to encrypt with; without it, the account's own for S3. Only with `aws:kms` or `aws:kms:dsse`.");

    S3_TIMEOUT: Key<Duration> = Key::duration("store.s3.timeout", Duration::from_millis(100))
        .default("5s")
        .doc("Longest time one attempt of a request may take. A request has up to three attempts, within twice this time.");

    SAVE_INTERVAL: Key<Duration> = Key::duration("store.save_interval", Duration::from_millis(100))
        .default("10s")
        .doc("Longest time a change waits before it is saved.");

    COMPRESS: Key<Compress> = Key::word("store.compress")
        .default("auto")
        .doc("`auto`: documents of more than 64 KiB are compressed with gzip. `never`: none are, and those that are compressed are saved again at the start, as an earlier version needs them.");
}

impl Store {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let directory = Location::Directory(section.get(&DIRECTORY));
        let bucket = section.has("s3").then(|| section.section("s3"));
        if let Some(bucket) = &bucket
            && section.has(DIRECTORY.info.name())
        {
            bucket.complain("given together with store.directory; keep one of them".to_owned());
        }
        let s3 = bucket.as_ref().and_then(s3_options).map(Location::S3);
        Self {
            location: s3.unwrap_or(directory),
            save_interval: section.get(&SAVE_INTERVAL),
            compress: section.get(&COMPRESS),
        }
    }
}

fn s3_options(section: &Section<'_>) -> Option<S3Options> {
    let encryption = section.read(&ENCRYPTION);
    if !matches!(encryption, Some(Encryption::Kms | Encryption::KmsDsse)) {
        section.complain_of(
            KMS_KEY_ID.info.name(),
            "has no effect without server_side_encryption: `aws:kms` or `aws:kms:dsse`".to_owned(),
        );
    }
    Some(S3Options {
        prefix: section.get(&PREFIX),
        region: section.read(&REGION),
        endpoint_url: section.read(&ENDPOINT_URL),
        force_path_style: section.get(&FORCE_PATH_STYLE),
        encryption,
        kms_key_id: section.read(&KMS_KEY_ID),
        timeout: section.get(&S3_TIMEOUT),
        // Last, so that the problems of all others are noted.
        bucket: section.read(&BUCKET)?,
    })
}

impl Location {
    /// The key of the other kind of place.
    pub(super) fn unused_key(&self) -> &'static str {
        match self {
            Self::Directory(_) => "store.s3",
            Self::S3(_) => DIRECTORY.info.path,
        }
    }
}

/// For people.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => directory.display().fmt(f),
            Self::S3(s3) => write!(f, "s3://{}/{}", s3.bucket, s3.prefix),
        }
    }
}

fn directory(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err(String::new()),
        _ => Ok(PathBuf::from(text)),
    }
}

/// S3 itself checks names best; only what would change the address is refused.
fn bucket_name(text: &str) -> Result<String, String> {
    if text.contains('/') {
        return Err("the name alone; what follows it goes into `prefix`".to_owned());
    }
    not_empty(text)
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(String::new());
    }
    Ok(text.to_owned())
}
