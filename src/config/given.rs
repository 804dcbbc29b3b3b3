//! One value that was given: turned into what its key takes, or refused with what was wanted.

use std::time::Duration;

use super::duration;
use super::kind::Kind;
use super::node::{Node, Shape};
use super::problem::{excerpt, nearest, token_like};
use super::reader::Report;

/// A value that was given, with what is needed to complain about it.
pub(super) struct Given<'a> {
    report: &'a Report,
    path: String,
    node: &'a Node,
    kind: Kind,
}

/// Every reading gives `None` where the value was refused.
impl<'a> Given<'a> {
    pub(super) fn new(report: &'a Report, path: String, node: &'a Node, kind: Kind) -> Self {
        Self {
            report,
            path,
            node,
            kind,
        }
    }

    /// Notes what is wrong with the value, in words of its own.
    pub(super) fn complain(&self, message: String) {
        self.report.add(self.node.place, &self.path, message);
    }

    /// A text through `check`, which says in a few words (or none) why it does not fit.
    pub(super) fn text<T>(&self, check: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let checked = match (&self.node.shape, self.kind) {
            (Shape::Text(text), _) => check(text),
            (Shape::Integer(number), Kind::Text(form)) if form.numeric => {
                check(&number.to_string())
            }
            _ => return self.misread(),
        };
        checked.map_or_else(|why| self.refuse(&why), Some)
    }

    /// One of the words that the key takes.
    pub(super) fn word(&self) -> Option<&'static str> {
        let (Shape::Text(text), Kind::Choice(words)) = (&self.node.shape, self.kind) else {
            return self.misread();
        };
        let chosen = words.iter().find(|word| *word == text);
        chosen.copied().or_else(|| match nearest(text, words) {
            Some(guess) => self.refuse(&format!("did you mean `{guess}`?")),
            None => self.refuse(""),
        })
    }

    /// The items of a list, each through `read`; all are read, so that every problem is noted.
    pub(super) fn items<T>(&self, read: impl Fn(&Given<'_>) -> Option<T>) -> Option<Vec<T>> {
        let (Shape::List(items), Kind::List(kind)) = (&self.node.shape, self.kind) else {
            return self.misread();
        };
        let read = |(n, node)| {
            let path = format!("{}[{n}]", self.path);
            read(&Given::new(self.report, path, node, *kind))
        };
        let items: Vec<_> = items.iter().enumerate().map(read).collect();
        items.into_iter().collect()
    }

    /// Notes that a value of this shape cannot be what was wanted.
    fn misread<T>(&self) -> Option<T> {
        let hint = match (&self.node.shape, self.kind) {
            (Shape::Nothing, _) => "leave the key out for its default",
            (Shape::Integer(_), Kind::Duration { .. }) => "a unit is missing",
            (Shape::Bool(_) | Shape::Integer(_) | Shape::Number(_), Kind::Text(_)) => {
                "put it in quotes if that is meant"
            }
            _ => "",
        };
        self.refuse(hint)
    }

    /// Notes that the value is not what was wanted; `why` may be empty.
    fn refuse<T>(&self, why: &str) -> Option<T> {
        let why = match why {
            "" => String::new(),
            _ => format!(" ({why})"),
        };
        let found = match (&self.node.shape, self.kind) {
            (Shape::Text(text), Kind::Text(form)) if form.discreet && token_like(text) => {
                "what may be a token (not shown)".to_owned()
            }
            (shape, _) => found(shape),
        };
        self.complain(format!("found {found}{why}, wanted {}", self.kind.wanted()));
        None
    }
}

/// A duration that is long enough.
pub(super) fn duration(value: &Given<'_>) -> Option<Duration> {
    let (Shape::Text(text), Kind::Duration { least }) = (&value.node.shape, value.kind) else {
        return value.misread();
    };
    match duration::parse(text) {
        Err(error) => value.refuse(&error.to_string()),
        Ok(span) if duration::parse(least).is_ok_and(|least| span < least) => value.refuse(""),
        Ok(span) => Some(span),
    }
}

/// A whole number within its bounds.
pub(super) fn count(value: &Given<'_>) -> Option<usize> {
    let (Shape::Integer(number), Kind::Count { least, most }) = (&value.node.shape, value.kind)
    else {
        return value.misread();
    };
    let number = usize::try_from(*number).ok();
    let fitting = number.filter(|number| (least..=most).contains(number));
    fitting.or_else(|| value.refuse(""))
}

/// A number above 0 that is not too large.
pub(super) fn rate(value: &Given<'_>) -> Option<f64> {
    let number = match value.node.shape {
        Shape::Integer(number) => number as f64,
        Shape::Number(number) => number,
        _ => return value.misread(),
    };
    match value.kind {
        Kind::Rate { most } if number > 0.0 && number <= most => Some(number),
        _ => value.refuse(""),
    }
}

/// True or false.
pub(super) fn bool(value: &Given<'_>) -> Option<bool> {
    match value.node.shape {
        Shape::Bool(flag) => Some(flag),
        _ => value.misread(),
    }
}

/// How a message names what stands there.
pub(super) fn found(shape: &Shape) -> String {
    match shape {
        Shape::Nothing => "nothing".to_owned(),
        Shape::Bool(value) => format!("`{value}`"),
        Shape::Integer(number) => format!("the number {number}"),
        Shape::Number(number) => format!("the number {number}"),
        Shape::Text(text) if text.is_empty() => "an empty text".to_owned(),
        // A user and a password in an address are nobody's business.
        Shape::Text(text) if text.contains("://") && text.contains('@') => {
            "an address with a user in it".to_owned()
        }
        Shape::Text(text) => format!("`{}`", excerpt(text)),
        Shape::List(_) => "a list".to_owned(),
        Shape::Map(_) => "a mapping".to_owned(),
    }
}
