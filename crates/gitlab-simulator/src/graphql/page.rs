//! Pages of connections, with cursors.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::arguments::Arguments;
use super::schema::{Context, Failure, Node};

/// GitLab's default and maximum size of a page.
pub(super) const MAX_PAGE: usize = 100;

/// One page of a connection.
#[derive(Debug, Clone)]
pub(super) struct Page<'w> {
    /// The rows that the user may see.
    pub(super) rows: Vec<Node<'w>>,
    pub(super) has_next: bool,
    pub(super) has_previous: bool,
    /// Number of rows of all pages.
    pub(super) total: usize,
}

impl<'w> Page<'w> {
    /// Cuts the page that the arguments ask for, and only then drops the rows that the user may not see.
    pub(super) fn cut(
        context: Context<'_>,
        all: &[Node<'w>],
        arguments: &Arguments,
    ) -> Result<Self, Failure> {
        let total = all.len();
        let (first, last) = (size(arguments, "first"), size(arguments, "last"));
        if first.is_some() && last.is_some() {
            let message = "Can only provide either `first` or `last`, not both";
            return Err(Failure::Field(message.to_owned()));
        }
        let (from, to) = (cursor(arguments, "after")?, cursor(arguments, "before")?);
        let position = |id: u64| all.iter().position(|node| node.id() == id);
        // A row that is gone leaves its place in the order of ids, which falls.
        let place = |id: u64| all.iter().take_while(|node| node.id() > id).count();
        let start = from.map_or(0, |id| position(id).map_or_else(|| place(id), |at| at + 1));
        let end = to.map_or(total, |id| position(id).unwrap_or_else(|| place(id)));
        let mut rows: Vec<Node<'w>> = all
            .get(start..end.max(start))
            .map(<[Node<'w>]>::to_vec)
            .unwrap_or_default();
        let found = rows.len();
        let (has_next, has_previous) = if let Some(last) = last {
            rows.drain(..found.saturating_sub(last));
            (to.is_some(), found > last)
        } else {
            let size = first.unwrap_or(MAX_PAGE);
            rows.truncate(size);
            (to.is_some() || found > size, from.is_some())
        };
        check_size(context, &rows)?;
        rows.retain(|row| is_visible(context, row));
        Ok(Self {
            rows,
            has_next,
            has_previous,
            total,
        })
    }

    /// The object `pageInfo`.
    pub(super) fn info(&self) -> Value {
        json!({
            "hasNextPage": self.has_next,
            "hasPreviousPage": self.has_previous,
            "startCursor": self.rows.first().map(cursor_of),
            "endCursor": self.rows.last().map(cursor_of),
        })
    }
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
