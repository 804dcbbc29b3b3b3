//! The form of the schema: types, fields with their costs, and functions that resolve them.

use std::borrow::Cow;

use super::arguments::Arguments;
use super::node::{Context, Data, Node, Page, Resolved};
use crate::entity::{Group, Job, Pipeline, Project, Schedule};

/// A type with fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Query,
    Project,
    Group,
    Pipeline,
    Job,
    Schedule,
    Stage,
    User,
    CurrentUser,
    Commit,
    Trace,
    Metadata,
    QueryComplexity,
    ProjectPermissions,
    PageInfo,
    Connection(&'static Type),
    Edge(&'static Type),
}

impl Type {
    /// GitLab's name of the type.
    pub(super) fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Query => "Query",
            Self::Project => "Project",
            Self::Group => "Group",
            Self::Pipeline => "Pipeline",
            Self::Job => "CiJob",
            Self::Schedule => "PipelineSchedule",
            Self::Stage => "CiStage",
            Self::User => "UserCore",
            Self::CurrentUser => "CurrentUser",
            Self::Commit => "Commit",
            Self::Trace => "CiJobTrace",
            Self::Metadata => "Metadata",
            Self::QueryComplexity => "QueryComplexity",
            Self::ProjectPermissions => "ProjectPermissions",
            Self::PageInfo => "PageInfo",
            Self::Connection(item) => return format!("{}Connection", item.name()).into(),
            Self::Edge(item) => return format!("{}Edge", item.name()).into(),
        })
    }

    /// Whether a fragment on a type or interface of this name applies.
    pub(super) fn is(self, name: &str) -> bool {
        let interface = match self {
            Self::Pipeline => "PipelineInterface",
            Self::Job => "CiJobInterface",
            Self::Project => "ProjectInterface",
            Self::User | Self::CurrentUser => "User",
            _ => return self.name() == name,
        };
        self.name() == name || interface == name
    }
}

/// What a field returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returns {
    /// A scalar or enum of this name.
    Scalar(&'static str),
    One(Type),
    List(Type),
    /// A connection, which is read page by page.
    Pages(&'static Type),
}

impl Returns {
    /// The type of the selections below the field; `None` for scalars.
    pub(super) fn below(self) -> Option<Type> {
        match self {
            Self::Scalar(_) => None,
            Self::One(one) | Self::List(one) => Some(one),
            Self::Pages(item) => Some(Type::Connection(item)),
        }
    }

    /// Name of the type in messages.
    pub(super) fn name(self) -> Cow<'static, str> {
        match self {
            Self::Scalar(name) => name.into(),
            Self::One(one) => one.name(),
            Self::List(item) => format!("[{}!]", item.name()).into(),
            Self::Pages(item) => Type::Connection(item).name(),
        }
    }
}

/// An argument of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    /// The type in GraphQL's notation: `[ID!]`.
    pub(super) kind: &'static str,
    /// What it adds to the score.
    pub(super) weight: i64,
}

/// An argument without weight.
pub(super) const fn argument(name: &'static str, kind: &'static str) -> Argument {
    weighing(name, kind, 0)
}

/// An argument that adds to the score.
pub(super) const fn weighing(name: &'static str, kind: &'static str, weight: i64) -> Argument {
    Argument { name, kind, weight }
}

/// The arguments of every connection.
pub(super) const PAGING: [Argument; 4] = [
    argument("first", "Int"),
    argument("last", "Int"),
    argument("after", "String"),
    argument("before", "String"),
];

/// What a field adds to the score of the fields below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// A field without resolver class.
    Plain(i64),
    /// A field with a resolver class: arguments add their weights, pages multiply.
    Resolver(i64),
}

/// A field of a type.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) returns: Returns,
    /// Arguments besides those of connections.
    pub(super) own_arguments: &'static [Argument],
    pub(super) cost: Cost,
    pub(super) resolve: Resolve,
}

/// A plain field.
pub(super) const fn plain(name: &'static str, returns: Returns, resolve: Resolve) -> Field {
    Field {
        name,
        returns,
        own_arguments: &[],
        cost: Cost::Plain(1),
        resolve,
    }
}

/// A plain field of a scalar type.
pub(super) const fn scalar(name: &'static str, kind: &'static str, resolve: Resolve) -> Field {
    plain(name, Returns::Scalar(kind), resolve)
}

impl Field {
    /// The field with these arguments and this cost.
    pub(super) const fn with(mut self, own: &'static [Argument], cost: Cost) -> Self {
        self.own_arguments = own;
        self.cost = cost;
        self
    }

    /// The field, asking Gitaly.
    pub(super) const fn asking_gitaly(mut self) -> Self {
        self.cost = Cost::Plain(2);
        self
    }

    /// Every argument that the field accepts.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &'static Argument> + use<> {
        let pages = matches!(self.returns, Returns::Pages(_));
        let paging = pages.then_some(&PAGING).into_iter().flatten();
        self.own_arguments.iter().chain(paging)
    }
}

/// The function that resolves a field, by the type of its object.
#[derive(Clone, Copy)]
pub(super) enum Resolve {
    Query(for<'w> fn(Context<'w>, &Arguments) -> Resolved<'w>),
    Project(for<'w> fn(Context<'w>, &'w Project, &Arguments) -> Resolved<'w>),
    Group(for<'w> fn(Context<'w>, &'w Group, &Arguments) -> Resolved<'w>),
    Pipeline(for<'w> fn(Context<'w>, &'w Pipeline, &Arguments) -> Resolved<'w>),
    Job(for<'w> fn(Context<'w>, &'w Job, &Arguments) -> Resolved<'w>),
    Schedule(for<'w> fn(Context<'w>, &'w Schedule) -> Resolved<'w>),
    Page(for<'w> fn(&Page<'w>) -> Data<'w>),
    Edge(for<'w> fn(&Node<'w>) -> Data<'w>),
    /// The entry of an object that has the field's name.
    Entry,
    /// `__typename`.
    TypeName,
}

impl Field {
    /// Resolves the field of this object.
    pub(super) fn value<'w>(
        &self,
        context: Context<'w>,
        parent: Type,
        node: &Node<'w>,
        arguments: &Arguments,
    ) -> Resolved<'w> {
        match (self.resolve, node) {
            (Resolve::Query(resolve), Node::Query) => resolve(context, arguments),
            (Resolve::Project(resolve), Node::Project(it)) => resolve(context, it, arguments),
            (Resolve::Group(resolve), Node::Group(it)) => resolve(context, it, arguments),
            (Resolve::Pipeline(resolve), Node::Pipeline(it)) => resolve(context, it, arguments),
            (Resolve::Job(resolve), Node::Job(it)) => resolve(context, it, arguments),
            (Resolve::Schedule(resolve), Node::Schedule(it)) => resolve(context, it),
            (Resolve::Page(resolve), Node::Page(page)) => Ok(resolve(page)),
            (Resolve::Edge(resolve), Node::Edge(node)) => Ok(resolve(node)),
            (Resolve::Entry, Node::Object(object)) => {
                let entry = object.get(self.name).cloned();
                Ok(Data::Value(entry.unwrap_or_default()))
            }
            (Resolve::TypeName, _) => Ok(parent.name().into_owned().into()),
            _ => Ok(Data::NULL),
        }
    }
}
