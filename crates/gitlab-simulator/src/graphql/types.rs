//! The table of types, fields and resolvers.

mod job;
mod pipeline;
mod project;
mod query;
mod schedule;
mod small;

use super::node::{Data, Node};
use super::page::{cursor_of, info};
use super::schema::{Cost, Field, Resolve, Returns, Type, plain};

/// The field of a type, if the schema has it.
pub(super) fn field(parent: Type, name: &str) -> Option<Field> {
    if name == "__typename" {
        let mut typename = plain("__typename", Returns::Scalar("String"), Resolve::TypeName);
        typename.cost = Cost::Plain(0);
        return Some(typename);
    }
    let paged = match parent {
        Type::Connection(item) => connection(item, name),
        Type::Edge(item) => edge(item, name),
        _ => None,
    };
    let mut known = fields(parent).iter();
    paged.or_else(|| known.find(|field| field.name == name).copied())
}

fn fields(parent: Type) -> &'static [Field] {
    match parent {
        Type::Query => query::FIELDS,
        Type::Project => project::FIELDS,
        Type::Group => project::GROUP_FIELDS,
        Type::Pipeline => pipeline::FIELDS,
        Type::Job => job::FIELDS,
        Type::Schedule => schedule::FIELDS,
        Type::Stage => small::STAGE,
        Type::User | Type::CurrentUser => small::USER,
        Type::Commit => small::COMMIT,
        Type::Trace => small::TRACE,
        Type::Metadata => small::METADATA,
        Type::QueryComplexity => small::QUERY_COMPLEXITY,
        Type::ProjectPermissions => small::PROJECT_PERMISSIONS,
        Type::PageInfo => small::PAGE_INFO,
        Type::Connection(_) | Type::Edge(_) => &[],
    }
}

fn connection(item: &'static Type, name: &str) -> Option<Field> {
    let rows = Resolve::Page(|page| Data::Nodes(page.rows.clone()));
    Some(match name {
        "nodes" => plain("nodes", Returns::List(*item), rows),
        "edges" => plain("edges", Returns::List(Type::Edge(item)), rows_as_edges()),
        "pageInfo" => plain(
            "pageInfo",
            Returns::One(Type::PageInfo),
            Resolve::Page(|page| Data::Node(Node::Object(info(page).into()))),
        ),
        "count" => plain(
            "count",
            Returns::Scalar("Int"),
            Resolve::Page(|page| page.total.into()),
        ),
        _ => return None,
    })
}

fn rows_as_edges() -> Resolve {
    Resolve::Page(|page| {
        let rows = page.rows.iter().cloned();
        Data::Nodes(rows.map(|row| Node::Edge(Box::new(row))).collect())
    })
}

fn edge(item: &'static Type, name: &str) -> Option<Field> {
    Some(match name {
        "node" => plain(
            "node",
            Returns::One(*item),
            Resolve::Edge(|node| Data::Node(node.clone())),
        ),
        "cursor" => plain(
            "cursor",
            Returns::Scalar("String"),
            Resolve::Edge(|node| cursor_of(node).into()),
        ),
        _ => return None,
    })
}
