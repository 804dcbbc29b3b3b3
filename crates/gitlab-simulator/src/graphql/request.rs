//! Bodies of requests: one operation or a batch.

use serde_json::{Map, Value};

/// GitLab's limit of the text of all queries of a request, in characters.
const MAX_QUERY_TEXT: usize = 10_000;

/// One operation of a request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Operation {
    pub(super) query: String,
    pub(super) variables: Map<String, Value>,
    pub(super) name: Option<String>,
}

/// The operations of a request.
#[derive(Debug, PartialEq)]
pub(super) struct Operations {
    pub(super) all: Vec<Operation>,
    /// Whether the answer is an array.
    pub(super) batch: bool,
}

/// Why GitLab does not look at the operations of a request.
#[derive(Debug, PartialEq)]
pub(super) enum Unreadable {
    /// The body is not JSON.
    Body,
    /// 422 with this message.
    Unprocessable(String),
}

impl Operations {
    pub(super) fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Unreadable::Body)?;
        let (members, batch) = match body {
            Value::Array(members) => (members, true),
            one => (vec![one], false),
        };
        let text = |member: &Value| {
            member["query"]
                .as_str()
                .map_or(0, |text| text.chars().count())
        };
        if members.iter().map(text).sum::<usize>() > MAX_QUERY_TEXT {
            return Err(Unreadable::Unprocessable("Query too large".to_owned()));
        }
        let all = members.iter().map(Operation::read);
        let all = all.collect::<Result<_, _>>()?;
        Ok(Self { all, batch })
    }
}

impl Operation {
    fn read(member: &Value) -> Result<Self, Unreadable> {
        let text = |name: &str| member[name].as_str().map(str::to_owned);
        Ok(Self {
            query: text("query").unwrap_or_default(),
            variables: variables(&member["variables"])?,
            name: text("operationName").filter(|name| !name.is_empty()),
        })
    }
}

/// Variables are an object, or the text of one.
fn variables(given: &Value) -> Result<Map<String, Value>, Unreadable> {
    let unexpected =
        |what: &str| Unreadable::Unprocessable(format!("Unexpected parameter: {what}"));
    match given {
        Value::Null => Ok(Map::new()),
        Value::Object(map) => Ok(map.clone()),
        Value::String(text) if text.trim().is_empty() => Ok(Map::new()),
        Value::String(text) => serde_json::from_str(text).map_err(|_| unexpected(text)),
        other => Err(unexpected(&other.to_string())),
    }
}
