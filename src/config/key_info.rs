//! What can be told of a key without its value: path, type, default and documentation.

use super::value_type::ValueType;

/// A key without its parser; the docs are written from it.
#[derive(Debug, Clone, Copy)]
pub struct KeyInfo {
    /// Path with the sections it is in; `[]` is any item of a list.
    pub path: &'static str,
    /// Type of the value, or of its items.
    pub value_type: ValueType,
    /// Whether the value is a list.
    pub is_list: bool,
    /// What holds where the key is not given.
    pub absence: Absence,
    /// The documentation, in Markdown.
    pub doc: &'static str,
}

/// What holds where a key is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// This value, in YAML.
    Default(&'static str),
    /// The value of the preset; this one in the preset `default`.
    Preset(&'static str),
    /// Nothing.
    Optional,
    /// A problem.
    Required,
}

impl KeyInfo {
    pub(super) const fn new(path: &'static str, value_type: ValueType) -> Self {
        Self {
            path,
            value_type,
            is_list: false,
            absence: Absence::Optional,
            doc: "",
        }
    }

    /// The last part of the path.
    pub fn name(&self) -> &'static str {
        let (_, name) = self.path.rsplit_once('.').unwrap_or(("", self.path));
        name
    }

    /// The name of the type in the docs.
    pub fn type_name(&self) -> String {
        if self.is_list {
            format!("list of {}", self.value_type.plural())
        } else {
            self.value_type.name()
        }
    }

    /// What a message says is wanted.
    pub fn wanted(&self) -> String {
        if self.is_list {
            format!("a {}", self.type_name())
        } else {
            self.value_type.wanted()
        }
    }
}
