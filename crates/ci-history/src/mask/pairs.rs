//! Secrets beside their names: `name:` and `value:` of YAML and JSON, and the cells of tables.

use std::ops::Range;

use super::names::{Telling, telling};
use super::spans::Spans;
use super::{assignments, entropy, values};

/// Keys whose value may be the name of a secret.
const NAMES: &[&str] = &[
    "name",
    "key",
    "variable",
    "var",
    "option",
    "parameterkey",
    "parametername",
    "envvar",
    "field",
    "attribute",
];

/// Keys whose value belongs to that name.
const VALUES: &[&str] = &[
    "value",
    "parametervalue",
    "content",
    "val",
    "default",
    "defaultvalue",
    "data",
];

/// Bytes between a name and its value, in which other keys may stand.
const FARTHEST: usize = 400;

/// Adds the values of pairs and of table rows.
pub(super) fn find(text: &str, spans: &mut Spans) {
    let mut told: Option<Range<usize>> = None;
    for key in assignments::names(text) {
        let is_one_of = |keys: &[&str]| {
            keys.iter()
                .any(|it| text[key.clone()].eq_ignore_ascii_case(it))
        };
        if key.len() > 14 || !is_one_of(NAMES) && !is_one_of(VALUES) {
            continue;
        }
        let Some(value) = values::value_of(text, key.end) else {
            continue;
        };
        let near = told.as_ref().filter(|name| {
            let distance = key.start.checked_sub(name.end);
            distance.is_some_and(|bytes| bytes <= FARTHEST)
        });
        if let Some(name) = near.filter(|_| is_one_of(VALUES)) {
            add(text, unquoted(&text[name.clone()]), value, spans);
        } else if is_one_of(NAMES) {
            told = Some(value);
        }
    }
    let mut start = 0;
    for line in text.split('\n') {
        for (name, value) in cells(text, start..start + line.len()) {
            let is_head = text[value.clone()]
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            if !is_head {
                add(text, &text[name], value, spans);
            }
        }
        start += line.len() + 1;
    }
}

fn unquoted(name: &str) -> &str {
    name.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

fn add(text: &str, name: &str, value: Range<usize>, spans: &mut Spans) {
    let content = String::from_utf8_lossy(&text.as_bytes()[value.clone()]).into_owned();
    if telling(name).is_some_and(|telling| assignments::is_secret(&content, name, telling)) {
        spans.add(value);
    }
}

/// Neighbouring cells of a line, where the first may be a name: separated by `|`, a tab or several blanks.
fn cells(text: &str, line: Range<usize>) -> Vec<(Range<usize>, Range<usize>)> {
    let content = &text[line.clone()];
    let is_table = content.contains(['|', '\u{2502}', '\t']);
    if !is_table && !content.contains("  ") {
        return Vec::new();
    }
    let mut cells: Vec<Range<usize>> = Vec::new();
    let mut at = line.start;
    for cell in content.split(['|', '\u{2502}', '\t']) {
        let mut from = at;
        for part in cell.split("  ") {
            let trimmed = part.trim();
            if !trimmed.is_empty() {
                let begin = from + part.len() - part.trim_start().len();
                cells.push(begin..begin + trimmed.len());
            }
            from += part.len() + 2;
        }
        let separator = text[(at + cell.len()).min(text.len())..].chars().next();
        at += cell.len() + separator.map_or(0, char::len_utf8);
    }
    let pairs = cells
        .windows(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()));
    pairs
        .filter(|(name, value)| is_row(&text[name.clone()], &text[value.clone()], is_table))
        .collect()
}

/// Whether two cells are a name and its value. Between blanks alone, the value has to look like a secret.
fn is_row(name: &str, value: &str, is_table: bool) -> bool {
    let is_name = name.len() <= 60 && name.split(' ').count() <= 3;
    let is_word = !value.contains(' ');
    let is_sure = telling(name).is_some_and(|telling| telling >= Telling::Surely);
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let looks_secret =
        entropy::is_likely(value) || is_word && (has_digit || entropy::is_piece(value));
    value.len() >= 4 && is_name && is_sure && (is_table && is_word || looks_secret)
}
