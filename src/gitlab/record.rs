//! Reading one record on its own: its fields, and why it is rejected if it is.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::excerpt;
use super::times;
use super::wire::Raw;
use crate::model::Timestamp;

/// Records of one kind, those that could be read and those that could not.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// In GitLab's order, each id once: the first that came.
    pub items: Vec<T>,
    /// What could not be read.
    pub rejected: Vec<Rejected>,
}

/// A record that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// `pipeline`, `job`, `bridge`, `downstream_pipeline`, `schedule`, `project` or `webhook`.
    pub kind: &'static str,
    /// The record's id, where it has a usable one.
    pub id: Option<u64>,
    /// Why, as a label.
    pub reason: RejectReason,
    /// Why, in words: what was found and what was wanted.
    pub detail: String,
}

/// Why a record is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

impl RejectReason {
    /// Every reason, so that label values can start at zero.
    pub const ALL: [Self; 7] = [
        Self::MissingId,
        Self::MissingName,
        Self::MissingStatus,
        Self::MissingRef,
        Self::MissingPath,
        Self::WrongType,
        Self::InvalidTime,
    ];

    /// The reason as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingId => "missing_id",
            Self::MissingName => "missing_name",
            Self::MissingStatus => "missing_status",
            Self::MissingRef => "missing_ref",
            Self::MissingPath => "missing_path",
            Self::WrongType => "wrong_type",
            Self::InvalidTime => "invalid_time",
        }
    }
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

/// What has an id that is unique within a listing.
pub(super) trait Identified {
    fn id(&self) -> u64;
}

impl<T> Listing<T> {
    /// Nothing at all.
    pub fn new() -> Self {
        Self {
            items: Vec::new(),
            rejected: Vec::new(),
        }
    }

    /// Decodes each record by itself; an id that is in `seen` came on an earlier page. Returns whether
    /// there was one.
    pub(super) fn extend(
        &mut self,
        records: &[&RawValue],
        seen: &mut HashSet<u64>,
        decode: impl Fn(&RawValue) -> Result<T, Rejected>,
    ) -> bool
    where
        T: Identified,
    {
        let mut came_before = false;
        for record in records {
            match decode(record) {
                Ok(item) if seen.insert(item.id()) => self.items.push(item),
                Ok(_) => came_before = true,
                Err(rejected) => self.rejected.push(rejected),
            }
        }
        came_before
    }

    /// Puts what was read later in front, and in the place of what was read of the same records before.
    pub(super) fn renew(&mut self, later: Self)
    where
        T: Identified,
    {
        let Self { items, rejected } = later;
        let renewed: HashSet<u64> = items.iter().map(Identified::id).collect();
        let earlier = std::mem::replace(&mut self.items, items);
        let others = earlier.into_iter().filter(|it| !renewed.contains(&it.id()));
        self.items.extend(others);
        for rejected in rejected {
            if !self.rejected.contains(&rejected) {
                self.rejected.push(rejected);
            }
        }
    }
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the fields of one record; knows its kind and id for what it rejects.
pub(super) struct Reader {
    kind: &'static str,
    id: Option<u64>,
}

impl Reader {
    /// Takes a record apart into the raw fields of its wire shape.
    pub(super) fn open<'a, W: Deserialize<'a>>(
        kind: &'static str,
        record: &'a RawValue,
    ) -> Result<(Self, W), Rejected> {
        let reader = Self { kind, id: None };
        if !record.get().starts_with('{') {
            return Err(reader.wrong("the record", record, "an object"));
        }
        match serde_json::from_str(record.get()) {
            Ok(fields) => Ok((reader, fields)),
            Err(error) => Err(reader.reject(RejectReason::WrongType, error.to_string())),
        }
    }

    /// The record's id; what is rejected later carries it.
    pub(super) fn id(&mut self, raw: Raw<'_>) -> Result<u64, Rejected> {
        let id = self.other_id("id", raw)?;
        self.id = Some(id);
        Ok(id)
    }

    /// A text that must be there and not be empty.
    pub(super) fn required(
        &self,
        field: &'static str,
        raw: Raw<'_>,
        reason: RejectReason,
    ) -> Result<Arc<str>, Rejected> {
        self.text(field, raw)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| self.missing(field, reason))
    }

    pub(super) fn text(
        &self,
        field: &'static str,
        raw: Raw<'_>,
    ) -> Result<Option<Arc<str>>, Rejected> {
        self.value(field, raw, "a text")
    }

    pub(super) fn number(
        &self,
        field: &'static str,
        raw: Raw<'_>,
    ) -> Result<Option<f64>, Rejected> {
        self.value(field, raw, "a number")
    }

    pub(super) fn flag(&self, field: &'static str, raw: Raw<'_>) -> Result<bool, Rejected> {
        Ok(self.value(field, raw, "true or false")?.unwrap_or_default())
    }

    /// A time with all its digits.
    pub(super) fn instant(
        &self,
        field: &'static str,
        raw: Raw<'_>,
    ) -> Result<Option<jiff::Timestamp>, Rejected> {
        let Some(text) = self.text(field, raw)? else {
            return Ok(None);
        };
        times::parse(&text).map(Some).ok_or_else(|| {
            self.reject(
                RejectReason::InvalidTime,
                format!(
                    "`{field}` is \"{}\", wanted a time such as 2016-08-12T15:23:28.000Z",
                    excerpt(&text)
                ),
            )
        })
    }

    pub(super) fn time(
        &self,
        field: &'static str,
        raw: Raw<'_>,
    ) -> Result<Option<Timestamp>, Rejected> {
        Ok(self.instant(field, raw)?.and_then(times::whole_seconds))
    }

    /// An address that may be linked to; anything else than http and https is dropped.
    pub(super) fn link(
        &self,
        field: &'static str,
        raw: Raw<'_>,
    ) -> Result<Option<Arc<str>>, Rejected> {
        Ok(self
            .text(field, raw)?
            .filter(|url| url.starts_with("https://") || url.starts_with("http://")))
    }

    fn value<'a, T: Deserialize<'a>>(
        &self,
        field: &'static str,
        raw: Raw<'a>,
        wanted: &str,
    ) -> Result<Option<T>, Rejected> {
        raw.map(|raw| {
            serde_json::from_str(raw.get())
                .map_err(|_| self.wrong(&format!("`{field}`"), raw, wanted))
        })
        .transpose()
    }

    /// Another id that must be there, such as that of the record's project.
    pub(super) fn other_id(&self, field: &'static str, raw: Raw<'_>) -> Result<u64, Rejected> {
        let raw = raw.ok_or_else(|| self.missing(field, RejectReason::MissingId))?;
        match serde_json::from_str::<u64>(raw.get()) {
            Ok(id) if id > 0 => Ok(id),
            _ => Err(self.wrong(&format!("`{field}`"), raw, "a whole number above 0")),
        }
    }

    pub(super) fn missing(&self, field: &str, reason: RejectReason) -> Rejected {
        self.reject(reason, format!("`{field}` is missing, null or empty"))
    }

    fn wrong(&self, what: &str, found: &RawValue, wanted: &str) -> Rejected {
        let found = excerpt(found.get());
        self.reject(
            RejectReason::WrongType,
            format!("{what} is {found}, wanted {wanted}"),
        )
    }

    fn reject(&self, reason: RejectReason, detail: String) -> Rejected {
        Rejected {
            kind: self.kind,
            id: self.id,
            reason,
            detail,
        }
    }
}
