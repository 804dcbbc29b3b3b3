//! What is wrong with a configuration: all of it, each with its place.

use std::fmt;
use std::path::{Path, PathBuf};

pub(super) use crate::base::nearest::nearest;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Key path such as `watch.groups[1].path`, a flag, or an environment variable; empty where
    /// the file as a whole is meant.
    pub path: String,
    /// What was found and what is wanted.
    pub message: String,
    /// Line in the file, from 1, where one is known.
    pub line: Option<usize>,
    /// Column in the file, from 1; only where the file is not YAML at all.
    pub column: Option<usize>,
}

/// Everything that is wrong with a configuration, ordered by place; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    file: Option<PathBuf>,
    list: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: Option<&Path>, mut list: Vec<Problem>) -> Self {
        // What stands nowhere in the file comes last.
        list.sort_by_key(|problem| (problem.line.is_none(), problem.line));
        Self {
            file: file.map(Path::to_owned),
            list,
        }
    }

    /// The problems, ordered by place.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are.
    #[expect(
        clippy::len_without_is_empty,
        reason = "it is only made where there is a problem"
    )]
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

impl fmt::Display for Problems {
    /// One problem a line, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.list.iter().enumerate() {
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
        Ok(())
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

/// A text from outside in a message: on one line, cut where it is long.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.split(|c| !token_sign(c)).any(token_of_gitlab) {
        return "<redacted>".to_owned();
    }
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push_str("..");
    }
    shown
}

/// Whether a text looks like a token that was put where its file belongs.
pub(super) fn token_like(text: &str) -> bool {
    let text = text.trim();
    let name_without_dot = text.len() >= SHORTEST_TOKEN && !text.contains('.');
    text.chars().all(token_sign) && (name_without_dot || token_of_gitlab(text))
}

/// GitLab's own tokens begin with their kind: `glpat-`, `gldt-`, `glcbt-`, ..
fn token_of_gitlab(text: &str) -> bool {
    let kind = text
        .strip_prefix("gl")
        .and_then(|rest| rest.split_once('-'));
    text.len() >= SHORTEST_TOKEN
        && kind.is_some_and(|(kind, _)| kind.chars().all(|c| c.is_ascii_lowercase()))
}

fn token_sign(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// Anything shorter is no token that GitLab gave out.
const SHORTEST_TOKEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_stays_on_one_line_and_is_cut() {
        assert_eq!(excerpt("a\nb\u{202e}"), "a\\nb\\u{202e}");
        assert_eq!(excerpt(&"x".repeat(100)), format!("{}..", "x".repeat(80)));
    }

    #[test]
    fn a_token_is_not_shown_wherever_it_was_put() {
        assert_eq!(excerpt("glpat-0123456789abcdef"), "<redacted>");
        assert_eq!(excerpt("Bearer glcbt-64_abcdefghijk.01.z"), "<redacted>");
        assert_eq!(excerpt("glad-to-see"), "glad-to-see");
        assert!(token_like("0123456789abcdef0123 "));
        assert!(!token_like("/run/secrets/gitlab-token"));
        assert!(!token_like("gitlab-token.txt"));
    }
}
