//! A YAML document as it was read: shapes and their places, nothing judged yet.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

/// Where a value was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the file, as its n-th node; [`line_of`] finds the line.
    File(usize),
    /// By this flag.
    Flag(&'static str),
    /// Nowhere: a default, or something missing.
    Nowhere,
}

/// A value and where it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) shape: Shape,
}

/// A value as YAML knows them. A mapping keeps its order and its duplicates.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Nothing,
    Bool(bool),
    Integer(i128),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Reads a document; an empty one is [`Shape::Nothing`].
pub(super) fn parse(text: &str) -> Result<Node, serde_yaml::Error> {
    read(text, None)
}

/// Line of the n-th node, counted from 1.
///
/// `serde_yaml` tells places only with errors: the document is read once more up to that node.
pub(super) fn line_of(text: &str, node: usize) -> Option<usize> {
    let stopped = read(text, Some(node)).err()?;
    stopped.location().map(|location| location.line())
}

fn read(text: &str, stop_at: Option<usize>) -> Result<Node, serde_yaml::Error> {
    let reading = Reading {
        nodes: Cell::new(0),
        stop_at,
    };
    if text.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#')
    }) {
        return Ok(reading.next_node(Shape::Nothing));
    }
    reading.deserialize(serde_yaml::Deserializer::from_str(text))
}

/// Counts the nodes of a document while it is read.
struct Reading {
    nodes: Cell<usize>,
    stop_at: Option<usize>,
}

impl Reading {
    fn next_node(&self, shape: Shape) -> Node {
        let number = self.nodes.get();
        self.nodes.set(number + 1);
        Node {
            place: Place::File(number),
            shape,
        }
    }

    /// A node that ends the reading where it is the one looked for.
    fn node<E: Error>(&self, shape: Shape) -> Result<Node, E> {
        if self.stop_at == Some(self.nodes.get()) {
            return Err(E::custom("the node looked for"));
        }
        Ok(self.next_node(shape))
    }
}

impl<'de> DeserializeSeed<'de> for &Reading {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Reading {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.node(Shape::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.node(Shape::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.node(Shape::Integer(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.node(Shape::Integer(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        // Beyond any number wanted anywhere.
        self.node(Shape::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.node(Shape::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.node(Shape::Text(value.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.node(Shape::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.node(Shape::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut node = self.node(Shape::Nothing)?;
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self)? {
            items.push(item);
        }
        node.shape = Shape::List(items);
        Ok(node)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Node, A::Error> {
        let mut node = self.node(Shape::Nothing)?;
        let mut entries = Vec::new();
        while let Some(key) = mapping.next_key_seed(self)? {
            let mut value = mapping.next_value_seed(self)?;
            // The key's line is the one to look at, also where its value starts further down.
            value.place = key.place;
            entries.push((key.shape.as_key(), value));
        }
        node.shape = Shape::Map(entries);
        Ok(node)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(A::Error::custom("YAML tags (`!..`) have no meaning here"))
    }
}

impl Node {
    /// What is not given.
    pub(super) const NOWHERE: Self = Self {
        place: Place::Nowhere,
        shape: Shape::Nothing,
    };

    /// A value that a flag gave.
    pub(super) fn of_flag(flag: &'static str, shape: Shape) -> Self {
        Self {
            place: Place::Flag(flag),
            shape,
        }
    }

    /// The entry `name`, made if missing; `None` in what is no mapping, to be refused as such.
    pub(super) fn entry_mut(&mut self, name: &str) -> Option<&mut Node> {
        if self.shape == Shape::Nothing {
            self.shape = Shape::Map(Vec::new());
        }
        let Shape::Map(entries) = &mut self.shape else {
            return None;
        };
        let at = entries.iter().position(|(key, _)| key == name);
        let at = at.unwrap_or_else(|| {
            entries.push((name.to_owned(), Node::NOWHERE));
            entries.len() - 1
        });
        Some(&mut entries[at].1)
    }
}

impl Shape {
    fn as_key(&self) -> String {
        match self {
            Self::Nothing => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => value.clone(),
            Self::List(_) => "[..]".to_owned(),
            Self::Map(_) => "{..}".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line_of_entry(text: &str, path: &[usize]) -> Option<usize> {
        let mut node = &parse(text).unwrap();
        for step in path {
            node = match &node.shape {
                Shape::Map(entries) => &entries[*step].1,
                Shape::List(items) => &items[*step],
                other => panic!("{other:?} has no entries"),
            };
        }
        let Place::File(number) = node.place else {
            panic!("{:?}", node.place)
        };
        line_of(text, number)
    }

    #[test]
    fn each_value_knows_the_line_of_its_key() {
        let text = "a: 1\n\nb:\n  c:\n  - x\n  -\n    d: 2\n    d: 3\n# end\n";
        assert_eq!(line_of_entry(text, &[0]), Some(1));
        assert_eq!(line_of_entry(text, &[1]), Some(3));
        assert_eq!(line_of_entry(text, &[1, 0]), Some(4));
        assert_eq!(line_of_entry(text, &[1, 0, 0]), Some(5));
        assert_eq!(line_of_entry(text, &[1, 0, 1, 0]), Some(7));
        assert_eq!(line_of_entry(text, &[1, 0, 1, 1]), Some(8));
    }

    #[test]
    fn a_document_of_comments_is_nothing() {
        for text in ["", "\n", "# nothing\n  # yet", "---\n", "~"] {
            assert_eq!(parse(text).unwrap().shape, Shape::Nothing, "{text:?}");
        }
    }

    #[test]
    fn broken_yaml_has_a_line_and_a_column() {
        let error = parse("a:\n  b: [1, 2\nc: 3\n").unwrap_err();
        let location = error.location().unwrap();
        assert_eq!((location.line(), location.column()), (3, 2));
    }

    #[test]
    fn aliases_that_blow_up_are_refused() {
        let level = |n: usize| {
            let items = match n {
                0 => vec!["x".to_owned(); 9],
                _ => vec![format!("*a{}", n - 1); 9],
            };
            format!("a{n}: &a{n} [{}]", items.join(", "))
        };
        let text = (0..12).map(level).collect::<Vec<_>>().join("\n");
        let error = parse(&text).unwrap_err();
        assert_eq!(error.to_string(), "repetition limit exceeded");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-a:{}\\[\\]&*!|>'\"#%0-9., \n]{0,60}") {
            if let Ok(node) = parse(&text) {
                prop_assert!(matches!(node.place, Place::File(0)));
            }
        }
    }
}
