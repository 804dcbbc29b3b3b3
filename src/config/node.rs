//! The tree of a YAML document: values, and where each of them was given.

use super::hints::excerpt;

/// Where a value was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// On this line of the file, counted from 1.
    Line(usize),
    /// By this flag.
    Flag(&'static str),
    /// Nowhere: a default, or a missing value.
    Unset,
}

/// A value and its origin. In a mapping, the origin is the line of the key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) kind: NodeKind,
}

/// A value of YAML's core schema. A mapping keeps its order and its duplicates.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeKind {
    Null,
    Bool(bool),
    Integer(i128),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// A value that is not given.
    pub(super) const UNSET: Self = Self {
        origin: Origin::Unset,
        kind: NodeKind::Null,
    };

    /// A value that a flag gave.
    pub(super) fn of_flag(flag: &'static str, kind: NodeKind) -> Self {
        Self {
            origin: Origin::Flag(flag),
            kind,
        }
    }

    /// The entry `name`, added if missing; `None` where the node is not a mapping.
    pub(super) fn entry_mut(&mut self, name: &str) -> Option<&mut Node> {
        if self.kind == NodeKind::Null {
            self.kind = NodeKind::Map(Vec::new());
        }
        let NodeKind::Map(entries) = &mut self.kind else {
            return None;
        };
        let at = entries.iter().position(|(key, _)| key == name);
        let at = at.unwrap_or_else(|| {
            entries.push((name.to_owned(), Node::UNSET));
            entries.len() - 1
        });
        Some(&mut entries[at].1)
    }

    /// How many values it has, itself and keys included.
    pub(super) fn size(&self) -> usize {
        1 + match &self.kind {
            NodeKind::List(items) => items.iter().map(Node::size).sum(),
            NodeKind::Map(entries) => entries.iter().map(|(_, node)| 1 + node.size()).sum(),
            _ => 0,
        }
    }
}

impl NodeKind {
    /// How a message names the value.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Integer(number) => format!("the number {number}"),
            Self::Number(number) => format!("the number {number}"),
            Self::Text(text) if text.is_empty() => "an empty text".to_owned(),
            // Users and passwords in URLs stay out of messages.
            Self::Text(text) if text.contains("://") && text.contains('@') => {
                "an address with a user in it".to_owned()
            }
            Self::Text(text) => format!("`{}`", excerpt(text)),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
        }
    }

    /// The key of a mapping that is written as this value.
    pub(super) fn into_key(self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => value,
            Self::List(_) => "[..]".to_owned(),
            Self::Map(_) => "{..}".to_owned(),
        }
    }
}
