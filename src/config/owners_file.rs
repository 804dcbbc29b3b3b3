//! Owners files: the syntax of CODEOWNERS, with job names in place of paths.
//!
//! By hand: the crates that read CODEOWNERS match paths of files, where `*` stops at `/`.

use std::fmt;
use std::sync::Arc;

use globset::{GlobSet, GlobSetBuilder};

use super::select::name_glob;

/// The owners of jobs. As in CODEOWNERS, the last line that matches wins.
#[derive(Debug, Clone, Default)]
pub struct OwnersFile {
    patterns: GlobSet,
    /// The team of each pattern; `None` where a line takes jobs away from everybody.
    teams: Vec<Option<Arc<str>>>,
}

/// The owner that a line gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    Team(&'a Arc<str>),
    /// Nobody, whatever the lines before it say.
    Nobody,
}

/// A line that failed to parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub line: usize,
    /// Why.
    pub problem: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl OwnersFile {
    /// Reads a file. Lines that fail to parse are left out, and given back.
    pub fn parse(text: &str) -> (Self, Vec<BadLine>) {
        let mut patterns = GlobSetBuilder::new();
        let mut teams = Vec::new();
        let mut bad = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let Some((pattern, team)) = rule(line) else {
                continue;
            };
            match name_glob(&pattern) {
                Ok(glob) => {
                    patterns.add(glob);
                    teams.push(team.map(Arc::from));
                }
                Err(problem) => bad.push(BadLine {
                    line: number + 1,
                    problem: format!("`{pattern}` is not a pattern: {problem}"),
                }),
            }
        }
        match patterns.build() {
            Ok(patterns) => (Self { patterns, teams }, bad),
            Err(error) => {
                let problem = format!("the patterns cannot be used together: {error}");
                bad.push(BadLine { line: 1, problem });
                (Self::default(), bad)
            }
        }
    }

    /// The owner of a job; `None` where no line matches.
    pub(super) fn team(&self, job: &str) -> Option<Owner<'_>> {
        let last = self.patterns.matches(job).into_iter().max()?;
        Some(self.teams[last].as_ref().map_or(Owner::Nobody, Owner::Team))
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.teams.len()
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.teams.is_empty()
    }
}

/// The pattern and the first owner of a line; `None` for empty lines, comments and section heads.
fn rule(line: &str) -> Option<(String, Option<&str>)> {
    let line = line.trim();
    let is_section = line.starts_with('[') && line.contains(']') || line.starts_with("^[");
    if line.is_empty() || line.starts_with('#') || is_section {
        return None;
    }
    let (line, excluded) = match line.strip_prefix('!') {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    // Blanks and `#` of a name are escaped by a backslash.
    let mut pattern = String::new();
    let mut chars = line.char_indices();
    let mut end = line.len();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped @ (' ' | '#' | '!'))) => pattern.push(escaped),
                Some((_, escaped)) => pattern.extend(['\\', escaped]),
                None => pattern.push('\\'),
            },
            c if c.is_whitespace() => {
                end = at;
                break;
            }
            c => pattern.push(c),
        }
    }
    let words = line[end..].split_whitespace();
    let mut owners = words.take_while(|word| !word.starts_with('#'));
    let owner = owners.next().filter(|_| !excluded);
    let owner = owner.map(|owner| owner.strip_prefix('@').unwrap_or(owner));
    let pattern = pattern
        .strip_prefix('/')
        .map_or(pattern.clone(), str::to_owned);
    Some((pattern, owner.filter(|owner| !owner.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `-` where no line matches, empty where the owner is nobody.
    fn team(text: &str, job: &str) -> String {
        let (file, bad) = OwnersFile::parse(text);
        assert_eq!(bad, []);
        match file.team(job) {
            Some(Owner::Team(team)) => team.to_string(),
            Some(Owner::Nobody) => String::new(),
            None => "-".to_owned(),
        }
    }

    const FILE: &str = "# whose\n\n[Section] @everyone\n^[Optional][2]\n* @platform/dev @second\n\
        deploy-*   @sre # at night, too\n/lint_* lint@example.com\nbuild\\ docs:\\ [a-z]* @docs\n\
        deploy-nobody\n!lint_old\nscan/* @sec\n";

    #[test]
    fn the_last_line_that_matches_wins() {
        for (job, wanted) in [
            ("unit: [a, b]", "platform/dev"),
            ("deploy-eu/west", "sre"),
            ("lint_go", "lint@example.com"),
            ("lint_old", ""),
            ("deploy-nobody", ""),
            ("build docs: x", "docs"),
            ("scan/deep/er", "sec"),
        ] {
            assert_eq!(team(FILE, job), wanted, "{job}");
        }
        assert_eq!(team("deploy-* @sre", "unit"), "-");
        assert_eq!(team("", "unit"), "-");
    }

    #[test]
    fn a_line_that_is_not_a_pattern_is_left_out_and_told() {
        let (file, bad) = OwnersFile::parse("* @all\n\ndeploy-[ @sre\nunit @dev");
        assert_eq!(file.len(), 2);
        assert_eq!(bad.len(), 1);
        assert!(
            bad[0]
                .to_string()
                .starts_with("line 3: `deploy-[` is not a pattern: "),
            "{}",
            bad[0]
        );
        assert_eq!(file.team("unit"), Some(Owner::Team(&Arc::from("dev"))));
    }
}
