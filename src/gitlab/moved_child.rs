//! Child pipelines in an answer about pipelines that moved.

use ci_history::{Status, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::graphql_scalars::{number, time};

/// The source of a child pipeline.
const CHILD: &str = "parent_pipeline";

/// A child pipeline that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedChild {
    /// Its id.
    pub id: u64,
    /// The pipeline that it belongs to, which is no child.
    pub root: u64,
    /// Its status.
    pub status: Status,
    /// When it moved.
    pub updated_at: Timestamp,
}

#[derive(Deserialize)]
struct ChildPage {
    nodes: Vec<ChildNode>,
}

#[derive(Deserialize)]
struct ChildNode {
    id: String,
    status: String,
    updated_at: String,
    /// Null where the token may not see it.
    upstream: Option<ParentNode>,
}

#[derive(Deserialize)]
struct ParentNode {
    id: String,
    source: Option<String>,
    upstream: Option<RootNode>,
}

#[derive(Deserialize)]
struct RootNode {
    id: String,
}

/// The child pipelines of a page. What is not as documented is left out: a listing by REST has none of them either.
pub(super) fn moved_children(page: &RawValue) -> Vec<MovedChild> {
    let page: Option<ChildPage> = serde_json::from_str(page.get()).ok();
    let nodes = page.map_or_else(Vec::new, |page| page.nodes);
    nodes.into_iter().filter_map(ChildNode::moved).collect()
}

impl ChildNode {
    /// GitLab allows two levels of children.
    fn moved(self) -> Option<MovedChild> {
        let parent = self.upstream?;
        let root = match parent.upstream {
            Some(root) if parent.source.as_deref() == Some(CHILD) => root.id,
            _ => parent.id,
        };
        Some(MovedChild {
            id: number(&self.id, "Ci::Pipeline")?,
            root: number(&root, "Ci::Pipeline")?,
            status: Status::parse(&self.status.to_ascii_lowercase()),
            updated_at: time(&self.updated_at)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_told_with_the_pipeline_that_it_belongs_to() {
        let child = |id: u64, parent: &str| {
            format!(
                r#"{{"id":"gid://gitlab/Ci::Pipeline/{id}","status":"RUNNING","updated_at":"2026-01-05T10:04:40Z","upstream":{parent}}}"#
            )
        };
        let up = |id: u64, source: &str, of: &str| {
            format!(
                r#"{{"id":"gid://gitlab/Ci::Pipeline/{id}","source":"{source}","upstream":{of}}}"#
            )
        };
        let other = r#"{"id":"gid://gitlab/Ci::Pipeline/1"}"#;
        let children = [
            child(9, &up(2, "push", "null")),
            child(
                8,
                &up(
                    9,
                    "parent_pipeline",
                    r#"{"id":"gid://gitlab/Ci::Pipeline/2"}"#,
                ),
            ),
            // Another project started the parent.
            child(7, &up(3, "pipeline", other)),
            child(6, "null"),
        ];
        let page = format!(r#"{{"nodes":[{}]}}"#, children.join(","));
        let page: Box<RawValue> = serde_json::from_str(&page).unwrap();
        let moved = moved_children(&page);
        let roots: Vec<_> = moved.iter().map(|child| (child.id, child.root)).collect();
        assert_eq!(roots, [(9, 2), (8, 2), (7, 3)]);
    }
}
