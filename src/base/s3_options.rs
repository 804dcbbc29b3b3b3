//! Which bucket keeps the state, and how to reach it.

use std::time::Duration;

use url::Url;

/// A bucket. Credentials are looked for where AWS' tools look for them: environment, profile, web identity,
/// container, instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Options {
    /// Name of the bucket.
    pub bucket: String,
    /// Prefix of the names of all objects; `/` at either end has no meaning.
    pub prefix: String,
    /// Region; `None`: from the environment, the profile or the instance.
    pub region: Option<String>,
    /// Address of a store other than AWS.
    pub endpoint_url: Option<Url>,
    /// Whether the bucket is part of the URL's path and not of its host.
    pub force_path_style: bool,
    /// `None`: as the bucket is configured.
    pub encryption: Option<Encryption>,
    /// KMS key; `None`: the account's own for S3.
    pub kms_key_id: Option<String>,
    /// Longest time of one attempt of a request.
    pub timeout: Duration,
}

/// Encryption by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// With keys of S3.
    Aes256,
    /// With a key of KMS.
    Kms,
    /// Twice, with a key of KMS.
    KmsDsse,
}
