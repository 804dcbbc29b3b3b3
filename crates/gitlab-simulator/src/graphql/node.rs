//! Objects and values of an answer, and what a query runs in.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::Value;

use crate::entity::{Group, Job, Pipeline, Project, Schedule};
use crate::graphql_faults::GraphqlFaults;
use crate::world::World;

/// What a query runs in.
#[derive(Clone, Copy)]
pub(super) struct Context<'w> {
    pub(super) world: &'w World,
    /// Id of the token's user.
    pub(super) user: u64,
    pub(super) faults: &'w GraphqlFaults,
    /// Score of the request.
    pub(super) score: i64,
    /// Projects whose jobs were asked for so far.
    pub(super) job_lists: &'w Cell<usize>,
    /// Pipelines whose jobs were asked for so far.
    pub(super) pipelines: &'w Cell<usize>,
    /// Projects whose schedules were asked for so far.
    pub(super) schedule_lists: &'w Cell<usize>,
}

/// An object of the answer.
#[derive(Debug, Clone)]
pub(super) enum Node<'w> {
    Query,
    Project(&'w Project),
    Group(&'w Group),
    Pipeline(&'w Pipeline),
    Job(&'w Job),
    Schedule(&'w Schedule),
    /// An object whose fields are known already.
    Object(Rc<Value>),
    Page(Rc<Page<'w>>),
    Edge(Box<Node<'w>>),
}

impl Node<'_> {
    /// The number that cursors contain.
    pub(super) fn id(&self) -> u64 {
        match self {
            Self::Project(project) => project.id,
            Self::Group(group) => group.id,
            Self::Pipeline(pipeline) => pipeline.id,
            Self::Job(job) => job.id,
            Self::Schedule(schedule) => schedule.id,
            Self::Edge(node) => node.id(),
            Self::Query | Self::Object(_) | Self::Page(_) => 0,
        }
    }
}

/// The value of a field.
#[derive(Debug, Clone)]
pub(super) enum Data<'w> {
    Value(Value),
    Node(Node<'w>),
    /// The items of a list, or all rows of a connection.
    Nodes(Vec<Node<'w>>),
}

impl Data<'_> {
    pub(super) const NULL: Self = Self::Value(Value::Null);
}

impl<T: Into<Value>> From<T> for Data<'_> {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

/// An object, or null.
pub(super) fn nullable<'w, T>(found: Option<T>, node: impl FnOnce(T) -> Node<'w>) -> Data<'w> {
    found.map_or(Data::NULL, |found| Data::Node(node(found)))
}

/// The value of a field, or the message why there is none.
pub(super) type Resolved<'w> = Result<Data<'w>, Failure>;

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// This field is null, and the answer has an error with this message.
    Field(String),
    /// The database gave up: there is no answer at all.
    Statement,
}

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
