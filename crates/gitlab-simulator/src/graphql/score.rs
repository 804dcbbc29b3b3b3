//! Score, depth and recursion of a query, by GitLab's rules.

use std::collections::BTreeMap;

use super::page::MAX_PAGE;
use super::schema::{Cost, Returns};
use super::selection::Selected;

/// GitLab's limit of the depth for a user who is signed in.
const MAX_DEPTH: usize = 20;
/// How often GitLab lets a field be within itself.
const MAX_RECURSION: usize = 2;
/// Fields that may be within themselves.
const WITHOUT_RECURSION: [&str; 3] = ["node", "nodes", "edges"];

/// The score of these fields.
pub(super) fn score(fields: &[Selected]) -> i64 {
    fields.iter().map(field_score).sum()
}

fn field_score(selected: &Selected) -> i64 {
    let below = score(&selected.below);
    let own = match selected.field.cost {
        Cost::Plain(own) => return own + below,
        Cost::Resolver(own) => own,
    };
    let asked = selected.field.arguments();
    let asked = asked.filter(|argument| selected.arguments.has(argument.name));
    let sum = below + own + asked.map(|argument| argument.weight).sum::<i64>();
    match selected.field.returns {
        Returns::Pages(_) => sum * (100 + rows(selected)) / 100,
        _ => sum,
    }
}

/// The rows that a connection may return.
fn rows(selected: &Selected) -> i64 {
    let sizes = ["first", "last"].map(|name| selected.arguments.number(name));
    let page = i64::try_from(MAX_PAGE).unwrap_or(i64::MAX);
    sizes.into_iter().flatten().fold(page, i64::min).max(0)
}

/// The depth of these fields.
pub(super) fn depth(fields: &[Selected]) -> usize {
    let below = fields.iter().map(|selected| depth(&selected.below) + 1);
    below.max().unwrap_or(0)
}

/// GitLab's complaints about a query that is too deep, too complex, or within itself too often. `total` is the
/// score of the whole request.
pub(super) fn refusals(fields: &[Selected], total: i64, max_score: u32) -> Vec<String> {
    let mut messages = Vec::new();
    if total > i64::from(max_score) {
        messages.push(format!(
            "Query has complexity of {total}, which exceeds max complexity of {max_score}"
        ));
    }
    let depth = depth(fields);
    if depth > MAX_DEPTH {
        messages.push(format!(
            "Query has depth of {depth}, which exceeds max depth of {MAX_DEPTH}"
        ));
    }
    let mut deepest = BTreeMap::new();
    recursion(fields, &mut BTreeMap::new(), &mut deepest);
    deepest.retain(|_, times| *times > MAX_RECURSION);
    if !deepest.is_empty() {
        let pairs: Vec<String> = deepest
            .iter()
            .map(|(name, times)| format!("\"{name}\"=>{times}"))
            .collect();
        messages.push(format!(
            "Recursive query - too many of fields '{{{}}}' detected\nin single branch of the query\")\n",
            pairs.join(", ")
        ));
    }
    messages
}

/// Finds how often each field is within itself at most.
fn recursion<'a>(
    fields: &'a [Selected],
    open: &mut BTreeMap<&'a str, usize>,
    deepest: &mut BTreeMap<&'a str, usize>,
) {
    for selected in fields {
        let name = selected.field.name;
        if selected.below.is_empty() || WITHOUT_RECURSION.contains(&name) {
            recursion(&selected.below, open, deepest);
            continue;
        }
        let times = open.entry(name).or_default();
        *times += 1;
        let most = deepest.entry(name).or_default();
        *most = (*most).max(*times);
        recursion(&selected.below, open, deepest);
        if let Some(times) = open.get_mut(name) {
            *times -= 1;
        }
    }
}
