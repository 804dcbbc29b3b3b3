//! A key of the configuration: its path, type, bounds, default and documentation in one constant, and how its
//! value is parsed.

use std::time::Duration;

use super::key_info::{Absence, KeyInfo};
use super::regexes::RegexBudget;
use super::value::{self, Value};
use super::value_type::{Form, ValueType};
use super::word::Word;

/// A key whose value, or each item of its list, is a `T`.
pub(super) struct Key<T: 'static> {
    pub(super) info: KeyInfo,
    parse: Parse<T>,
}

/// How a value becomes a `T`. A parser says in a few words, or none, why a text does not fit.
enum Parse<T> {
    Value(fn(&Value<'_>) -> Option<T>),
    Text(fn(&str) -> Result<T, String>),
    Regex(fn(&RegexBudget, &str) -> Result<T, String>),
    /// Of the content of the file that the text names.
    File {
        parse: fn(&[u8]) -> Result<T, String>,
        is_secret: bool,
    },
}

impl Key<Duration> {
    pub(super) const fn duration(path: &'static str, min: Duration) -> Self {
        let parse = Parse::Value(value::duration);
        Self::of(path, ValueType::Duration { min }, parse)
    }
}

impl Key<usize> {
    pub(super) const fn count(path: &'static str, min: usize, max: usize) -> Self {
        let parse = Parse::Value(value::count);
        Self::of(path, ValueType::Count { min, max }, parse)
    }
}

impl Key<f64> {
    pub(super) const fn rate(path: &'static str, max: f64) -> Self {
        Self::of(path, ValueType::Rate { max }, Parse::Value(value::rate))
    }
}

impl Key<bool> {
    pub(super) const fn bool(path: &'static str) -> Self {
        Self::of(path, ValueType::Bool, Parse::Value(value::bool))
    }
}

impl<T: Word> Key<T> {
    pub(super) const fn word(path: &'static str) -> Self {
        let parse = Parse::Value(value::word);
        Self::of(path, ValueType::Word(T::words), parse)
    }
}

impl<T> Key<T> {
    const fn of(path: &'static str, value_type: ValueType, parse: Parse<T>) -> Self {
        Self {
            info: KeyInfo::new(path, value_type),
            parse,
        }
    }

    /// A text, or a number where the form is numeric.
    pub(super) const fn text(
        path: &'static str,
        form: Form,
        parse: fn(&str) -> Result<T, String>,
    ) -> Self {
        Self::of(path, ValueType::Text(form), Parse::Text(parse))
    }

    /// A text that is, or may be, a regular expression.
    pub(super) const fn regex(
        path: &'static str,
        form: Form,
        parse: fn(&RegexBudget, &str) -> Result<T, String>,
    ) -> Self {
        Self::of(path, ValueType::Text(form), Parse::Regex(parse))
    }

    /// The content of a file; `wanted` describes the file.
    pub(super) const fn file(
        path: &'static str,
        wanted: &'static str,
        parse: fn(&[u8]) -> Result<T, String>,
    ) -> Self {
        let form = Form {
            discreet: true,
            ..Form::new("file", wanted)
        };
        let is_secret = false;
        Self::of(
            path,
            ValueType::Text(form),
            Parse::File { parse, is_secret },
        )
    }

    /// Of a file: `check-config` only warns where it cannot be read.
    pub(super) const fn secret(mut self) -> Self {
        if let Parse::File { is_secret, .. } = &mut self.parse {
            *is_secret = true;
        }
        self
    }

    /// A list of these.
    pub(super) const fn list(mut self) -> Self {
        self.info.is_list = true;
        self
    }

    /// The default, in YAML.
    pub(super) const fn default(mut self, yaml: &'static str) -> Self {
        self.info.absence = Absence::Default(yaml);
        self
    }

    /// The value that the preset `default` has, in YAML.
    pub(super) const fn preset(mut self, yaml: &'static str) -> Self {
        self.info.absence = Absence::Preset(yaml);
        self
    }

    pub(super) const fn required(mut self) -> Self {
        self.info.absence = Absence::Required;
        self
    }

    pub(super) const fn doc(mut self, doc: &'static str) -> Self {
        self.info.doc = doc;
        self
    }

    /// The value; `None` where a problem was noted.
    pub(super) fn read(&self, value: &Value<'_>) -> Option<T> {
        match self.parse {
            Parse::Value(read) => read(value),
            Parse::Text(parse) => value.text(parse),
            Parse::Regex(parse) => value.regex(parse),
            Parse::File { parse, is_secret } => value.file(parse, is_secret),
        }
    }

    /// The items of a list; `None` where a problem was noted.
    pub(super) fn read_list(&self, value: &Value<'_>) -> Option<Vec<T>> {
        value.items(|item| self.read(item))
    }
}

/// Declares the keys of a section, and lists them as `KEYS` in the order of the docs.
macro_rules! keys {
    ($($name:ident: $type:ty = $key:expr;)+) => {
        $(pub(super) const $name: $type = $key;)+
        pub(super) const KEYS: &[$crate::config::key_info::KeyInfo] = &[$($name.info),+];
    };
}
pub(super) use keys;
