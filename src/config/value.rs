//! One value of a document: converted to the type of its key, or refused with what was wanted.

use std::path::Path;
use std::time::Duration;

use ci_history::duration;

use super::file;
use super::hints::{token_like, variable_hint};
use super::key_info::KeyInfo;
use super::node::{Node, NodeKind};
use super::problem::Report;
use super::regexes::RegexBudget;
use super::value_type::{Form, ValueType};
use super::word::Word;
use crate::base::nearest::nearest;

/// What every value is read with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) report: &'a Report,
    /// Where relative paths of files start.
    pub(super) folder: &'a Path,
    /// What regular expressions may still take.
    pub(super) regexes: &'a RegexBudget,
}

/// A value and its key. Each conversion gives `None` where it notes a problem.
pub(super) struct Value<'a> {
    context: Context<'a>,
    path: String,
    node: &'a Node,
    key: KeyInfo,
}

impl<'a> Value<'a> {
    pub(super) fn new(context: Context<'a>, path: String, node: &'a Node, key: KeyInfo) -> Self {
        Self {
            context,
            path,
            node,
            key,
        }
    }

    /// A text through `parse`, which says in a few words, or none, why it does not fit.
    pub(super) fn text<T>(&self, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let parsed = match (&self.node.kind, self.key.value_type) {
            (NodeKind::Text(text), _) if variable_hint(text).is_some() => return self.refuse(""),
            (NodeKind::Text(text), _) => parse(text),
            (NodeKind::Integer(number), ValueType::Text(form)) if form.numeric => {
                parse(&number.to_string())
            }
            _ => return self.refuse_kind(),
        };
        parsed.map_or_else(|why| self.refuse(&why), Some)
    }

    /// A text through `parse`, which compiles it within the budget of all expressions.
    pub(super) fn regex<T>(&self, parse: fn(&RegexBudget, &str) -> Result<T, String>) -> Option<T> {
        self.text(|text| parse(self.context.regexes, text))
    }

    /// The content of the file that the text names. A secret that cannot be read is only a warning.
    pub(super) fn file<T>(
        &self,
        parse: fn(&[u8]) -> Result<T, String>,
        is_secret: bool,
    ) -> Option<T> {
        match self.text(|path| Ok(self.read_file(path)))? {
            Ok(content) => parse(&content).map_or_else(|why| self.refuse(&why), Some),
            // A directory is there, and never a secret: perhaps the mount of a file that did not exist.
            Err(why) if is_secret && !why.is_empty() && why != file::DIRECTORY => {
                let message = self.refusal(&why);
                let report = self.context.report;
                report.warn(self.node.origin, &self.path, message);
                None
            }
            Err(why) => self.refuse(&why),
        }
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, String> {
        if path.is_empty() {
            return Err(String::new());
        }
        file::read(&self.context.folder.join(path))
    }

    /// The items of a list, each through `read`; all are read, so that every problem is noted.
    pub(super) fn items<T>(&self, read: impl Fn(&Value<'_>) -> Option<T>) -> Option<Vec<T>> {
        let NodeKind::List(items) = &self.node.kind else {
            return self.refuse_kind();
        };
        let key = KeyInfo {
            is_list: false,
            ..self.key
        };
        let read = |(n, node)| {
            let path = format!("{}[{n}]", self.path);
            read(&Value::new(self.context, path, node, key))
        };
        let items: Vec<_> = items.iter().enumerate().map(read).collect();
        items.into_iter().collect()
    }

    /// Notes that the value is of another kind than was wanted.
    fn refuse_kind<T>(&self) -> Option<T> {
        let hint = match (&self.node.kind, self.key.value_type) {
            (NodeKind::Null, _) => "leave the key out for its default",
            (NodeKind::Integer(_), ValueType::Duration { .. }) => "a unit is missing",
            (
                NodeKind::Bool(_) | NodeKind::Integer(_) | NodeKind::Number(_),
                ValueType::Text(_),
            ) if !self.key.is_list => "put it in quotes if that is meant",
            _ => "",
        };
        self.refuse(hint)
    }

    fn refuse<T>(&self, why: &str) -> Option<T> {
        let message = self.refusal(why);
        let report = self.context.report;
        report.add(self.node.origin, &self.path, message);
        None
    }

    /// What was found, what is wrong with it (where `why` is not empty), and what was wanted.
    fn refusal(&self, why: &str) -> String {
        let why = match &self.node.kind {
            NodeKind::Text(text) => variable_hint(text).unwrap_or(why),
            _ => why,
        };
        let why = match why {
            "" => String::new(),
            _ => format!(" ({why})"),
        };
        let found = match (&self.node.kind, self.key.value_type) {
            (NodeKind::Text(text), ValueType::Text(Form { discreet: true, .. }))
                if token_like(text) =>
            {
                "what may be a token (not shown)".to_owned()
            }
            (kind, _) => kind.found(),
        };
        format!("found {found}{why}, wanted {}", self.key.wanted())
    }
}

pub(super) fn duration(value: &Value<'_>) -> Option<Duration> {
    let (NodeKind::Text(text), ValueType::Duration { min }) =
        (&value.node.kind, value.key.value_type)
    else {
        return value.refuse_kind();
    };
    match duration::parse(text) {
        Err(error) => value.refuse(&error.to_string()),
        Ok(span) if span < min => value.refuse(""),
        Ok(span) => Some(span),
    }
}

pub(super) fn count(value: &Value<'_>) -> Option<usize> {
    let (NodeKind::Integer(number), ValueType::Count { min, max }) =
        (&value.node.kind, value.key.value_type)
    else {
        return value.refuse_kind();
    };
    let number = usize::try_from(*number).ok();
    let fitting = number.filter(|number| (min..=max).contains(number));
    fitting.or_else(|| value.refuse(""))
}

pub(super) fn rate(value: &Value<'_>) -> Option<f64> {
    let number = match value.node.kind {
        NodeKind::Integer(number) => number as f64,
        NodeKind::Number(number) => number,
        _ => return value.refuse_kind(),
    };
    match value.key.value_type {
        ValueType::Rate { max } if number > 0.0 && number <= max => Some(number),
        _ => value.refuse(""),
    }
}

pub(super) fn bool(value: &Value<'_>) -> Option<bool> {
    match value.node.kind {
        NodeKind::Bool(flag) => Some(flag),
        _ => value.refuse_kind(),
    }
}

pub(super) fn word<T: Word>(value: &Value<'_>) -> Option<T> {
    let NodeKind::Text(text) = &value.node.kind else {
        return value.refuse_kind();
    };
    T::from_word(text).or_else(|| match nearest(text, &T::words()) {
        Some(guess) => value.refuse(&format!("did you mean `{guess}`?")),
        None => value.refuse(""),
    })
}
