//! Counts by kind in a document: a map by the names of the kinds. Kinds without a count have none.

use std::fmt;
use std::marker::PhantomData;

use ci_history::{Counts, Kind};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Counts as they are written and read, without a map in between.
pub(super) struct CountsDocument<K, const N: usize>(pub(super) Counts<K, N>);

impl<K: Kind + Serialize, const N: usize> Serialize for CountsDocument<K, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

impl<'de, K: Kind + Deserialize<'de>, const N: usize> Deserialize<'de> for CountsDocument<K, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CountsVisitor(PhantomData))
    }
}

struct CountsVisitor<K, const N: usize>(PhantomData<K>);

impl<'de, K: Kind + Deserialize<'de>, const N: usize> Visitor<'de> for CountsVisitor<K, N> {
    type Value = CountsDocument<K, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut counts = Counts::default();
        while let Some((kind, count)) = map.next_entry()? {
            counts.set(kind, count);
        }
        Ok(CountsDocument(counts))
    }
}
