//! Documents of GraphQL: operations, fragments, variables and literals.

use std::collections::BTreeMap;

use graphql_parser::query::{
    Definition, Document, FragmentDefinition, OperationDefinition, SelectionSet, Type as Declared,
    Value as Literal, VariableDefinition, parse_query,
};
use serde_json::{Map, Value, json};

use super::request::Operation;
use super::scalars::{coerced, fits};

/// A parsed document with the operation that is asked for.
pub(super) struct Parsed {
    /// `query Moved`, or `query`.
    pub(super) title: String,
    pub(super) declared: Vec<VariableDefinition<'static, String>>,
    pub(super) selections: SelectionSet<'static, String>,
    pub(super) fragments: BTreeMap<String, FragmentDefinition<'static, String>>,
}

/// The document of an operation, or the error that says why there is none.
pub(super) fn parse(operation: &Operation) -> Result<Parsed, Value> {
    if operation.query.trim().is_empty() {
        return Err(json!({ "message": "No query string was present" }));
    }
    let document: Document<'_, String> = parse_query(&operation.query).map_err(|error| {
        let message = error.to_string();
        let line = message.lines().collect::<Vec<_>>().join(" ");
        json!({ "message": line, "locations": [] })
    })?;
    let mut fragments = BTreeMap::new();
    let mut operations = Vec::new();
    for definition in document.into_static().definitions {
        match definition {
            Definition::Fragment(fragment) => {
                fragments.insert(fragment.name.clone(), fragment);
            }
            Definition::Operation(operation) => operations.push(operation),
        }
    }
    let wanted = operation.name.as_deref();
    let count = operations.len();
    let chosen = operations
        .into_iter()
        .find(|found| wanted.map_or(count == 1, |wanted| name(found) == Some(wanted)));
    let Some(chosen) = chosen else {
        let message = match wanted {
            Some(wanted) => format!("No operation named \"{wanted}\""),
            None => "An operation name is required".to_owned(),
        };
        return Err(json!({ "message": message }));
    };
    let name = name(&chosen);
    let title = name.map_or_else(|| "query".to_owned(), |name| format!("query {name}"));
    let (declared, selections) = match chosen {
        OperationDefinition::SelectionSet(selections) => (Vec::new(), selections),
        OperationDefinition::Query(query) => (query.variable_definitions, query.selection_set),
        OperationDefinition::Mutation(_) | OperationDefinition::Subscription(_) => {
            return Err(json!({ "message": "The simulated GitLab answers queries only" }));
        }
    };
    Ok(Parsed {
        title,
        declared,
        selections,
        fragments,
    })
}

fn name<'a>(operation: &'a OperationDefinition<'static, String>) -> Option<&'a str> {
    match operation {
        OperationDefinition::SelectionSet(_) => None,
        OperationDefinition::Query(query) => query.name.as_deref(),
        OperationDefinition::Mutation(mutation) => mutation.name.as_deref(),
        OperationDefinition::Subscription(subscription) => subscription.name.as_deref(),
    }
}

/// The variables of a request after defaults, or an error for each that does not fit its type.
pub(super) fn variables(
    declared: &[VariableDefinition<'static, String>],
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<Value>> {
    let mut values = Map::new();
    let mut errors = Vec::new();
    for variable in declared {
        let kind = variable.var_type.to_string();
        let default = variable.default_value.as_ref();
        let default = default.and_then(|literal| literal_value(literal, &Map::new()));
        let value = given.get(&variable.name).cloned().or(default);
        let required = matches!(variable.var_type, Declared::NonNullType(_));
        let fits = match &value {
            None | Some(Value::Null) => !required,
            Some(value) => fits(value, &kind),
        };
        if !fits {
            let name = &variable.name;
            let shown = value.clone().unwrap_or_default();
            let explanation = match &value {
                None | Some(Value::Null) => "Expected value to not be null".to_owned(),
                Some(_) => format!("Could not coerce value {shown} to {kind}"),
            };
            errors.push(json!({
                "message": format!("Variable ${name} of type {kind} was provided invalid value"),
                "locations": [{ "line": variable.position.line, "column": variable.position.column }],
                "extensions": {
                    "value": shown,
                    "problems": [{ "path": [], "explanation": explanation }],
                },
            }));
        } else if let Some(value) = value {
            values.insert(variable.name.clone(), coerced(value, &kind));
        }
    }
    if errors.is_empty() {
        Ok(values)
    } else {
        Err(errors)
    }
}

/// The JSON of a literal; `None` if a variable in it is not given.
pub(super) fn literal_value(
    literal: &Literal<'static, String>,
    variables: &Map<String, Value>,
) -> Option<Value> {
    Some(match literal {
        Literal::Variable(name) => variables.get(name)?.clone(),
        Literal::Int(number) => number.as_i64()?.into(),
        Literal::Float(number) => (*number).into(),
        Literal::String(text) => text.as_str().into(),
        Literal::Boolean(flag) => (*flag).into(),
        Literal::Null => Value::Null,
        Literal::Enum(word) => word.as_str().into(),
        Literal::List(all) => {
            let values = all.iter().filter_map(|one| literal_value(one, variables));
            Value::Array(values.collect())
        }
        Literal::Object(fields) => {
            let entries = fields
                .iter()
                .filter_map(|(name, one)| Some((name.clone(), literal_value(one, variables)?)));
            Value::Object(entries.collect())
        }
    })
}
