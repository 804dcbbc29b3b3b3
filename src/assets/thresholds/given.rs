//! The thresholds of the command line and of a file, checked against those that the rules read.

use std::collections::BTreeMap;

use serde_yaml::{Mapping, Value};

use super::choice::{JOB, Subject, chosen, level};
use super::number::{Unit, promql};
use super::problem::ThresholdProblems;
use super::vocabulary::Vocabulary;
use super::yaml::{kind, scalar};
use crate::base::nearest::nearest;

/// Keys of a file.
const SECTIONS: [&str; 2] = ["defaults", "overrides"];
/// The key of an override that holds its values.
const VALUES: &str = "thresholds";

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Series that the rules read, such as `ci_team_override:consecutive_failures:threshold`.
    pub(super) record: String,
    /// Labels of this series: what it selects, and the severity.
    pub(super) labels: BTreeMap<String, String>,
}

/// Checked thresholds: each is a series that the rules read, with its value.
#[derive(Debug, Clone, Default)]
pub struct Thresholds(BTreeMap<Key, String>);

impl Thresholds {
    /// Reads the text of a file, if there is one, and `NAME=VALUE` or `NAME.SEVERITY=VALUE` of the command line,
    /// which overrides the defaults of the file.
    ///
    /// # Errors
    ///
    /// Every problem of both. The inner error is a mistake of the shipped rules.
    pub fn read(
        file: Option<&str>,
        pairs: &[(String, String)],
    ) -> anyhow::Result<Result<Self, ThresholdProblems>> {
        let vocabulary = Vocabulary::shipped()?;
        let mut checked = Checked::new(&vocabulary);
        if let Some(text) = file {
            checked.file(text);
        }
        let of_file = std::mem::take(&mut checked.found);
        for (name, value) in pairs {
            checked.pair(name, value);
        }
        let mut all = of_file;
        all.append(&mut checked.found);
        Ok(checked.problems.result(Self(all)))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.0.iter().map(|(key, value)| (key, value.as_str()))
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

struct Checked<'a> {
    vocabulary: &'a Vocabulary,
    found: BTreeMap<Key, String>,
    problems: ThresholdProblems,
}

impl<'a> Checked<'a> {
    fn new(vocabulary: &'a Vocabulary) -> Self {
        Self {
            vocabulary,
            found: BTreeMap::new(),
            problems: ThresholdProblems::default(),
        }
    }

    fn pair(&mut self, name: &str, value: &str) {
        let place = format!("--threshold {name}={value}");
        let (name, severity) = match name.split_once('.') {
            Some((name, severity)) => (name, Some(severity)),
            None => (name, None),
        };
        self.value(&place, name, severity, value, &Subject::new());
    }

    fn file(&mut self, text: &str) {
        let file: Mapping = match serde_yaml::from_str::<Option<Mapping>>(text) {
            Ok(file) => file.unwrap_or_default(),
            Err(error) => {
                return self.problems.add(
                    "--thresholds",
                    format!("{error}; wanted a mapping with `defaults` and `overrides`"),
                );
            }
        };
        for (key, value) in &file {
            match key.as_str() {
                Some("defaults") => self.values("defaults", value, &Subject::new()),
                Some("overrides") => match value {
                    Value::Sequence(all) => {
                        for (at, one) in all.iter().enumerate() {
                            self.override_(&format!("overrides[{}]", at + 1), one);
                        }
                    }
                    Value::Null => {}
                    other => {
                        let found = kind(other);
                        let problem = format!(
                            "found {found}, wanted a list; each item begins with `- team: ..` or the like"
                        );
                        self.problems.add("overrides", problem);
                    }
                },
                _ => {
                    let key = scalar(key).unwrap_or_else(|| kind(key).to_owned());
                    self.unknown(&key, "key", &SECTIONS, &key);
                }
            }
        }
    }

    fn override_(&mut self, place: &str, given: &Value) {
        let Value::Mapping(entries) = given else {
            let problem = format!(
                "found {}, wanted what it applies to, such as `team: research`, and `{VALUES}:`",
                kind(given)
            );
            return self.problems.add(place, problem);
        };
        let mut subject = Subject::new();
        let mut values = None;
        let mut is_valid = true;
        for (key, value) in entries {
            let key = scalar(key).unwrap_or_default();
            if key == VALUES {
                values = Some(value);
                continue;
            }
            match self.selector(place, &key, value) {
                Some((label, value)) => is_valid &= subject.insert(label, value).is_none(),
                None => is_valid = false,
            }
        }
        if !is_valid {
            return;
        }
        match values {
            _ if subject.is_empty() => self.problems.add(
                place,
                "it applies to everything; name a team, project or job, or move the values to `defaults`",
            ),
            None => {
                let problem = format!("it has no `{VALUES}:`; put the values below this key");
                self.problems.add(place, problem);
            }
            Some(values) => self.values(place, values, &subject),
        }
    }

    /// A label that an override selects by.
    fn selector(&mut self, place: &str, key: &str, value: &Value) -> Option<(String, String)> {
        let labels = self.vocabulary.labels();
        let label = if key == JOB.0 { JOB.1 } else { key };
        if !labels.contains(label) {
            let mut known: Vec<_> = labels.into_iter().collect();
            known.extend([JOB.0, VALUES]);
            let known: Vec<_> = known.into_iter().filter(|name| *name != JOB.1).collect();
            let at = format!("{place}.{key}");
            self.unknown(&at, "key", &known, key);
            return None;
        }
        let at = format!("{place}.{key}");
        let Some(text) = scalar(value).filter(|text| !text.is_empty()) else {
            let problem = format!("found {}, wanted a name", kind(value));
            self.problems.add(&at, problem);
            return None;
        };
        if text.contains('*') {
            let problem = format!(
                "found `{text}`; names are compared as they are, without patterns: write one override for each"
            );
            self.problems.add(&at, problem);
            return None;
        }
        Some((label.to_owned(), text))
    }

    /// A mapping of names to values, or to values by severity.
    fn values(&mut self, place: &str, given: &Value, subject: &Subject) {
        let entries = match given {
            Value::Mapping(entries) => entries,
            Value::Null => return,
            other => {
                let problem = format!("found {}, wanted a mapping of thresholds", kind(other));
                return self.problems.add(place, problem);
            }
        };
        for (name, value) in entries {
            let name = scalar(name).unwrap_or_default();
            let at = format!("{place}.{name}");
            match value {
                Value::Mapping(severities) => {
                    for (severity, value) in severities {
                        let severity = scalar(severity).unwrap_or_default();
                        let at = format!("{at}.{severity}");
                        self.yaml_value(&at, &name, Some(&severity), value, subject);
                    }
                }
                value => self.yaml_value(&at, &name, None, value, subject),
            }
        }
    }

    fn yaml_value(
        &mut self,
        place: &str,
        name: &str,
        severity: Option<&str>,
        value: &Value,
        subject: &Subject,
    ) {
        match scalar(value) {
            Some(value) => self.value(place, name, severity, &value, subject),
            None => self
                .problems
                .add(place, format!("found {}, wanted a value", kind(value))),
        }
    }

    /// One value; everything that names it is checked.
    fn value(
        &mut self,
        place: &str,
        name: &str,
        severity: Option<&str>,
        value: &str,
        subject: &Subject,
    ) {
        let Some((name, measure)) = self.vocabulary.get(name) else {
            return self.unknown(place, "threshold", &self.vocabulary.names(), name);
        };
        let severity = match chosen(name, measure, severity) {
            Ok(severity) => severity,
            Err(problem) => return self.problems.add(place, problem),
        };
        let level = match level(self.vocabulary, name, measure, subject) {
            Ok(level) => level,
            Err(problem) => return self.problems.add(place, problem),
        };
        let value = match Unit::of(name).parse(value) {
            Ok(value) => promql(value),
            Err(problem) => return self.problems.add(place, problem),
        };
        let mut labels = subject.clone();
        labels.extend(severity.map(|severity| ("severity".to_owned(), severity.to_owned())));
        let record = format!("ci_{level}:{name}:threshold");
        if self.found.insert(Key { record, labels }, value).is_some() {
            self.problems
                .add(place, "it is given twice; keep one of them");
        }
    }

    fn unknown(&mut self, place: &str, what: &str, known: &[&str], found: &str) {
        let hint = match nearest(found, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        self.problems
            .add(place, format!("no {what} is called `{found}`; {hint}"));
    }
}
