//! The problems of a configuration, and the report that collects them.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

use super::node::Origin;

/// Problems that are printed. A data file given by mistake has thousands.
const PRINTED: usize = 20;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Key path such as `watch.groups[1].path`, a flag, or an environment variable; empty for the
    /// file as a whole.
    pub path: String,
    /// What was found and what is wanted.
    pub message: String,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// Column in the file, from 1; only where the file cannot be read as YAML.
    pub column: Option<usize>,
}

impl Problem {
    pub(super) fn of_file(message: String) -> Self {
        Self {
            path: String::new(),
            message,
            line: None,
            column: None,
        }
    }
}

/// All problems of a configuration, ordered by line; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    file: Option<PathBuf>,
    list: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: Option<&Path>, mut list: Vec<Problem>) -> Self {
        // Problems without a line come last.
        list.sort_by_key(|problem| (problem.line.is_none(), problem.line));
        Self {
            file: file.map(Path::to_owned),
            list,
        }
    }

    /// The problems, ordered by line.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

impl fmt::Display for Problems {
    /// One problem a line, the first 20 of them, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.list.iter().take(PRINTED).enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            if let (Some(file), Some(line)) = (&self.file, problem.line) {
                write!(f, "{}:{line}:", file.display())?;
                if let Some(column) = problem.column {
                    write!(f, "{column}:")?;
                }
                f.write_str(" ")?;
            }
            write!(f, "{problem}")?;
        }
        match self.list.len().saturating_sub(PRINTED) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problems {}

/// Collects problems while sections are read.
#[derive(Default)]
pub(super) struct Report {
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl Report {
    /// Notes a problem with the value of a key.
    pub(super) fn add(&self, origin: Origin, path: &str, message: String) {
        self.problems
            .borrow_mut()
            .push(problem(origin, path, message));
    }

    /// Notes a secret's file that cannot be read: `check-config` may run where it is not mounted.
    pub(super) fn warn(&self, origin: Origin, path: &str, message: String) {
        self.warnings
            .borrow_mut()
            .push(problem(origin, path, message));
    }

    /// The problems and the warnings.
    pub(super) fn into_inner(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems.into_inner(), self.warnings.into_inner())
    }
}

fn problem(origin: Origin, path: &str, message: String) -> Problem {
    let (path, line) = match origin {
        Origin::Line(line) => (path, Some(line)),
        Origin::Flag(flag) => (flag, None),
        Origin::Unset => (path, None),
    };
    Problem {
        path: path.to_owned(),
        message,
        line,
        column: None,
    }
}
