//! The types of values, as messages, the docs and a schema need them.

use std::time::Duration;

use ci_history::duration;

/// The type of a key's value, or of the items of its list.
#[derive(Debug, Clone, Copy)]
pub enum ValueType {
    /// A duration of at least this.
    Duration {
        /// Shortest duration accepted.
        min: Duration,
    },
    /// A whole number.
    Count {
        /// Smallest accepted.
        min: usize,
        /// Largest accepted.
        max: usize,
    },
    /// A number above 0.
    Rate {
        /// Largest accepted.
        max: f64,
    },
    /// True or false.
    Bool,
    /// A text with a syntax of its own.
    Text(Form),
    /// One of the words that the function lists.
    Word(fn() -> Vec<&'static str>),
}

/// The syntax of a text.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Its name in the docs.
    pub name: &'static str,
    /// The name of several, where it takes more than an `s`.
    pub plural: Option<&'static str>,
    /// What a message says is wanted.
    pub wanted: &'static str,
    /// Whether an unquoted number is read as its digits.
    pub numeric: bool,
    /// Whether somebody may put a token here by mistake, which no message may show.
    pub discreet: bool,
}

impl Form {
    pub(super) const fn new(name: &'static str, wanted: &'static str) -> Self {
        Self {
            name,
            plural: None,
            wanted,
            numeric: false,
            discreet: false,
        }
    }
}

impl ValueType {
    /// What a message says is wanted.
    pub fn wanted(&self) -> String {
        match self {
            Self::Duration { min } => {
                let min = duration::format(*min);
                format!("a duration of at least {min}, such as `30s`, `5m` or `1h30m`")
            }
            Self::Count { min, max } => format!("a whole number from {min} to {max}"),
            Self::Rate { max } => format!("a number above 0, at most {max}"),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Text(form) => form.wanted.to_owned(),
            Self::Word(words) => match words().as_slice() {
                [first, second] => format!("`{first}` or `{second}`"),
                words => format!("one of {}", quoted(words)),
            },
        }
    }

    /// What the docs call it.
    pub fn name(&self) -> String {
        match self {
            Self::Duration { .. } => "duration".to_owned(),
            Self::Count { min, max } => format!("whole number, {min} to {max}"),
            Self::Rate { max } => format!("number, above 0 to {max}"),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Text(form) => form.name.to_owned(),
            Self::Word(words) => quoted(&words()),
        }
    }

    /// What the docs call several of them.
    pub fn plural(&self) -> String {
        match self {
            Self::Text(Form {
                plural: Some(plural),
                ..
            }) => (*plural).to_owned(),
            Self::Text(form) => format!("{}s", form.name),
            other => other.name(),
        }
    }
}

fn quoted(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
