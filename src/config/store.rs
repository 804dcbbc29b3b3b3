//! The section `store`: where the state is kept.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::address::http_url;
use super::reader::Section;
use crate::base::s3_settings::S3Settings;

/// Where the state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The place. Default: the directory `./state`.
    pub location: Location,
    /// Longest time a change waits before it is saved. Default: 10 s.
    pub save_interval: Duration,
}

/// A place for the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory.
    Directory(PathBuf),
    /// A bucket.
    S3(S3Settings),
}

/// What `server_side_encryption` takes, in S3's words.
pub(super) const ENCRYPTIONS: &[&str] = &["AES256", "aws:kms", "aws:kms:dsse"];

impl Store {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let directory = section.text("directory", |text| match text {
            "" => Err(String::new()),
            _ => Ok(PathBuf::from(text)),
        });
        let save_interval = section.duration("save_interval");
        let location = if section.has("s3") {
            let bucket = section.section("s3");
            if section.has("directory") {
                bucket.complain("given together with store.directory; keep one of them".to_owned());
            }
            bucket_settings(&bucket).map(Location::S3)
        } else {
            directory.map(Location::Directory)
        };
        Some(Self {
            location: location?,
            save_interval: save_interval?,
        })
    }
}

fn bucket_settings(section: &Section<'_>) -> Option<S3Settings> {
    let bucket = section.text("bucket", bucket_name);
    let prefix = section.text("prefix", |text| Ok(text.to_owned()));
    let region = section.text("region", not_empty);
    let endpoint_url = section.text("endpoint_url", endpoint);
    let force_path_style = section.bool("force_path_style");
    let words = ENCRYPTIONS.iter().map(|word| (*word, *word));
    let encryption = section.choice("server_side_encryption", &words.collect::<Vec<_>>());
    let kms_key_id = section.text("kms_key_id", not_empty);
    let timeout = section.duration("timeout");
    let with_kms = encryption.is_some_and(|word| word.starts_with("aws:kms"));
    if let Some(key) = section.given("kms_key_id").filter(|_| !with_kms) {
        key.complain(
            "is of no use without server_side_encryption: `aws:kms` or `aws:kms:dsse`".to_owned(),
        );
    }
    Some(S3Settings {
        bucket: bucket?,
        prefix: prefix?,
        region,
        endpoint_url,
        force_path_style: force_path_style?,
        server_side_encryption: encryption,
        kms_key_id,
        timeout: timeout?,
    })
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

/// Which names S3 itself takes, it says best; what would change the address is refused.
fn bucket_name(text: &str) -> Result<String, String> {
    if text.contains("://") || text.contains('/') {
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

fn endpoint(text: &str) -> Result<String, String> {
    http_url(text)?;
    Ok(text.trim_end_matches('/').to_owned())
}
