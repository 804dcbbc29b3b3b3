//! Which version of the record of remediation was read.

/// The document as it was read. It is replaced only if it is still this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Of an object; `None` where there is none, and on disk, which no other process writes.
    pub(super) etag: Option<String>,
}
