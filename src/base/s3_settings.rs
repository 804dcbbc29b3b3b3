//! The bucket that the configuration names and the store uses.

use std::time::Duration;

/// A bucket, and how to reach it. Credentials are looked for where AWS' tools look for them:
/// environment, profile, web identity, container, instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// Name of the bucket.
    pub bucket: String,
    /// Prefix of the names of all objects; `/` at either end is ignored.
    pub prefix: String,
    /// Region; `None`: from the environment, the profile or the instance.
    pub region: Option<String>,
    /// Address of a store that is not AWS'.
    pub endpoint_url: Option<String>,
    /// Puts the bucket into the path instead of the host name.
    pub force_path_style: bool,
    /// Encryption by the store, in S3's words; `None`: the default of the bucket.
    pub server_side_encryption: Option<&'static str>,
    /// KMS key for it; `None`: the account's own for S3.
    pub kms_key_id: Option<String>,
    /// Longest time of one attempt of a request.
    pub timeout: Duration,
}
