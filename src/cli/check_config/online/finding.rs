//! What the checks found: facts, warnings and errors, each about some part.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use strum::IntoStaticStr;

use super::super::super::table::printable;

/// Subjects of a finding that a line names.
const NAMED: usize = 5;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(in crate::cli::check_config) enum Level {
    /// As it should be.
    Ok,
    /// The exporter works, perhaps not as meant.
    Warning,
    /// A part of the exporter will not work.
    Error,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(in crate::cli::check_config) enum Part {
    Gitlab,
    Token,
    Group,
    Project,
    Ref,
    Graphql,
    Rate,
    Remediation,
    Store,
    Prometheus,
    Alertmanager,
}

/// One fact and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli::check_config) struct Finding {
    level: Level,
    about: Part,
    /// The projects, groups or patterns that it is true of; empty if there is only one thing it can be about.
    subjects: Vec<String>,
    message: String,
}

/// A list of findings about one part. Those about other parts of the same server are in the same list, which outlives a
/// check that takes too long.
#[derive(Debug, Clone)]
pub(super) struct Findings {
    about: Part,
    list: Arc<Mutex<Vec<Finding>>>,
}

impl Findings {
    pub(super) fn about(about: Part) -> Self {
        Self {
            about,
            list: Arc::default(),
        }
    }

    /// The same list, about another part.
    pub(super) fn also_about(&self, about: Part) -> Self {
        Self {
            about,
            list: Arc::clone(&self.list),
        }
    }

    pub(super) fn ok(&self, message: impl Into<String>) {
        self.add(Level::Ok, Vec::new(), message.into());
    }

    pub(super) fn warn(&self, message: impl Into<String>) {
        self.add(Level::Warning, Vec::new(), message.into());
    }

    pub(super) fn error(&self, message: impl Into<String>) {
        self.add(Level::Error, Vec::new(), message.into());
    }

    pub(super) fn add(&self, level: Level, subjects: Vec<String>, message: String) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(Finding {
            level,
            about: self.about,
            subjects,
            message,
        });
    }

    /// Adds what is true of several subjects once.
    pub(super) fn add_grouped(&self, notes: Vec<Note>) {
        let mut groups: BTreeMap<(Level, String), Vec<String>> = BTreeMap::new();
        for Note {
            level,
            subject,
            message,
        } in notes
        {
            groups.entry((level, message)).or_default().push(subject);
        }
        // The worst first.
        for ((level, message), subjects) in groups.into_iter().rev() {
            self.add(level, subjects, message);
        }
    }

    /// All of the list so far.
    pub(super) fn list(&self) -> Vec<Finding> {
        let list = self.list.lock();
        list.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is true of one of several subjects.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) level: Level,
    pub(super) subject: String,
    pub(super) message: String,
}

impl Finding {
    pub(in crate::cli::check_config) fn level(&self) -> Level {
        self.level
    }

    /// One line: the level, what it is about, and the message.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (level, about): (&str, &str) = (self.level.into(), self.about.into());
        write!(out, "{level:<8} {about:<13} ")?;
        if !self.subjects.is_empty() {
            let named = self.subjects.iter().take(NAMED);
            let named: Vec<_> = named.map(|subject| printable(subject)).collect();
            write!(out, "{}", named.join(", "))?;
            let others = self.subjects.len().saturating_sub(NAMED);
            if others > 0 {
                write!(out, " and {others} more")?;
            }
            out.write_all(b": ")?;
        }
        writeln!(out, "{}", printable(&self.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_true_of_many_is_told_once_and_the_worst_comes_first() {
        let findings = Findings::about(Part::Project);
        let note = |level, number: usize| Note {
            level,
            subject: format!("g/{number}"),
            message: format!("is {level:?}"),
        };
        let mut notes: Vec<_> = (1..8).map(|number| note(Level::Warning, number)).collect();
        notes.push(note(Level::Error, 9));
        findings.add_grouped(notes);
        let mut text = Vec::new();
        for finding in findings.list() {
            finding.write(&mut text).unwrap();
        }
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "error    project       g/9: is Error\n\
             warning  project       g/1, g/2, g/3, g/4, g/5 and 2 more: is Warning\n"
        );
    }
}
