//! Reading one record on its own: its fields, and why it is rejected if it is.

use std::fmt;
use std::marker::PhantomData;

use ci_history::Timestamp;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::answer::excerpt;
use super::listing::{Decoded, RejectReason, Rejected};
use super::times;
use super::wire::{Field, OnlyId, Value};

/// A record of GitLab's API.
pub(super) trait Record: Sized {
    /// The kind in [`Rejected`].
    const KIND: &'static str;
    /// Its shape in JSON.
    type Wire<'a>: Deserialize<'a>;

    /// Checks the fields and takes the needed ones.
    fn read(reader: &mut Reader, wire: Self::Wire<'_>) -> Result<Self, Rejected>;
}

/// Checks a record whose fields were found.
pub(super) fn decode<'a, R: Record>(value: Value<'a, R::Wire<'a>>) -> Decoded<R> {
    let (mut reader, wire) = Reader::open(R::KIND, value)?;
    let record = R::read(&mut reader, wire)?;
    Ok((reader.id, record))
}

/// The one record of a JSON text.
pub(super) fn decode_one<R: Record>(json: &str) -> Decoded<R> {
    match serde_json::from_str(json) {
        Ok(value) => decode(value),
        Err(error) => {
            let mut reader = Reader::new(R::KIND);
            if let Ok(record) = serde_json::from_str::<OnlyId<'_>>(json) {
                let _ = reader.id(&record.id);
            }
            Err(reader.reject(RejectReason::WrongType, error.to_string()))
        }
    }
}

/// Most records on a page. GitLab sends 100; a page of a few bytes each would need much more memory than its text.
const MOST_ON_PAGE: usize = 10_000;

/// Why a page cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    /// The text is no JSON list.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The list has too many records.
    #[error("a page with more than {MOST_ON_PAGE} records")]
    TooMany,
}

/// The records of a JSON list, in one pass over the text; one by one where a record is no JSON that can
/// be read, such as a text with half a surrogate pair, so that the others are kept.
pub(super) fn decode_list<R: Record>(json: &str) -> Result<Vec<Decoded<R>>, ListError> {
    if let Ok(records) = serde_json::from_str::<Records<Value<'_, R::Wire<'_>>>>(json) {
        return Ok(records.all()?.into_iter().map(decode).collect());
    }
    let records: Records<&RawValue> = serde_json::from_str(json)?;
    let records = records.all()?;
    Ok(records.iter().map(|json| decode_one(json.get())).collect())
}

/// The first [`MOST_ON_PAGE`] records of a list.
struct Records<T> {
    first: Vec<T>,
    has_more: bool,
}

impl<T> Records<T> {
    fn all(self) -> Result<Vec<T>, ListError> {
        (!self.has_more)
            .then_some(self.first)
            .ok_or(ListError::TooMany)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Records<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RecordsVisitor(PhantomData))
    }
}

struct RecordsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RecordsVisitor<T> {
    type Value = Records<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut first = Vec::new();
        while first.len() < MOST_ON_PAGE {
            match list.next_element()? {
                Some(record) => first.push(record),
                None => {
                    return Ok(Records {
                        first,
                        has_more: false,
                    });
                }
            }
        }
        let mut has_more = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            has_more = true;
        }
        Ok(Records { first, has_more })
    }
}

/// Reads the fields of one record; puts kind and id into a rejection.
pub(super) struct Reader {
    kind: &'static str,
    id: Option<u64>,
}

impl Reader {
    fn new(kind: &'static str) -> Self {
        Self { kind, id: None }
    }

    /// The fields of a record that has to be an object.
    pub(super) fn open<W>(kind: &'static str, value: Value<'_, W>) -> Result<(Self, W), Rejected> {
        let reader = Self::new(kind);
        match value {
            Value::Object(fields) => Ok((reader, fields)),
            found => Err(reader.wrong("the record", &found, "an object")),
        }
    }

    /// The record's id; a later rejection carries it.
    pub(super) fn id(&mut self, field: &Field<'_>) -> Result<u64, Rejected> {
        let id = self.other_id("id", field)?;
        self.id = Some(id);
        Ok(id)
    }

    /// Another id that must be there, such as that of the record's project.
    pub(super) fn other_id(&self, name: &str, field: &Field<'_>) -> Result<u64, Rejected> {
        match field {
            Value::Missing => Err(self.missing(name, RejectReason::MissingId)),
            Value::Whole(id) if *id > 0 => Ok(*id),
            found => Err(self.wrong(&format!("`{name}`"), found, "a whole number above 0")),
        }
    }

    /// A text that must be there and not be empty.
    pub(super) fn required<'f>(
        &self,
        name: &str,
        field: &'f Field<'_>,
        reason: RejectReason,
    ) -> Result<&'f str, Rejected> {
        let text = self.text(name, field)?;
        text.filter(|text| !text.is_empty())
            .ok_or_else(|| self.missing(name, reason))
    }

    pub(super) fn text<'f>(
        &self,
        name: &str,
        field: &'f Field<'_>,
    ) -> Result<Option<&'f str>, Rejected> {
        match field {
            Value::Missing => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            found => Err(self.wrong(&format!("`{name}`"), found, "a text")),
        }
    }

    pub(super) fn number(&self, name: &str, field: &Field<'_>) -> Result<Option<f64>, Rejected> {
        match field {
            Value::Missing => Ok(None),
            Value::Whole(number) => Ok(Some(*number as f64)),
            Value::Number(number) => Ok(Some(*number)),
            found => Err(self.wrong(&format!("`{name}`"), found, "a number")),
        }
    }

    /// False where the field is missing.
    pub(super) fn flag(&self, name: &str, field: &Field<'_>) -> Result<bool, Rejected> {
        match field {
            Value::Missing => Ok(false),
            Value::Flag(flag) => Ok(*flag),
            found => Err(self.wrong(&format!("`{name}`"), found, "true or false")),
        }
    }

    /// A time with all its digits.
    pub(super) fn instant(
        &self,
        name: &str,
        field: &Field<'_>,
    ) -> Result<Option<jiff::Timestamp>, Rejected> {
        let Some(text) = self.text(name, field)? else {
            return Ok(None);
        };
        times::parse(text).map(Some).ok_or_else(|| {
            let found = excerpt(text);
            let detail =
                format!("`{name}` is \"{found}\", wanted a time such as 2016-08-12T15:23:28.000Z");
            self.reject(RejectReason::InvalidTime, detail)
        })
    }

    pub(super) fn time(
        &self,
        name: &str,
        field: &Field<'_>,
    ) -> Result<Option<Timestamp>, Rejected> {
        Ok(self.instant(name, field)?.and_then(times::whole_seconds))
    }

    /// An address that may be linked to; anything else than http and https is dropped.
    pub(super) fn link<T: for<'f> From<&'f str>>(
        &self,
        name: &str,
        field: &Field<'_>,
    ) -> Result<Option<T>, Rejected> {
        let url = self.text(name, field)?;
        Ok(url
            .filter(|url| url.starts_with("https://") || url.starts_with("http://"))
            .map(T::from))
    }

    pub(super) fn missing(&self, name: &str, reason: RejectReason) -> Rejected {
        self.reject(reason, format!("`{name}` is missing, null or empty"))
    }

    fn wrong<W>(&self, what: &str, found: &Value<'_, W>, wanted: &str) -> Rejected {
        let found = excerpt(&found.to_string());
        let detail = format!("{what} is {found}, wanted {wanted}");
        self.reject(RejectReason::WrongType, detail)
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
