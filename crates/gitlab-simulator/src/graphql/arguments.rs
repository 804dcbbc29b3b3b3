//! The arguments of a field, with their variables filled in.

use serde_json::{Map, Value};

use crate::moment::Moment;

/// The arguments of a field by their names. Those that are null are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    pub(super) fn insert(&mut self, name: &str, value: Value) {
        if !value.is_null() {
            self.0.insert(name.to_owned(), value);
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    pub(super) fn moment(&self, name: &str) -> Option<Moment> {
        self.text(name).and_then(Moment::parse)
    }

    /// The texts of a list.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        let list = self.0.get(name)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).collect())
    }
}
