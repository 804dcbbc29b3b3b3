//! The fields that a query selects, held against the schema.

use std::collections::BTreeSet;

use graphql_parser::Pos;
use graphql_parser::query::{self, Directive, Selection, SelectionSet, TypeCondition};
use serde_json::{Map, Value};

use super::arguments::Arguments;
use super::complaint::Complaint;
use super::document::{Parsed, literal_value};
use super::scalars::{base, coerced, fits, is_enum};
use super::schema::{Argument, Field, Type};
use super::types;
use crate::graphql_faults::GraphqlFaults;

/// GitLab's limit of errors in the validation of a query.
const MAX_ERRORS: usize = 5;

/// Fields, with those of fragments each time, after which the validation of a query is too slow.
const MAX_STEPS: usize = 10_000;

/// A field as the query has it.
type Written = query::Field<'static, String>;
/// A value as the query has it.
type Literal = query::Value<'static, String>;

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
        steps: 0,
    };
    let mut selected = Vec::new();
    reader.read(&parsed.selections, Type::Query, &mut selected);
    reader.check_use();
    let errors = reader.errors;
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
    /// Fields so far.
    steps: usize,
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
            return self.complain(&Complaint::UndefinedFragment(name), at);
        };
        if self.open.contains(&name) {
            return self.complain(&Complaint::InfiniteFragment(name), at);
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
        self.complain(&Complaint::ForeignFragment(name, parent), at);
        false
    }

    fn read_field(&mut self, written: &'a Written, parent: Type, into: &mut Vec<Selected>) {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return self.complain(&Complaint::TooLong, written.position);
        }
        let key = written.alias.as_deref().unwrap_or(&written.name);
        self.path.push(key.to_owned());
        if let Some(field) = self.known(&written.name, parent, written.position) {
            let arguments = self.arguments(written, &field, parent);
            let mut below = Vec::new();
            match (
                field.returns.below(),
                written.selection_set.items.is_empty(),
            ) {
                (Some(kind), false) => self.read(&written.selection_set, kind, &mut below),
                (None, true) => {}
                (Some(_), true) => {
                    self.complain(&Complaint::NoSelections(&field), written.position);
                }
                (None, false) => self.complain(&Complaint::Selections(&field), written.position),
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

    fn known(&mut self, name: &str, parent: Type, at: Pos) -> Option<Field> {
        let full = format!("{}.{name}", parent.name());
        let field = types::field(parent, name).filter(|_| self.faults.knows(&full));
        if field.is_none() {
            self.complain(&Complaint::UndefinedField(parent, name), at);
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
        let conflict = Complaint::Conflict(&selected.key, &same.field, &selected.field);
        self.complain(&conflict, selected.at);
    }

    fn arguments(&mut self, written: &'a Written, field: &Field, parent: Type) -> Arguments {
        let at = written.position;
        let mut arguments = Arguments::default();
        for (name, literal) in &written.arguments {
            let full = format!("{}.{}({name})", parent.name(), field.name);
            let known = field.arguments().find(|argument| argument.name == *name);
            let Some(argument) = known.filter(|_| self.faults.knows(&full)) else {
                self.complain(&Complaint::UnknownArgument(field, name), at);
                continue;
            };
            if let Some(value) = self.argument(field, argument, literal, at) {
                arguments.insert(name, value);
            }
        }
        let given = |name: &str| written.arguments.iter().any(|(given, _)| given == name);
        let mut required = field.arguments().filter(|it| it.kind.ends_with('!'));
        if let Some(missing) = required.find(|argument| !given(argument.name)) {
            self.complain(&Complaint::MissingArgument(field, missing.name), at);
        }
        arguments
    }

    fn argument(
        &mut self,
        field: &Field,
        argument: &Argument,
        literal: &'a Literal,
        at: Pos,
    ) -> Option<Value> {
        if let Literal::Variable(name) = literal {
            return self.variable(name, argument, at);
        }
        self.mark(literal);
        let value = literal_value(literal, self.variables)?;
        let quoted = is_enum(argument.kind) && matches!(literal, Literal::String(_));
        if quoted || !fits(&value, argument.kind) {
            let complaint = Complaint::Literal(field, argument, literal.to_string());
            self.complain(&complaint, at);
        }
        Some(coerced(value, argument.kind))
    }

    /// The value of a variable that stands for a whole argument.
    fn variable(&mut self, name: &'a str, argument: &Argument, at: Pos) -> Option<Value> {
        self.used_variables.insert(name);
        let parsed = self.parsed;
        let Some(declared) = parsed.declared.iter().find(|it| it.name == name) else {
            self.complain(&Complaint::UndefinedVariable(name), at);
            return None;
        };
        let kind = declared.var_type.to_string();
        let lists = |kind: &str| kind.starts_with('[');
        let required = argument.kind.ends_with('!') && declared.default_value.is_none();
        if base(&kind) != base(argument.kind)
            || lists(&kind) != lists(argument.kind)
            || (required && !kind.ends_with('!'))
        {
            self.complain(&Complaint::Mismatch(name, kind, argument), at);
        }
        self.variables.get(name).cloned()
    }

    /// Notes the variables within a literal.
    fn mark(&mut self, literal: &'a Literal) {
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
            let condition = condition.map(|(_, literal)| literal);
            if let Some(literal) = condition {
                self.mark(literal);
            }
            let value = condition.and_then(|literal| literal_value(literal, self.variables));
            let value = value.and_then(|value| value.as_bool());
            included &= match directive.name.as_str() {
                "include" => value != Some(false),
                "skip" => value != Some(true),
                _ => true,
            };
        }
        included
    }

    /// Complains about variables and fragments that nothing uses.
    fn check_use(&mut self) {
        let parsed = self.parsed;
        for variable in &parsed.declared {
            if !self.used_variables.contains(variable.name.as_str()) {
                self.complain(
                    &Complaint::UnusedVariable(&variable.name),
                    variable.position,
                );
            }
        }
        for (name, fragment) in &parsed.fragments {
            if !self.used_fragments.contains(name.as_str()) {
                self.complain(&Complaint::UnusedFragment(name), fragment.position);
            }
        }
    }

    fn complain(&mut self, complaint: &Complaint<'_>, at: Pos) {
        if self.errors.len() < MAX_ERRORS {
            let error = complaint.error(&self.parsed.title, &self.path, at);
            self.errors.push(error);
        }
    }
}
