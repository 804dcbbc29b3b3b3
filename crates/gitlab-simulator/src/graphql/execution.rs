//! Runs a query: resolves the selected fields, and collects the errors of single fields.

use serde_json::{Map, Value, json};

use super::node::{Context, Data, Failure, Node};
use super::page::cut;
use super::schema::Returns;
use super::selection::Selected;

/// The database gave up, so that there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StatementTimeout;

/// A query that runs.
pub(super) struct Execution<'w> {
    context: Context<'w>,
    path: Vec<Value>,
    /// Errors of single fields.
    pub(super) errors: Vec<Value>,
    /// Objects of the answer that are rows of the database.
    pub(super) rows: usize,
}

impl<'w> Execution<'w> {
    pub(super) fn new(context: Context<'w>) -> Self {
        Self {
            context,
            path: Vec::new(),
            errors: Vec::new(),
            rows: 0,
        }
    }

    /// The selected fields of an object.
    pub(super) fn object(
        &mut self,
        node: &Node<'w>,
        fields: &[Selected],
    ) -> Result<Value, StatementTimeout> {
        let mut object = Map::new();
        for selected in fields {
            self.path.push(selected.key.as_str().into());
            let value = self.field(node, selected)?;
            self.path.pop();
            object.insert(selected.key.clone(), value);
        }
        Ok(Value::Object(object))
    }

    fn field(&mut self, node: &Node<'w>, selected: &Selected) -> Result<Value, StatementTimeout> {
        let (field, arguments) = (&selected.field, &selected.arguments);
        let resolved = field.value(self.context, selected.parent, node, arguments);
        let paged = resolved.and_then(|data| match (data, field.returns) {
            (Data::Nodes(all), Returns::Pages(_)) => {
                let page = cut(self.context, &all, arguments)?;
                self.rows += page.rows.len();
                Ok(Data::Node(Node::Page(page.into())))
            }
            (data, _) => Ok(data),
        });
        match paged {
            Ok(Data::Value(value)) => Ok(value),
            Ok(Data::Node(node)) => self.object(&node, &selected.below),
            Ok(Data::Nodes(all)) => self.list(&all, &selected.below),
            Err(Failure::Statement) => Err(StatementTimeout),
            Err(Failure::Field(message)) => {
                self.errors.push(json!({
                    "message": message,
                    "locations": [{ "line": selected.at.line, "column": selected.at.column }],
                    "path": self.path,
                }));
                Ok(Value::Null)
            }
        }
    }

    fn list(&mut self, all: &[Node<'w>], fields: &[Selected]) -> Result<Value, StatementTimeout> {
        let mut values = Vec::with_capacity(all.len());
        for (index, node) in all.iter().enumerate() {
            self.path.push(index.into());
            values.push(self.object(node, fields)?);
            self.path.pop();
        }
        Ok(Value::Array(values))
    }
}
