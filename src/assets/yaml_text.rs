//! YAML as text with the places of its nodes, so that an edit keeps comments and everything else.

use anyhow::{Context as _, bail};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

/// A node with its place in the text.
#[derive(Debug)]
pub(super) struct Node {
    /// Byte of its first character.
    pub(super) start: usize,
    /// Byte after a scalar. Of other nodes only the start is known.
    end: usize,
    /// Spaces before it in its line, or the characters before it.
    pub(super) column: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Reads the first document.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut bytes: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
        bytes.push(text.len());
        let mut reader = Reader {
            text,
            parser: Parser::new_from_str(text),
            bytes,
        };
        loop {
            let (event, span) = reader.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) => {}
                Event::StreamEnd => bail!("the text is empty"),
                event => return reader.node(event, span),
            }
        }
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let entry = self
            .entries()
            .iter()
            .find(|(name, _)| name.text() == Some(key));
        entry.map(|(_, value)| value)
    }

    /// The entries of a mapping; none for other nodes.
    pub(super) fn entries(&self) -> &[(Self, Self)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of the list below a key; none for other nodes.
    pub(super) fn items(&self, key: &str) -> &[Self] {
        match self.get(key).map(|node| &node.kind) {
            Some(Kind::List(items)) => items,
            _ => &[],
        }
    }

    /// The rules of all groups, if this is a rule file.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Self> {
        self.items("groups")
            .iter()
            .flat_map(|group| group.items("rules"))
    }
}

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// Where each character begins: the parser counts characters.
    bytes: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> anyhow::Result<(Event<'a>, Span)> {
        let next = self
            .parser
            .next_event()
            .context("the text ends too early")?;
        Ok(next?)
    }

    fn byte(&self, character: usize) -> usize {
        let last = self.bytes.last().copied().unwrap_or_default();
        self.bytes.get(character).copied().unwrap_or(last)
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> anyhow::Result<Node> {
        let start = self.byte(span.start.index());
        let mut end = self.byte(span.end.index());
        let kind = match event {
            Event::Scalar(text, style, ..) => {
                end = self.scalar_end(start, style, &text).unwrap_or(end);
                Kind::Scalar(text.into_owned())
            }
            Event::SequenceStart(..) => Kind::List(self.list()?),
            Event::MappingStart(..) => Kind::Map(self.map()?),
            other => bail!("line {}: unexpected {other:?}", span.start.line()),
        };
        Ok(Node {
            start,
            end,
            column: span.start.col(),
            kind,
        })
    }

    /// The parser's end of a scalar lies behind the comment after it. `None` if only the parser knows the end.
    fn scalar_end(&self, start: usize, style: ScalarStyle, value: &str) -> Option<usize> {
        let written = &self.text[start..];
        let length = match style {
            ScalarStyle::Plain => written.starts_with(value).then_some(value.len())?,
            ScalarStyle::SingleQuoted => value.replace('\'', "''").len() + 2,
            ScalarStyle::DoubleQuoted => {
                let mut is_escaped = false;
                let closing = written.char_indices().skip(1).find(|(_, c)| {
                    let closes = *c == '"' && !is_escaped;
                    is_escaped = *c == '\\' && !is_escaped;
                    closes
                });
                closing?.0 + 1
            }
            ScalarStyle::Literal | ScalarStyle::Folded => return None,
        };
        Some(start + length)
    }

    fn list(&mut self) -> anyhow::Result<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn map(&mut self) -> anyhow::Result<Vec<(Node, Node)>> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.node(event, span)?;
            let (event, span) = self.next()?;
            entries.push((key, self.node(event, span)?));
        }
    }
}

/// Changes to a text, by places of the unchanged text.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<(usize, usize, String)>);

impl Edits {
    pub(super) fn replace(&mut self, node: &Node, text: String) {
        self.0.push((node.start, node.end, text));
    }

    pub(super) fn insert(&mut self, at: usize, text: String) {
        self.0.push((at, at, text));
    }

    pub(super) fn apply(mut self, text: &str) -> String {
        self.0.sort();
        let mut edited = String::with_capacity(text.len());
        let mut done = 0;
        for (start, end, new) in self.0 {
            edited.push_str(&text[done..start]);
            edited.push_str(&new);
            done = end;
        }
        edited.push_str(&text[done..]);
        edited
    }
}

/// A text as a double-quoted scalar of YAML, which a string of JSON is.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_changes_a_value_and_keeps_comments_and_umlauts() {
        let text = "# Überschrift – für alle\na: 'x''' # kept\nb:\n  - {c: 1}\nd: \"\\\"\" #\n";
        let root = Node::parse(text).unwrap();
        let mut edits = Edits::default();
        edits.replace(root.items("b")[0].get("c").unwrap(), "2".to_owned());
        edits.replace(root.get("a").unwrap(), quoted("y\"z"));
        edits.replace(root.get("d").unwrap(), "e".to_owned());
        edits.insert(root.entries()[1].0.start, "n: 0\n".to_owned());
        assert_eq!(
            edits.apply(text),
            "# Überschrift – für alle\na: \"y\\\"z\" # kept\nn: 0\nb:\n  - {c: 2}\nd: e #\n"
        );
    }
}
