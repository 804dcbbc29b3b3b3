//! Owners files: the syntax of CODEOWNERS, with job names in place of paths.
//!
//! By hand: the crates that read CODEOWNERS match paths of files, where `*` stops at `/`.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::owners_line::Line;
use super::select::name_glob;

/// Most patterns of a file.
const MOST_PATTERNS: usize = 5000;

/// Longest pattern or owner, in bytes. GitLab's names of jobs have at most 255 characters.
const LONGEST_WORD: usize = 512;

/// Largest sum of the patterns of a file, in bytes, each wildcard counted as [`WILDCARD`] bytes: all are compiled
/// together, and anybody who may push to a repository writes them.
const MOST_BYTES: usize = 128 << 10;

/// What a wildcard takes, compared with a plain byte.
const WILDCARD: usize = 8;

/// Most `*`, `?`, `[` and `{` of a pattern.
const MOST_WILDCARDS: usize = 16;

/// Most runs of `*` of a pattern.
const MOST_STARS: usize = 4;

/// Lines that failed to parse and are given back; of the others only the number.
const MOST_BAD_LINES: usize = 10;

/// The owners of jobs, by section. As in CODEOWNERS, the last line of a section that matches wins.
#[derive(Debug, Clone, Default)]
pub struct OwnersFile {
    patterns: GlobSet,
    /// What each pattern gives, in the order of the file.
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    /// Number of the section, from 0 for the lines before the first head.
    section: usize,
    gives: Gift,
}

#[derive(Debug, Clone)]
enum Gift {
    Team(Arc<str>),
    /// The section leaves the job to nobody.
    Nobody,
    /// The section does not apply to the job, whatever its other lines say.
    Exclusion,
}

/// The owner that a file gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    Team(&'a Arc<str>),
    /// A line matches, and it names nobody.
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
    /// Without a file, they cannot be used together.
    pub fn parse(text: &str) -> (Option<Self>, Vec<BadLine>) {
        let mut reader = FileReader::default();
        for (index, line) in text.lines().enumerate() {
            if let Some(line) = Line::parse(line)
                && let Err(problem) = reader.add(line)
            {
                reader.bad.add(index + 1, problem);
            }
        }
        reader.build()
    }

    /// The owner of a job; `None` where no line matches. Of several sections that own the job, the last one
    /// counts.
    pub(super) fn team(&self, job: &str) -> Option<Owner<'_>> {
        let mut matches = self.patterns.matches(job);
        matches.sort_unstable();
        let matching: Vec<&Rule> = matches.iter().map(|&index| &self.rules[index]).collect();
        let sections = matching.chunk_by(|a, b| a.section == b.section);
        let owners: Vec<Owner<'_>> = sections.map(owner_by_section).collect();
        let last_team = owners.iter().rfind(|owner| matches!(owner, Owner::Team(_)));
        last_team.or(owners.last()).copied()
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// The owner by the matching lines of one section.
fn owner_by_section<'a>(matching: &[&'a Rule]) -> Owner<'a> {
    if matching
        .iter()
        .any(|rule| matches!(rule.gives, Gift::Exclusion))
    {
        return Owner::Nobody;
    }
    match matching.last().map(|rule| &rule.gives) {
        Some(Gift::Team(team)) => Owner::Team(team),
        _ => Owner::Nobody,
    }
}

/// A file while it is read.
#[derive(Default)]
struct FileReader {
    globs: Vec<Glob>,
    rules: Vec<Rule>,
    /// What the patterns take so far, of [`MOST_BYTES`].
    bytes: usize,
    section: usize,
    /// Default owner of the section.
    default: Option<Arc<str>>,
    bad: BadLines,
}

impl FileReader {
    fn add(&mut self, line: Line<'_>) -> Result<(), String> {
        match line {
            Line::Section(default) => {
                self.section += 1;
                // A section whose default owner is refused has none.
                self.default = None;
                self.default = default.map(team).transpose()?;
                Ok(())
            }
            Line::Exclusion(pattern) => self.rule(&pattern, Gift::Exclusion),
            Line::Pattern(pattern, owner) => {
                let own = owner.map(team).transpose()?;
                let team = own.or_else(|| self.default.clone());
                self.rule(&pattern, team.map_or(Gift::Nobody, Gift::Team))
            }
        }
    }

    fn rule(&mut self, pattern: &str, gives: Gift) -> Result<(), String> {
        if self.rules.len() >= MOST_PATTERNS {
            return Err(format!("it is beyond the first {MOST_PATTERNS} patterns"));
        }
        short(pattern)?;
        let bytes = self.bytes + pattern.len() + WILDCARD * wildcards_of(pattern)?;
        if bytes > MOST_BYTES {
            return Err(format!(
                "with it the patterns take more than {} KiB, each wildcard counted as {WILDCARD} bytes",
                MOST_BYTES >> 10
            ));
        }
        let glob = name_glob(pattern)
            .map_err(|problem| format!("`{pattern}` is not a pattern: {problem}"))?;
        self.bytes = bytes;
        self.globs.push(glob);
        self.rules.push(Rule {
            section: self.section,
            gives,
        });
        Ok(())
    }

    fn build(mut self) -> (Option<OwnersFile>, Vec<BadLine>) {
        let mut patterns = GlobSetBuilder::new();
        for glob in self.globs {
            patterns.add(glob);
        }
        let file = match patterns.build() {
            Ok(patterns) => Some(OwnersFile {
                patterns,
                rules: self.rules,
            }),
            Err(error) => {
                let problem = format!("the patterns cannot be used together: {error}");
                self.bad.add(1, problem);
                None
            }
        };
        (file, self.bad.all())
    }
}

/// How many wildcards a pattern has; an error if they are too many to be matched fast.
fn wildcards_of(pattern: &str) -> Result<usize, String> {
    let wildcards = pattern.matches(['*', '?', '[', '{']).count();
    let pairs = pattern.bytes().zip(pattern.bytes().skip(1).chain([b' ']));
    // The last of each run.
    let stars = pairs
        .filter(|pair| pair.0 == b'*' && pair.1 != b'*')
        .count();
    if wildcards > MOST_WILDCARDS || stars > MOST_STARS {
        return Err(format!(
            "the pattern has {wildcards} wildcards, {stars} of them `*`; at most {MOST_WILDCARDS} are allowed, and at \
             most {MOST_STARS} `*`"
        ));
    }
    Ok(wildcards)
}

fn team(owner: &str) -> Result<Arc<str>, String> {
    short(owner)?;
    Ok(owner.into())
}

fn short(word: &str) -> Result<(), String> {
    match word.len() {
        ..=LONGEST_WORD => Ok(()),
        length => Err(format!(
            "a pattern or owner has {length} bytes, and at most {LONGEST_WORD} are allowed"
        )),
    }
}

/// The first lines that failed to parse, and the number of the others.
#[derive(Default)]
struct BadLines {
    first: Vec<BadLine>,
    others: usize,
}

impl BadLines {
    fn add(&mut self, line: usize, problem: String) {
        if self.first.len() < MOST_BAD_LINES {
            self.first.push(BadLine { line, problem });
        } else {
            self.others += 1;
        }
    }

    fn all(mut self) -> Vec<BadLine> {
        if let (1.., Some(last)) = (self.others, self.first.last_mut()) {
            let others = self.others;
            let _ = write!(
                last.problem,
                " (and {others} further lines that failed to parse)"
            );
        }
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `-` where no line matches, empty where the owner is nobody.
    fn team(text: &str, job: &str) -> String {
        let (file, bad) = OwnersFile::parse(text);
        assert_eq!(bad, []);
        match file.unwrap().team(job) {
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
    fn lines_without_an_owner_belong_to_the_default_owner_of_their_section() {
        let file = "other @everybody\nlint\n[Backend][2] @backend-team @x\nbuild\nlint @qa\n\
            ^[Docs] @docs\n!build\ndocs-*\n!docs-old\ndocs-old-but-gold @gold\n[Bare]\nbuild\nnobody\n";
        for (job, wanted) in [
            ("other", "everybody"),
            ("build", "backend-team"),
            ("lint", "qa"),
            ("docs-site", "docs"),
            ("docs-old", ""),
            ("docs-old-but-gold", "gold"),
            ("nobody", ""),
            ("unit", "-"),
        ] {
            assert_eq!(team(file, job), wanted, "{job}");
        }
    }

    #[test]
    fn files_of_any_content_are_read_in_bounded_time() {
        let contents = [
            "*{[".repeat(100_000),
            "{a,".repeat(100) + " @x\n",
            "[".repeat(1 << 20),
            "{\n".repeat(1 << 19),
            "a*?b*[!c]d* @x\n".repeat(1 << 16),
            "\\ ".repeat(1 << 19),
            format!("a @{}\n", "x".repeat(1 << 20)),
        ];
        for content in contents {
            let (file, bad) = OwnersFile::parse(&content);
            let file = file.unwrap();
            assert!(file.len() <= MOST_PATTERNS && bad.len() <= MOST_BAD_LINES);
            assert!(!bad.is_empty(), "{content:.20}");
        }
    }

    #[test]
    fn patterns_that_would_take_much_together_are_left_out_and_told() {
        let lines = |pattern: &str| {
            let lines = (0..5000).map(|number| format!("{pattern}{number} @x\n"));
            OwnersFile::parse(&lines.collect::<String>())
        };
        for (pattern, wanted) in [
            (
                "*a".repeat(60),
                "the pattern has 60 wildcards, 60 of them `*`",
            ),
            (
                "{a,b,c,d}".repeat(17),
                "the pattern has 17 wildcards, 0 of them `*`",
            ),
            ("[!a-z]".repeat(20), "the pattern has 20 wildcards"),
            ("?".repeat(140), "the pattern has 140 wildcards"),
        ] {
            let (file, bad) = lines(&pattern);
            assert!(file.unwrap().is_empty());
            assert!(bad[0].problem.starts_with(wanted), "{}", bad[0]);
        }
        for pattern in [
            "**a*b".to_owned(),
            "[!a-z]".repeat(16),
            format!("*{}", "ab".repeat(200)),
        ] {
            let (file, bad) = lines(&pattern);
            let fits = file.unwrap().len();
            assert!((100..5000).contains(&fits), "{pattern}: {fits}");
            assert!(bad[0].problem.contains("more than 128 KiB"), "{}", bad[0]);
        }
    }

    #[test]
    fn a_line_that_is_not_a_pattern_is_left_out_and_told() {
        let (file, bad) = OwnersFile::parse("* @all\n\ndeploy-[ @sre\nunit @dev");
        let file = file.unwrap();
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
