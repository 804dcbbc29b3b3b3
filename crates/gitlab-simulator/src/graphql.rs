//! `POST /api/graphql`: GitLab's GraphQL for reading pipelines, jobs and schedules.
//!
//! | step | file |
//! | --- | --- |
//! | body, batch, limit of the text | `request` |
//! | document, variables, literals | `document` |
//! | fields, arguments and fragments against the schema | `selection`, `scalars`, `complaint` |
//! | score, depth, recursion | `score` |
//! | resolvers, pages, errors of single fields | `execution`, `node`, `page`, `gid`, `values`, `arguments` |
//! | types, fields, costs, resolvers | `schema`, `types` |

mod arguments;
mod complaint;
mod document;
mod execution;
mod gid;
mod node;
mod page;
mod request;
mod scalars;
mod schema;
mod score;
mod selection;
mod types;
mod values;

use std::cell::Cell;

use http::StatusCode;
use serde_json::{Value, json};

use self::execution::{Execution, StatementTimeout};
use self::node::{Context, Node};
use self::request::{Operation, Operations, Unreadable};
use self::selection::Selected;
use super::graphql_faults::GraphqlFaults;
use super::reply::Reply;
use super::world::World;

/// The endpoint that counts requests for GraphQL.
pub(super) const ENDPOINT: &str = "graphql";

/// What GitLab spent on one request for GraphQL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueryCost {
    /// Score of all its queries.
    pub score: i64,
    /// Depth of its deepest query.
    pub depth: usize,
    /// Rows on all pages of its answer.
    pub rows: usize,
}

/// A query after its validation: the selected fields, or errors.
type Validated = Result<Vec<Selected>, Vec<Value>>;

/// Answers a request of this user.
pub(super) fn answer(
    world: &World,
    user: u64,
    body: &[u8],
    faults: &GraphqlFaults,
) -> (Reply, QueryCost) {
    let nothing = QueryCost::default();
    let operations = match Operations::read(body) {
        Ok(operations) => operations,
        Err(Unreadable::Body) => {
            let message = "There was a problem in the JSON you submitted";
            return (
                Reply::graphql_error(StatusCode::BAD_REQUEST, message),
                nothing,
            );
        }
        Err(Unreadable::Unprocessable(message)) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return (Reply::graphql_error(status, &message), nothing);
        }
    };
    let all = operations.all.iter();
    let validated: Vec<Validated> = all.map(|one| validate(one, faults)).collect();
    let readable = || validated.iter().flatten();
    let score = readable().map(|fields| score::score(fields)).sum();
    let depth = readable().map(|fields| score::depth(fields)).max();
    let [job_lists, schedule_lists, pipelines] = [const { Cell::new(0) }; 3];
    let context = Context {
        world,
        user,
        faults,
        score,
        job_lists: &job_lists,
        pipelines: &pipelines,
        schedule_lists: &schedule_lists,
    };
    let mut cost = QueryCost {
        score,
        depth: depth.unwrap_or(0),
        rows: 0,
    };
    let mut answers = Vec::new();
    for query in validated {
        match run(context, query, &mut cost) {
            Ok(answer) => answers.push(answer),
            Err(StatementTimeout) => return (Reply::statement_timeout(), cost),
        }
    }
    let content = if operations.batch {
        Value::Array(answers)
    } else {
        answers.pop().unwrap_or_default()
    };
    (Reply::ok(content), cost)
}

fn validate(operation: &Operation, faults: &GraphqlFaults) -> Validated {
    let parsed = document::parse(operation).map_err(|error| vec![error])?;
    let variables = document::variables(&parsed.declared, &operation.variables);
    // GitLab validates the query before it looks at the values of variables.
    match variables {
        Ok(variables) => selection::select(&parsed, &variables, faults),
        Err(errors) => {
            selection::select(&parsed, &serde_json::Map::new(), faults)?;
            Err(errors)
        }
    }
}

fn run(
    context: Context<'_>,
    query: Validated,
    cost: &mut QueryCost,
) -> Result<Value, StatementTimeout> {
    let fields = match query {
        Ok(fields) => fields,
        Err(errors) => return Ok(json!({ "errors": errors })),
    };
    let refusals = score::refusals(&fields, context.score, context.faults.max_score);
    if !refusals.is_empty() {
        let errors = refusals.iter().map(|message| json!({ "message": message }));
        return Ok(json!({ "errors": errors.collect::<Vec<_>>() }));
    }
    let mut execution = Execution::new(context);
    let data = execution.object(&Node::Query, &fields)?;
    cost.rows += execution.rows;
    Ok(if execution.errors.is_empty() {
        json!({ "data": data })
    } else {
        json!({ "data": data, "errors": execution.errors })
    })
}
