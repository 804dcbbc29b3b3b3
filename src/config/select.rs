//! Which refs, pipelines and jobs are watched.

use std::fmt;

use ci_history::{ALL_MERGE_REQUESTS, MERGE_REQUEST_REFS};
use globset::{Glob, GlobBuilder};
use regex::Regex;

use super::regexes::{self, RegexBudget};

/// A regular expression that must match a whole text.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    text: String,
}

/// A value of `watch.refs`.
#[derive(Debug, Clone)]
pub(super) enum RefPattern {
    DefaultBranch,
    Pattern(Pattern),
}

/// Which branches and tags are watched.
#[derive(Debug, Clone)]
pub struct RefSelector {
    default_branch: bool,
    patterns: Vec<Pattern>,
    merge_requests: bool,
}

/// Which pipelines count, by what started them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSelector {
    sources: Vec<&'static str>,
}

/// Which jobs have a history.
#[derive(Debug, Clone)]
pub struct JobSelector {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

impl Pattern {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The error says in one line what is wrong.
    pub(super) fn parse(budget: &RegexBudget, text: &str) -> Result<Self, String> {
        // `$` and `(?s)`: the whole text, line breaks included.
        let regex = budget.compile(&format!("^(?s:{text})$"))?;
        // Also as it is: `a)|(b` is only an expression when wrapped.
        regexes::check(text)?;
        Ok(Self {
            regex,
            text: text.to_owned(),
        })
    }
}

/// Whether one of the patterns matches the whole text.
pub(super) fn any_matches(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.regex.is_match(text))
}

/// A regular expression that is to be found anywhere.
pub(super) fn part(budget: &RegexBudget, text: &str) -> Result<String, String> {
    budget.compile(text).map(|_| text.to_owned())
}

/// A glob over paths of projects, in which `*` stays within one part.
pub(super) fn path_glob(text: &str) -> Result<Glob, String> {
    let mut builder = GlobBuilder::new(text);
    glob(builder.literal_separator(true), text)
}

/// A glob over names of jobs, in which `*` is any text.
pub(super) fn name_glob(text: &str) -> Result<Glob, String> {
    glob(&GlobBuilder::new(text), text)
}

fn glob(builder: &GlobBuilder<'_>, text: &str) -> Result<Glob, String> {
    if text.is_empty() {
        return Err(String::new());
    }
    builder.build().map_err(|error| error.kind().to_string())
}

impl RefPattern {
    pub(super) fn parse(budget: &RegexBudget, text: &str) -> Result<Self, String> {
        match text {
            "" => Err(String::new()),
            "default" => Ok(Self::DefaultBranch),
            _ => Pattern::parse(budget, text).map(Self::Pattern),
        }
    }
}

impl RefSelector {
    pub(super) fn new(refs: Vec<RefPattern>) -> Self {
        let mut selector = Self {
            default_branch: false,
            patterns: Vec::new(),
            merge_requests: false,
        };
        for pattern in refs {
            match pattern {
                RefPattern::DefaultBranch => selector.default_branch = true,
                RefPattern::Pattern(pattern) => selector.patterns.push(pattern),
            }
        }
        selector
    }

    /// Adds the refs of all merge requests.
    pub(super) fn with_merge_requests(mut self) -> Self {
        self.merge_requests = true;
        self
    }

    /// Whether a branch or tag of this name is watched. A tag is never the default branch.
    pub fn watches(&self, ref_name: &str, tag: bool, default_branch: Option<&str>) -> bool {
        self.matches(ref_name, default_branch.filter(|_| !tag))
    }

    /// Whether a ref is watched in a project with this default branch (`None`: it has none).
    pub fn matches(&self, ref_name: &str, default_branch: Option<&str>) -> bool {
        let is_default = self.default_branch && default_branch == Some(ref_name);
        if ref_name == ALL_MERGE_REQUESTS {
            // Their common history, whatever a pattern says of each.
            return self.merge_requests;
        }
        let is_merge_request = self.merge_requests && ref_name.starts_with(MERGE_REQUEST_REFS);
        is_default || is_merge_request || any_matches(&self.patterns, ref_name)
    }

    /// The regular expressions; `default` and the merge requests are none.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Whether the default branch is watched, whatever its name.
    pub fn includes_default(&self) -> bool {
        self.default_branch
    }

    /// Whether only the default branch is watched, so that GitLab can be asked for it alone.
    pub fn only_default(&self) -> bool {
        self.default_branch && self.patterns.is_empty() && !self.merge_requests
    }
}

impl SourceSelector {
    pub(super) fn new(sources: Vec<&'static str>) -> Self {
        Self { sources }
    }

    /// Whether a pipeline of this source counts. Without a source (GitLab before 14.0) it does.
    pub fn matches(&self, source: Option<&str>) -> bool {
        source.is_none_or(|source| self.sources.contains(&source))
    }

    /// The sources, as GitLab names them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().copied()
    }
}

impl JobSelector {
    pub(super) fn new(include: Vec<Pattern>, exclude: Vec<Pattern>) -> Self {
        Self { include, exclude }
    }

    /// Whether a job of this name has a history.
    pub fn matches(&self, name: &str) -> bool {
        any_matches(&self.include, name) && !any_matches(&self.exclude, name)
    }
}

fn join(patterns: &[Pattern]) -> String {
    let texts: Vec<_> = patterns.iter().map(|pattern| &*pattern.text).collect();
    texts.join(", ")
}

impl fmt::Display for RefSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.default_branch {
            f.write_str("each project's default branch")?;
            if !self.patterns.is_empty() {
                f.write_str(", ")?;
            }
        }
        f.write_str(&join(&self.patterns))?;
        if self.merge_requests {
            f.write_str(", all merge requests together")?;
        }
        Ok(())
    }
}

impl fmt::Display for SourceSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sources.join(", "))
    }
}

impl fmt::Display for JobSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&join(&self.include))?;
        if !self.exclude.is_empty() {
            write!(f, " without {}", join(&self.exclude))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(refs: &[&str]) -> RefSelector {
        let parse = |text: &&str| RefPattern::parse(&RegexBudget::default(), text).unwrap();
        RefSelector::new(refs.iter().map(parse).collect())
    }

    #[test]
    fn default_is_the_projects_own_default_branch() {
        let refs = refs(&["default"]);
        assert!(refs.only_default());
        assert!(refs.matches("trunk", Some("trunk")));
        assert!(!refs.matches("default", Some("trunk")));
        assert!(!refs.matches("main", None));
    }

    #[test]
    fn a_ref_pattern_matches_the_whole_name() {
        let refs = refs(&["default", "release/.*|v[0-9]+"]);
        assert!(!refs.only_default());
        assert!(refs.matches("release/1.0", Some("main")));
        assert!(refs.matches("v12", Some("main")));
        assert!(refs.matches("main", Some("main")));
        assert!(!refs.matches("old-release/1.0", Some("main")));
        assert!(!refs.matches("v12-rc", Some("main")));
    }

    #[test]
    fn an_excluded_job_is_out_although_it_is_included() {
        let jobs = JobSelector::new(
            vec![Pattern::parse(&RegexBudget::default(), ".*").unwrap()],
            vec![Pattern::parse(&RegexBudget::default(), "^docs-.*").unwrap()],
        );
        assert!(jobs.matches("build: [a, b]"));
        assert!(jobs.matches("two\nlines"));
        assert!(jobs.matches("my-docs-build"));
        assert!(!jobs.matches("docs-build"));
    }

    #[test]
    fn only_listed_sources_count_and_one_not_told() {
        let sources = SourceSelector::new(vec!["push", "web"]);
        assert!(sources.matches(Some("push")));
        assert!(!sources.matches(Some("merge_request_event")));
        assert!(sources.matches(None));
    }

    #[test]
    fn what_is_wrong_with_a_pattern_takes_one_line() {
        let error = |text| Pattern::parse(&RegexBudget::default(), text).unwrap_err();
        assert!(Pattern::parse(&RegexBudget::default(), "a|b").is_ok());
        assert_eq!(error("(a"), "unclosed group");
        assert_eq!(error("a)|(b"), "unopened group");
        assert!(Pattern::parse(&RegexBudget::default(), "(?x)a # open").is_err());
    }
}
