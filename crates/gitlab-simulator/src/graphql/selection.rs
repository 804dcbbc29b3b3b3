//! The fields that a query selects, held against the schema.

use std::collections::BTreeSet;

use graphql_parser::Pos;
use graphql_parser::query::{
    Directive, Field as Written, Selection, SelectionSet, TypeCondition, Value as Literal,
};
use serde_json::{Map, Value, json};

use super::arguments::Arguments;
use super::document::{Parsed, base, coerced, fits, literal_value};
use super::schema::{Argument, Field, Type};
use super::types;
use crate::graphql_faults::GraphqlFaults;

/// GitLab's limit of errors in the validation of a query.
const MAX_ERRORS: usize = 5;

/// A selected field: fragments are written out, variables filled in, skipped fields left out.
pub(super) struct Selected {
    /// Alias or name.
    pub(super) key: String,
    /// The type that has the field.
    pub(super) parent: Type,
    pub(super) field: Field,
    pub(super) arguments: Arguments,
    pub(super) below: Vec<Selected>,
    pub(super) at: Pos,
}

/// The selected fields, or what is wrong with the query.
pub(super) fn select(
    parsed: &Parsed,
    variables: &Map<String, Value>,
    faults: &GraphqlFaults,
) -> Result<Vec<Selected>, Vec<Value>> {
    let mut reader = Reader {
        parsed,
        variables,
        faults,
        path: vec![parsed.title.clone()],
        open: Vec::new(),
        used_variables: BTreeSet::new(),
        used_fragments: BTreeSet::new(),
        errors: Vec::new(),
    };
    let mut selected = Vec::new();
    reader.read(&parsed.selections, Type::Query, &mut selected);
    reader.check_use();
    let mut errors = reader.errors;
    errors.truncate(MAX_ERRORS);
    if errors.is_empty() {
        Ok(selected)
    } else {
        Err(errors)
    }
}

struct Reader<'a> {
    parsed: &'a Parsed,
    variables: &'a Map<String, Value>,
    faults: &'a GraphqlFaults,
    /// Where the reader is, for errors.
    path: Vec<String>,
    /// Fragments that the reader is in.
    open: Vec<&'a str>,
    used_variables: BTreeSet<&'a str>,
    used_fragments: BTreeSet<&'a str>,
    errors: Vec<Value>,
}

impl<'a> Reader<'a> {
    fn read(
        &mut self,
        set: &'a SelectionSet<'static, String>,
        parent: Type,
        into: &mut Vec<Selected>,
    ) {
        for item in &set.items {
            match item {
                Selection::Field(field) => {
                    if self.is_included(&field.directives) {
                        self.read_field(field, parent, into);
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.type_condition.as_ref();
                    let condition = condition.map(|TypeCondition::On(name)| name.as_str());
                    if self.is_included(&fragment.directives)
                        && self.applies(condition, parent, fragment.position)
                    {
                        self.read(&fragment.selection_set, parent, into);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if self.is_included(&spread.directives) {
                        self.read_fragment(&spread.fragment_name, parent, spread.position, into);
                    }
                }
            }
        }
    }

    fn read_fragment(&mut self, name: &'a str, parent: Type, at: Pos, into: &mut Vec<Selected>) {
        self.used_fragments.insert(name);
        let Some(fragment) = self.parsed.fragments.get(name) else {
            let message = format!("Fragment {name} was used, but not defined");
            self.complain(
                &message,
                at,
                json!({ "code": "useAndDefineFragment", "fragmentName": name }),
            );
            return;
        };
        if self.open.contains(&name) {
            let message = format!("Fragment {name} contains an infinite loop");
            self.complain(
                &message,
                at,
                json!({ "code": "infiniteLoop", "fragmentName": name }),
            );
            return;
        }
        let TypeCondition::On(condition) = &fragment.type_condition;
        if self.applies(Some(condition), parent, at) {
            self.open.push(name);
            self.read(&fragment.selection_set, parent, into);
            self.open.pop();
        }
    }

    /// Whether a fragment on this type can be here.
    fn applies(&mut self, condition: Option<&str>, parent: Type, at: Pos) -> bool {
        let Some(name) = condition.filter(|name| !parent.is(name)) else {
            return true;
        };
        let message = format!(
            "Fragment on {name} can't be spread inside {}",
            parent.name()
        );
        let extensions = json!({
            "code": "cannotSpreadFragment", "typeName": name, "fragmentName": "unknown",
            "parentName": parent.name(),
        });
        self.complain(&message, at, extensions);
        false
    }

    fn read_field(
        &mut self,
        written: &'a Written<'static, String>,
        parent: Type,
        into: &mut Vec<Selected>,
    ) {
        let key = written.alias.as_deref().unwrap_or(&written.name);
        self.path.push(key.to_owned());
        if let Some(field) = self.known(written, parent) {
            let arguments = self.arguments(written, &field, parent);
            let mut below = Vec::new();
            match (
                field.returns.below(),
                written.selection_set.items.is_empty(),
            ) {
                (Some(kind), false) => self.read(&written.selection_set, kind, &mut below),
                (None, true) => {}
                (kind, _) => self.complain_selections(written, &field, kind.is_some()),
            }
            let selected = Selected {
                key: key.to_owned(),
                parent,
                field,
                arguments,
                below,
                at: written.position,
            };
            self.merge(selected, into);
        }
        self.path.pop();
    }

    fn known(&mut self, written: &Written<'static, String>, parent: Type) -> Option<Field> {
        let name = written.name.as_str();
        let field = types::field(parent, name)
            .filter(|_| self.faults.knows(&format!("{}.{name}", parent.name())));
        if field.is_none() {
            let message = format!("Field '{name}' doesn't exist on type '{}'", parent.name());
            let extensions = json!({
                "code": "undefinedField", "typeName": parent.name(), "fieldName": name,
            });
            self.complain(&message, written.position, extensions);
        }
        field
    }

    /// Adds a field, or its selections to those of the same field before.
    fn merge(&mut self, selected: Selected, into: &mut Vec<Selected>) {
        let Some(same) = into.iter_mut().find(|other| other.key == selected.key) else {
            into.push(selected);
            return;
        };
        if same.field.name == selected.field.name && same.arguments == selected.arguments {
            for field in selected.below {
                self.merge(field, &mut same.below);
            }
            return;
        }
        let key = &selected.key;
        let conflicts = format!("{} or {}", same.field.name, selected.field.name);
        let message = format!("Field '{key}' has a field conflict: {conflicts}?");
        let extensions =
            json!({ "code": "fieldConflict", "fieldName": key, "conflicts": conflicts });
        self.complain(&message, selected.at, extensions);
    }

    fn arguments(
        &mut self,
        written: &'a Written<'static, String>,
        field: &Field,
        parent: Type,
    ) -> Arguments {
        let mut arguments = Arguments::default();
        for (name, literal) in &written.arguments {
            let full = format!("{}.{}({name})", parent.name(), field.name);
            let known = field.arguments().find(|argument| argument.name == *name);
            let Some(argument) = known.filter(|_| self.faults.knows(&full)) else {
                let message = format!("Field '{}' doesn't accept argument '{name}'", field.name);
                let extensions = json!({
                    "code": "argumentNotAccepted", "name": field.name, "typeName": "Field",
                    "argumentName": name,
                });
                self.complain(&message, written.position, extensions);
                continue;
            };
            if let Some(value) = self.argument(argument, literal, written) {
                arguments.insert(name, value);
            }
        }
        let given = |name: &str| written.arguments.iter().any(|(given, _)| given == name);
        let mut required = field.arguments().filter(|it| it.kind.ends_with('!'));
        if let Some(missing) = required.find(|argument| !given(argument.name)) {
            let message = format!(
                "Field '{}' is missing required arguments: {}",
                field.name, missing.name
            );
            let extensions = json!({
                "code": "missingRequiredArguments", "className": "Field", "name": field.name,
                "arguments": missing.name,
            });
            self.complain(&message, written.position, extensions);
        }
        arguments
    }

    fn argument(
        &mut self,
        argument: &Argument,
        literal: &'a Literal<'static, String>,
        written: &Written<'static, String>,
    ) -> Option<Value> {
        let at = written.position;
        if let Literal::Variable(name) = literal {
            return self.variable(name, argument, at);
        }
        self.mark(literal);
        let value = literal_value(literal, self.variables)?;
        if !fits(&value, argument.kind) {
            let message = format!(
                "Argument '{}' on Field '{}' has an invalid value ({literal}). Expected type '{}'.",
                argument.name, written.name, argument.kind
            );
            let extensions = json!({
                "code": "argumentLiteralsIncompatible", "typeName": "Field",
                "argumentName": argument.name,
            });
            self.complain(&message, at, extensions);
        }
        Some(coerced(value, argument.kind))
    }

    /// The value of a variable that stands for a whole argument.
    fn variable(&mut self, name: &'a str, argument: &Argument, at: Pos) -> Option<Value> {
        self.used_variables.insert(name);
        let parsed = self.parsed;
        let Some(declared) = parsed.declared.iter().find(|it| it.name == name) else {
            let message = format!(
                "Variable ${name} is used by {} but not declared",
                parsed.title
            );
            self.complain(
                &message,
                at,
                json!({ "code": "variableNotDefined", "variableName": name }),
            );
            return None;
        };
        let kind = declared.var_type.to_string();
        let lists = |kind: &str| kind.starts_with('[');
        let required = argument.kind.ends_with('!') && declared.default_value.is_none();
        if base(&kind) != base(argument.kind)
            || lists(&kind) != lists(argument.kind)
            || (required && !kind.ends_with('!'))
        {
            let message = format!(
                "Type mismatch on variable ${name} and argument {} ({kind} / {})",
                argument.name, argument.kind
            );
            let extensions = json!({
                "code": "variableMismatch", "variableName": name, "typeName": kind,
                "argumentName": argument.name, "errorMessage": "Type mismatch",
            });
            self.complain(&message, at, extensions);
        }
        self.variables.get(name).cloned()
    }

    /// Notes the variables within a literal.
    fn mark(&mut self, literal: &'a Literal<'static, String>) {
        match literal {
            Literal::Variable(name) => {
                self.used_variables.insert(name);
            }
            Literal::List(all) => all.iter().for_each(|one| self.mark(one)),
            Literal::Object(fields) => fields.values().for_each(|one| self.mark(one)),
            _ => {}
        }
    }

    /// Whether `@include` and `@skip` leave a selection in.
    fn is_included(&mut self, directives: &'a [Directive<'static, String>]) -> bool {
        let mut included = true;
        for directive in directives {
            let condition = directive.arguments.iter().find(|(name, _)| name == "if");
            if let Some((_, Literal::Variable(name))) = condition {
                self.used_variables.insert(name);
            }
            let value = condition.and_then(|(_, literal)| literal_value(literal, self.variables));
            let value = value.and_then(|value| value.as_bool());
            included &= match directive.name.as_str() {
                "include" => value != Some(false),
                "skip" => value != Some(true),
                _ => true,
            };
        }
        included
    }

    fn complain_selections(
        &mut self,
        written: &Written<'static, String>,
        field: &Field,
        needs: bool,
    ) {
        let (name, kind) = (&written.name, field.returns.name());
        let message = if needs {
            format!(
                "Field must have selections (field '{name}' returns {kind} but has no selections. \
                 Did you mean '{name} {{ ... }}'?)"
            )
        } else {
            format!(
                "Selections can't be made on scalars (field '{name}' returns {kind} but has selections)"
            )
        };
        let extensions = json!({
            "code": "selectionMismatch", "nodeName": format!("field '{name}'"), "typeName": kind,
        });
        self.complain(&message, written.position, extensions);
    }

    /// Complains about variables and fragments that nothing uses.
    fn check_use(&mut self) {
        let parsed = self.parsed;
        for variable in &parsed.declared {
            let name = variable.name.as_str();
            if !self.used_variables.contains(name) {
                let message = format!(
                    "Variable ${name} is declared by {} but not used",
                    parsed.title
                );
                let extensions = json!({ "code": "variableNotUsed", "variableName": name });
                self.complain(&message, variable.position, extensions);
            }
        }
        for (name, fragment) in &parsed.fragments {
            if !self.used_fragments.contains(name.as_str()) {
                let message = format!("Fragment {name} was defined, but not used");
                let extensions = json!({ "code": "useAndDefineFragment", "fragmentName": name });
                self.complain(&message, fragment.position, extensions);
            }
        }
    }

    fn complain(&mut self, message: &str, at: Pos, extensions: Value) {
        self.errors.push(json!({
            "message": message,
            "locations": [{ "line": at.line, "column": at.column }],
            "path": self.path,
            "extensions": extensions,
        }));
    }
}
