//! What GitLab says of a query that does not fit the schema.

use graphql_parser::Pos;
use serde_json::{Value, json};

use super::schema::{Argument, Field, Type};

/// A mistake in a query.
pub(super) enum Complaint<'a> {
    UndefinedField(Type, &'a str),
    UnknownArgument(&'a Field, &'a str),
    MissingArgument(&'a Field, &'a str),
    /// The literal does not fit the type of the argument.
    Literal(&'a Field, &'a Argument, String),
    UndefinedVariable(&'a str),
    UnusedVariable(&'a str),
    /// A variable of this name and type does not fit the type of the argument.
    Mismatch(&'a str, String, &'a Argument),
    UndefinedFragment(&'a str),
    UnusedFragment(&'a str),
    InfiniteFragment(&'a str),
    /// A fragment on a type of this name cannot be in this type.
    ForeignFragment(&'a str, Type),
    /// Two fields have the same key.
    Conflict(&'a str, &'a Field, &'a Field),
    /// An object without selections.
    NoSelections(&'a Field),
    /// A scalar with selections.
    Selections(&'a Field),
    TooLong,
}

impl Complaint<'_> {
    /// The error of the answer. `title` is the operation, as in `query Moved`.
    pub(super) fn error(&self, title: &str, path: &[String], at: Pos) -> Value {
        let location = json!({ "line": at.line, "column": at.column });
        json!({
            "message": self.message(title),
            "locations": [location],
            "path": path,
            "extensions": self.extensions(),
        })
    }

    fn message(&self, title: &str) -> String {
        match self {
            Self::UndefinedField(parent, name) => {
                format!("Field '{name}' doesn't exist on type '{}'", parent.name())
            }
            Self::UnknownArgument(field, name) => {
                format!("Field '{}' doesn't accept argument '{name}'", field.name)
            }
            Self::MissingArgument(field, name) => {
                format!(
                    "Field '{}' is missing required arguments: {name}",
                    field.name
                )
            }
            Self::Literal(field, argument, literal) => format!(
                "Argument '{}' on Field '{}' has an invalid value ({literal}). Expected type '{}'.",
                argument.name, field.name, argument.kind
            ),
            Self::Conflict(key, one, other) => format!(
                "Field '{key}' has a field conflict: {} or {}?",
                one.name, other.name
            ),
            Self::NoSelections(field) => format!(
                "Field must have selections (field '{0}' returns {1} but has no selections. \
                 Did you mean '{0} {{ ... }}'?)",
                field.name,
                field.returns.name()
            ),
            Self::Selections(field) => format!(
                "Selections can't be made on scalars (field '{}' returns {} but has selections)",
                field.name,
                field.returns.name()
            ),
            Self::TooLong => "Timeout on validation of query".to_owned(),
            other => other.message_about_names(title),
        }
    }

    /// The message about a variable or fragment.
    fn message_about_names(&self, title: &str) -> String {
        let operation = title.strip_prefix("query ").unwrap_or("anonymous query");
        match self {
            Self::UndefinedVariable(name) => {
                format!("Variable ${name} is used by {operation} but not declared")
            }
            Self::UnusedVariable(name) => {
                format!("Variable ${name} is declared by {operation} but not used")
            }
            Self::Mismatch(name, kind, argument) => format!(
                "Type mismatch on variable ${name} and argument {} ({kind} / {})",
                argument.name, argument.kind
            ),
            Self::UndefinedFragment(name) => format!("Fragment {name} was used, but not defined"),
            Self::UnusedFragment(name) => format!("Fragment {name} was defined, but not used"),
            Self::InfiniteFragment(name) => format!("Fragment {name} contains an infinite loop"),
            Self::ForeignFragment(name, parent) => {
                format!(
                    "Fragment on {name} can't be spread inside {}",
                    parent.name()
                )
            }
            _ => String::new(),
        }
    }

    fn extensions(&self) -> Value {
        match self {
            Self::UndefinedField(parent, name) => json!({
                "code": "undefinedField", "typeName": parent.name(), "fieldName": name,
            }),
            Self::UnknownArgument(field, name) => json!({
                "code": "argumentNotAccepted", "name": field.name, "typeName": "Field",
                "argumentName": name,
            }),
            Self::MissingArgument(field, name) => json!({
                "code": "missingRequiredArguments", "className": "Field", "name": field.name,
                "arguments": name,
            }),
            Self::Literal(_, argument, _) => json!({
                "code": "argumentLiteralsIncompatible", "typeName": "Field",
                "argumentName": argument.name,
            }),
            Self::Conflict(key, one, other) => json!({
                "code": "fieldConflict", "fieldName": key,
                "conflicts": format!("{} or {}", one.name, other.name),
            }),
            Self::NoSelections(field) | Self::Selections(field) => json!({
                "code": "selectionMismatch", "nodeName": format!("field '{}'", field.name),
                "typeName": field.returns.name(),
            }),
            other => other.extensions_about_names(),
        }
    }

    fn extensions_about_names(&self) -> Value {
        match self {
            Self::UndefinedVariable(name) => {
                json!({ "code": "variableNotDefined", "variableName": name })
            }
            Self::UnusedVariable(name) => {
                json!({ "code": "variableNotUsed", "variableName": name })
            }
            Self::Mismatch(name, kind, argument) => json!({
                "code": "variableMismatch", "variableName": name, "typeName": kind,
                "argumentName": argument.name, "errorMessage": "Type mismatch",
            }),
            Self::UndefinedFragment(name) | Self::UnusedFragment(name) => {
                json!({ "code": "useAndDefineFragment", "fragmentName": name })
            }
            Self::InfiniteFragment(name) => json!({ "code": "infiniteLoop", "fragmentName": name }),
            Self::ForeignFragment(name, parent) => json!({
                "code": "cannotSpreadFragment", "typeName": name, "parentName": parent.name(),
            }),
            _ => Value::Null,
        }
    }
}
