//! Reads YAML into nodes with their lines, within bounds of depth and size.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::node::{Node, NodeKind, Origin};

/// Lists and mappings inside each other; the keys need five.
const MAX_DEPTH: usize = 64;

/// Values of a document, with each alias expanded. A file of the largest size has fewer without aliases.
const MAX_NODES: usize = 500_000;

/// Why a text cannot be read as a configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct YamlError {
    pub(super) message: String,
    /// Counted from 1, like the column.
    pub(super) line: usize,
    pub(super) column: usize,
}

/// Reads one document; an empty text is [`NodeKind::Null`].
pub(super) fn parse(text: &str) -> Result<Node, YamlError> {
    let composer = Composer {
        text,
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    composer.document()
}

struct Composer<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Composer<'a> {
    fn document(mut self) -> Result<Node, YamlError> {
        let root = loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                (Event::StreamEnd, _) => return Ok(Node::UNSET),
                (event, span) => break self.node(event, span, 0)?,
            }
        };
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(root),
                (_, span) => {
                    return Err(refused(
                        span.start,
                        "a second YAML document begins here (`---`), wanted one; \
                         join them, or give each exporter a file of its own",
                    ));
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        let next = self.parser.next_event();
        next.unwrap_or(Ok((Event::StreamEnd, Span::default())))
            .map_err(|error| invalid(self.text, &error))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let start = span.start;
        self.count(1, start)?;
        if depth > MAX_DEPTH {
            let message = format!("lists and mappings are nested more than {MAX_DEPTH} deep");
            return Err(refused(start, &message));
        }
        let (anchor, kind) = match event {
            Event::Alias(anchor) => (0, self.alias(anchor, start)?),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !is_text(tag.as_deref(), start)?;
                (
                    anchor,
                    if plain {
                        scalar(&text)
                    } else {
                        NodeKind::Text(text.into_owned())
                    },
                )
            }
            Event::SequenceStart(anchor, tag) => {
                is_text(tag.as_deref(), start)?;
                (anchor, self.list(depth + 1)?)
            }
            Event::MappingStart(anchor, tag) => {
                is_text(tag.as_deref(), start)?;
                (anchor, self.map(depth + 1)?)
            }
            _ => return Err(refused(start, "a value is missing")),
        };
        let node = Node {
            origin: Origin::Line(start.line()),
            kind,
        };
        if anchor > 0 {
            self.count(node.size(), start)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, at: Marker) -> Result<NodeKind, YamlError> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(refused(
                at,
                "an alias (`*..`) stands inside of its own anchor",
            ));
        };
        let node = node.clone();
        self.count(node.size(), at)?;
        Ok(node.kind)
    }

    /// Counts before anything is cloned without bound: aliases of aliases grow exponentially.
    fn count(&mut self, nodes: usize, at: Marker) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let message = format!("aliases (`*..`) expand to more than {MAX_NODES} values");
            return Err(refused(at, &message));
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<NodeKind, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(NodeKind::List(items)),
                (event, span) => items.push(self.node(event, span, depth)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<NodeKind, YamlError> {
        let mut entries = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let is_merge = is_merge_key(&event);
            let key = self.node(event, span, depth)?;
            let (event, value_span) = self.next()?;
            let mut value = self.node(event, value_span, depth)?;
            if is_merge {
                merge(value.kind, span.start, &mut merged)?;
            } else {
                // The line of the key is the one to look at, also where its value starts further down.
                value.origin = key.origin;
                entries.push((key.kind.into_key(), value));
            }
        }
        let mut names: HashSet<String> = entries.iter().map(|(name, _)| name.clone()).collect();
        merged.retain(|(name, _)| names.insert(name.clone()));
        entries.append(&mut merged);
        Ok(NodeKind::Map(entries))
    }
}

fn is_merge_key(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<")
}

/// The entries of a merge key's value. Of several mappings, the first that has a key wins.
fn merge(value: NodeKind, at: Marker, merged: &mut Vec<(String, Node)>) -> Result<(), YamlError> {
    match value {
        NodeKind::Map(entries) => merged.extend(entries),
        NodeKind::List(items)
            if items
                .iter()
                .all(|item| matches!(item.kind, NodeKind::Map(_))) =>
        {
            for item in items {
                merge(item.kind, at, merged)?;
            }
        }
        other => {
            let found = other.found();
            let message = format!("`<<` merges {found}, wanted a mapping or a list of mappings");
            return Err(refused(at, &message));
        }
    }
    Ok(())
}

/// Whether a tag says `!!str`. Other tags of YAML itself change nothing here; an application's are refused.
fn is_text(tag: Option<&Tag>, at: Marker) -> Result<bool, YamlError> {
    match tag {
        None => Ok(false),
        Some(tag) if tag.is_yaml_core_schema() => Ok(tag.suffix == "str"),
        Some(_) => Err(refused(at, "YAML tags (`!..`) have no meaning here")),
    }
}

/// A plain scalar by YAML 1.2's core schema, without `.inf` and `.nan`, which no key takes.
fn scalar(text: &str) -> NodeKind {
    let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeKind::Null,
        "true" | "True" | "TRUE" => return NodeKind::Bool(true),
        "false" | "False" | "FALSE" => return NodeKind::Bool(false),
        _ => {}
    }
    let radix = [("0x", 16), ("0o", 8)]
        .into_iter()
        .find_map(|(prefix, radix)| i128::from_str_radix(text.strip_prefix(prefix)?, radix).ok());
    if let Some(number) = radix.or_else(|| text.parse().ok()) {
        return NodeKind::Integer(number);
    }
    let unsigned = text.trim_start_matches(['+', '-']);
    let is_decimal = digits(unsigned) || unsigned.strip_prefix('.').is_some_and(digits);
    match text.parse() {
        Ok(number) if is_decimal => NodeKind::Number(number),
        _ => NodeKind::Text(text.to_owned()),
    }
}

fn refused(at: Marker, message: &str) -> YamlError {
    YamlError {
        message: message.to_owned(),
        line: at.line(),
        column: at.col() + 1,
    }
}

/// The parser's error, with the bracket that is open where it happened: the cause of most of them.
fn invalid(text: &str, error: &ScanError) -> YamlError {
    let at = *error.marker();
    let hint = open_bracket(text, at.index())
        .map(|(bracket, line)| format!(" (is the `{bracket}` on line {line} closed?)"));
    let hint = hint.unwrap_or_default();
    refused(at, &format!("not valid YAML: {}{hint}", error.info()))
}

/// The innermost `[` or `{` of the first characters that is not closed, and its line.
fn open_bracket(text: &str, characters: usize) -> Option<(char, usize)> {
    let (mut open, mut quote, mut line) = (Vec::new(), None, 1);
    let mut before = ' ';
    let mut chars = text.chars().take(characters);
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\n', _) => line += 1,
            (_, Some(opened)) => quote = Some(opened).filter(|opened| *opened != c),
            ('#', None) if before.is_whitespace() => {
                line += usize::from(chars.by_ref().any(|c| c == '\n'));
                before = '\n';
                continue;
            }
            // Inside of a plain text these are characters as any other.
            ('"' | '\'', None) if !before.is_alphanumeric() => quote = Some(c),
            ('[' | '{', None) if !before.is_alphanumeric() => open.push((c, line)),
            (']' | '}', None) => drop(open.pop()),
            _ => {}
        }
        before = c;
    }
    open.pop()
}

#[cfg(test)]
mod tests;
