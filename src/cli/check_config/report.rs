//! The result of a check as one JSON object.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::online::Online;
use super::summary::Line;
use crate::config::{Problem, Setting};

/// What a check found.
#[derive(Serialize, Default)]
pub(super) struct Report {
    /// Whether the configuration has no problem.
    usable: bool,
    problems: Vec<Entry>,
    warnings: Vec<Entry>,
    /// The lines for people, by the word they are about.
    summary: BTreeMap<String, Vec<String>>,
    settings: Vec<SettingEntry>,
    /// `null` if the servers were not asked.
    online: Option<Online>,
}

/// A problem or a warning.
#[derive(Serialize)]
pub(super) struct Entry {
    path: String,
    message: String,
    line: Option<usize>,
    column: Option<usize>,
}

/// A key and its value in force.
#[derive(Serialize)]
struct SettingEntry {
    key: String,
    value: Value,
    source: String,
    hidden: bool,
}

impl Entry {
    /// About a setting, with the line that gives it.
    pub(super) fn at(setting: &Setting, message: String) -> Self {
        let line = setting.source.strip_prefix("line ");
        Self {
            line: line.and_then(|line| line.parse().ok()),
            ..Self::about(&setting.key, message)
        }
    }

    /// About a key that is known, without a line.
    pub(super) fn about(path: &str, message: String) -> Self {
        Self {
            path: path.to_owned(),
            message,
            line: None,
            column: None,
        }
    }
}

/// As problems are printed.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "{line}: ")?;
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl From<&Problem> for Entry {
    fn from(problem: &Problem) -> Self {
        Self {
            path: problem.path.clone(),
            message: problem.message.clone(),
            line: problem.line,
            column: problem.column,
        }
    }
}

impl Report {
    /// Of a configuration that cannot be used.
    pub(super) fn of_problems(problems: Vec<Entry>, warnings: Vec<Entry>) -> Self {
        Self {
            problems,
            warnings,
            ..Self::default()
        }
    }

    /// Of a configuration that can be used.
    pub(super) fn of_usable(
        warnings: Vec<Entry>,
        lines: Vec<Line>,
        settings: &[Setting],
        online: Option<Online>,
    ) -> Self {
        let mut summary: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for Line { about, text } in lines {
            summary.entry(about.to_lowercase()).or_default().push(text);
        }
        Self {
            usable: true,
            warnings,
            summary,
            settings: settings.iter().map(entry).collect(),
            online,
            ..Self::default()
        }
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

fn entry(setting: &Setting) -> SettingEntry {
    let hidden = setting.is_hidden();
    let value = setting.value.as_ref().filter(|_| !hidden);
    let value =
        value.map(|text| serde_yaml::from_str(text).unwrap_or_else(|_| text.clone().into()));
    SettingEntry {
        key: setting.key.clone(),
        value: value.unwrap_or_default(),
        source: setting.source.clone(),
        hidden,
    }
}
