//! Pages of connections, with cursors.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::arguments::Arguments;
use super::node::{Context, Failure, Node, Page};

/// GitLab's default and maximum size of a page.
pub(super) const MAX_PAGE: usize = 100;

/// Cuts the page that the arguments ask for, and only then drops the rows that the user may not see.
pub(super) fn cut<'w>(
    context: Context<'_>,
    all: &[Node<'w>],
    arguments: &Arguments,
) -> Result<Page<'w>, Failure> {
    let (first, last) = (size(arguments, "first"), size(arguments, "last"));
    if first.is_some() && last.is_some() {
        let message = "Can only provide either `first` or `last`, not both";
        return Err(Failure::Field(message.to_owned()));
    }
    let after = cursor(arguments, "after")?;
    let before = cursor(arguments, "before")?;
    let mut rows = between(all, after, before).to_vec();
    let found = rows.len();
    let (has_next, has_previous) = if let Some(last) = last {
        rows.drain(..found.saturating_sub(last));
        (before.is_some(), found > last)
    } else {
        let size = first.unwrap_or(MAX_PAGE);
        rows.truncate(size);
        (before.is_some() || found > size, after.is_some())
    };
    check_size(context, &rows)?;
    rows.retain(|row| is_visible(context, row));
    Ok(Page {
        rows,
        has_next,
        has_previous,
        total: all.len(),
    })
}

/// The rows after and before the rows with these ids. Ids fall, so that rows that are gone leave their place.
fn between<'a, 'w>(all: &'a [Node<'w>], after: Option<u64>, before: Option<u64>) -> &'a [Node<'w>] {
    let start = after.map_or(0, |id| all.partition_point(|node| node.id() >= id));
    let end = before.map_or(all.len(), |id| all.partition_point(|node| node.id() > id));
    all.get(start..end).unwrap_or_default()
}

/// The object `pageInfo`.
pub(super) fn info(page: &Page<'_>) -> Value {
    json!({
        "hasNextPage": page.has_next,
        "hasPreviousPage": page.has_previous,
        "startCursor": page.rows.first().map(cursor_of),
        "endCursor": page.rows.last().map(cursor_of),
    })
}

/// Fails as GitLab does when a page has too many projects for its database.
fn check_size(context: Context<'_>, rows: &[Node<'_>]) -> Result<(), Failure> {
    let projects = rows.iter().filter(|row| matches!(row, Node::Project(_)));
    let projects = projects.count();
    match context.faults.largest_page {
        Some(largest) if projects > largest => Err(Failure::Statement),
        _ => Ok(()),
    }
}

fn is_visible(context: Context<'_>, node: &Node<'_>) -> bool {
    let project = match node {
        Node::Project(project) => project.id,
        Node::Pipeline(pipeline) => pipeline.project_id,
        _ => return true,
    };
    context.world.may_see(context.user, project)
}

fn size(arguments: &Arguments, name: &str) -> Option<usize> {
    let asked = arguments.number(name)?;
    Some(usize::try_from(asked).unwrap_or(0).min(MAX_PAGE))
}

/// The cursor of a row.
pub(super) fn cursor_of(node: &Node<'_>) -> String {
    URL_SAFE_NO_PAD.encode(json!({ "id": node.id().to_string() }).to_string())
}

/// The id in the cursor of an argument. An empty cursor counts as none.
fn cursor(arguments: &Arguments, name: &str) -> Result<Option<u64>, Failure> {
    let Some(text) = arguments.text(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let decoded = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let object: Option<Value> = decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let id = object.and_then(|object| object.get("id")?.as_str()?.parse().ok());
    let complaint = || Failure::Field("Please provide a valid cursor".to_owned());
    id.map(Some).ok_or_else(complaint)
}
