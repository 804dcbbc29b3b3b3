//! Records of one kind, and the reasons why others were left out.

use std::collections::HashSet;
use std::fmt;

use strum::{IntoStaticStr, VariantArray};

use crate::base::label::Label as _;

/// Records of one kind, those that could be read and those that could not.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// In GitLab's order, each id once: the first that came.
    pub items: Vec<T>,
    /// Records that could not be read.
    pub rejected: Vec<Rejected>,
}

/// A record that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rejected {
    /// `pipeline`, `job`, `bridge`, `downstream_pipeline`, `schedule`, `project` or `webhook`.
    pub kind: &'static str,
    /// The record's id, where it has a usable one.
    pub id: Option<u64>,
    /// Why, as a label.
    pub reason: RejectReason,
    /// Found and wanted, in words.
    pub detail: String,
}

/// Why a record is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum RejectReason {
    /// No id.
    MissingId,
    /// A job without a name.
    MissingName,
    /// No status.
    MissingStatus,
    /// A pipeline without a ref.
    MissingRef,
    /// A project without a path.
    MissingPath,
    /// A field, or the whole record, is of another type than GitLab documents.
    WrongType,
    /// A time that is no time.
    InvalidTime,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        if let Some(id) = self.id {
            write!(f, " {id}")?;
        }
        write!(f, " rejected, {}: {}", self.reason.as_str(), self.detail)
    }
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            rejected: Vec::new(),
        }
    }
}

/// A record as it was read, with its id where it has one.
pub(super) type Decoded<T> = Result<(Option<u64>, T), Rejected>;

/// The records of the pages that were read so far.
pub(super) struct Pages<T> {
    items: Vec<(Option<u64>, T)>,
    rejected: Vec<Rejected>,
    seen: HashSet<u64>,
    seen_rejected: HashSet<Rejected>,
    /// Whether a record came on two pages.
    pub(super) came_twice: bool,
    /// Length of the bodies of all pages.
    pub(super) bytes: usize,
    /// Whether further records were left out because of a limit.
    pub(super) is_cut: bool,
}

impl<T> Pages<T> {
    /// Adds the records of a page, but for those that came before. Returns whether there are others.
    pub(super) fn extend(&mut self, page: impl IntoIterator<Item = Decoded<T>>) -> bool {
        let mut brought_new = false;
        for record in page {
            match record {
                Ok((Some(id), _)) if !self.seen.insert(id) => self.came_twice = true,
                Ok(record) => {
                    brought_new = true;
                    self.items.push(record);
                }
                Err(rejected) => {
                    brought_new |= self.seen_rejected.insert(rejected.clone());
                    self.rejected.push(rejected);
                }
            }
        }
        brought_new
    }

    /// The ids of all records that were read.
    pub(super) fn ids(&self) -> &HashSet<u64> {
        &self.seen
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Keeps the wanted records, `most` at the most. Returns whether there are that many.
    pub(super) fn retain(&mut self, most: usize, is_wanted: impl Fn(&T) -> bool) -> bool {
        self.items.retain(|(_, item)| is_wanted(item));
        self.items.truncate(most);
        self.items.len() == most
    }

    /// Puts records that were read later in front, and in the place of the same records before.
    pub(super) fn renew(&mut self, later: Self) {
        self.items
            .retain(|(id, _)| id.is_none_or(|id| !later.seen.contains(&id)));
        self.items.splice(..0, later.items);
        for rejected in later.rejected {
            if self.seen_rejected.insert(rejected.clone()) {
                self.rejected.push(rejected);
            }
        }
    }
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            rejected: Vec::new(),
            seen: HashSet::new(),
            seen_rejected: HashSet::new(),
            came_twice: false,
            bytes: 0,
            is_cut: false,
        }
    }
}

impl<T> From<Pages<T>> for Listing<T> {
    fn from(pages: Pages<T>) -> Self {
        Self {
            items: pages.items.into_iter().map(|(_, item)| item).collect(),
            rejected: pages.rejected,
        }
    }
}
