//! The limits on what is kept and exposed.

use strum::{IntoStaticStr, VariantArray};

/// The label `limit` of `job_failure_exporter_limit_reached_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Limit {
    /// New jobs of a full ref.
    JobsPerRef,
    /// New jobs of a full project.
    JobsPerProject,
    /// Pipelines of new refs of a full project.
    RefsPerProject,
    /// Schedules of a project that are not exposed.
    SchedulesPerProject,
    /// Listings of a pipeline's jobs that were cut.
    JobsPerPipeline,
    /// Lists with more bytes than are read.
    ListingBytes,
    /// Jobs, refs and projects whose name is cut in the metrics.
    LabelBytes,
}

/// The label `limit` of `job_failure_exporter_http_limited_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum HttpLimit {
    /// Connections that were closed for others, and requests that were refused because all were busy.
    Connections,
    /// Searches that were refused.
    Searches,
    /// Scrapes that were cut.
    Pages,
    /// Responses that were cut or refused because of the bytes that others hold.
    Bytes,
}
