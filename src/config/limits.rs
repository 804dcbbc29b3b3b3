//! The section `limits`: bounds on what GitLab may make the exporter keep and expose.

use super::key::{Key, keys};
use super::section::Section;

/// Bounds on what is kept. What is known already stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Jobs of one ref.
    pub jobs_per_ref: usize,
    /// Jobs of all refs of a project.
    pub jobs_per_project: usize,
    /// Refs of a project.
    pub refs_per_project: usize,
    /// Bytes of one list of GitLab's API, of all its pages together.
    pub listing_bytes: usize,
}

/// No project of GitLab's own has so many.
const MAX: usize = 1_000_000;

keys! {
    JOBS_PER_REF: Key<usize> = Key::count("limits.jobs_per_ref", 1, MAX)
        .default("5000")
        .doc("Most jobs of a ref that have a history. Of further new ones, those whose names come first are kept as far as there is room. See [Limits](#limits).");

    JOBS_PER_PROJECT: Key<usize> = Key::count("limits.jobs_per_project", 1, MAX)
        .default("50000")
        .doc("Most jobs of all refs of a project together.");

    REFS_PER_PROJECT: Key<usize> = Key::count("limits.refs_per_project", 1, MAX)
        .default("1000")
        .doc("Most refs of a project. Pipelines of further new refs are left out until older refs fall to `retention`.");

    LISTING_BYTES: Key<usize> = Key::count("limits.listing_bytes", 1 << 20, 1 << 34)
        .default("268435456")
        .doc("Bytes of one list of GitLab's API, of all its pages together, after which no further page is read. See [Limits](#limits).");
}

impl Limits {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            jobs_per_ref: section.get(&JOBS_PER_REF),
            jobs_per_project: section.get(&JOBS_PER_PROJECT),
            refs_per_project: section.get(&REFS_PER_PROJECT),
            listing_bytes: section.get(&LISTING_BYTES),
        }
    }
}
