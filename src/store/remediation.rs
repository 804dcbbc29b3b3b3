//! The record of remediation: one document, which is replaced only if nobody else has replaced it meanwhile.

use super::layout::REMEDIATION;
use super::record_version::Version;
use super::s3::S3Error;
use super::{Store, StoreError, blocking, read_file};

impl Store {
    /// Name of the document.
    pub const REMEDIATION: &'static str = REMEDIATION;

    /// The document, if there is one.
    pub async fn remediation(&self) -> Result<(Option<Vec<u8>>, Version), StoreError> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                let text = blocking(move || read_file(&directory, Self::REMEDIATION)).await?;
                Ok((text, Version { etag: None }))
            }
            Self::S3(s3) => Ok(Box::pin(s3.read_version(Self::REMEDIATION)).await?),
        }
    }

    /// Replaces the document. `false`: another exporter has replaced it, and it stays as it is.
    pub async fn save_remediation(
        &self,
        text: Vec<u8>,
        version: &Version,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                let write = move || directory.write(Self::REMEDIATION, &text);
                blocking(write).await?;
                Ok(true)
            }
            Self::S3(s3) => {
                let saved: Result<bool, S3Error> =
                    Box::pin(s3.replace(Self::REMEDIATION, text, version)).await;
                Ok(saved?)
            }
        }
    }
}
