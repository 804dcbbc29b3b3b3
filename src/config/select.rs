//! Which refs, pipelines and jobs are watched.

use std::fmt;

use regex::RegexSet;

/// Regular expressions, each matched against a whole text.
#[derive(Debug, Clone)]
struct Patterns {
    set: RegexSet,
    given: Vec<String>,
}

/// Which branches and tags are watched.
#[derive(Debug, Clone)]
pub struct RefSelector {
    default_branch: bool,
    patterns: Patterns,
}

/// What must have started a pipeline for it to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSelector {
    sources: Vec<String>,
}

/// Which jobs have a history.
#[derive(Debug, Clone)]
pub struct JobSelector {
    include: Patterns,
    exclude: Patterns,
}

impl Patterns {
    fn new(given: Vec<String>) -> Result<Self, regex::Error> {
        let set = RegexSet::new(given.iter().map(|pattern| whole(pattern)))?;
        Ok(Self { set, given })
    }

    fn matches(&self, text: &str) -> bool {
        self.set.is_match(text)
    }
}

/// So that a pattern matches the whole text only, line breaks included.
fn whole(pattern: &str) -> String {
    format!("^(?s:{pattern})$")
}

/// Takes a regular expression that is to match a whole text, or says in one line what is wrong with it.
pub(super) fn pattern(text: &str) -> Result<String, String> {
    // First as it is: `a)|(b` is only an expression when wrapped.
    part(text)?;
    part(&whole(text))?;
    Ok(text.to_owned())
}

/// Takes a regular expression that is to be found anywhere, or says in one line what is wrong with it.
pub(super) fn part(text: &str) -> Result<String, String> {
    let compiled = regex::Regex::new(text).map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default().trim();
        last.strip_prefix("error: ").unwrap_or(last).to_owned()
    });
    compiled.map(|_| text.to_owned())
}

impl RefSelector {
    /// The word that stands for a project's default branch.
    pub const DEFAULT_BRANCH: &str = "default";

    /// From the words of `watch.refs`.
    ///
    /// # Errors
    ///
    /// Where one of them is neither `default` nor a regular expression.
    pub fn new(refs: Vec<String>) -> Result<Self, regex::Error> {
        let (defaults, patterns): (Vec<_>, Vec<_>) = refs
            .into_iter()
            .partition(|word| word == Self::DEFAULT_BRANCH);
        Ok(Self {
            default_branch: !defaults.is_empty(),
            patterns: Patterns::new(patterns)?,
        })
    }

    /// Whether a ref is watched in a project with this default branch (`None`: it has none).
    pub fn matches(&self, ref_name: &str, default_branch: Option<&str>) -> bool {
        (self.default_branch && default_branch == Some(ref_name)) || self.patterns.matches(ref_name)
    }

    /// Whether just the default branch is watched, so that GitLab can be asked for it alone.
    pub fn only_default(&self) -> bool {
        self.default_branch && self.patterns.given.is_empty()
    }
}

impl SourceSelector {
    /// From GitLab's words.
    pub fn new(sources: Vec<String>) -> Self {
        Self { sources }
    }

    /// Whether a pipeline of this source counts. One whose source GitLab does not tell (before
    /// 14.0) does.
    pub fn matches(&self, source: Option<&str>) -> bool {
        source.is_none_or(|source| self.sources.iter().any(|word| word == source))
    }

    /// GitLab's words.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(String::as_str)
    }
}

impl JobSelector {
    /// From regular expressions.
    ///
    /// # Errors
    ///
    /// Where one of them is none.
    pub fn new(include: Vec<String>, exclude: Vec<String>) -> Result<Self, regex::Error> {
        Ok(Self {
            include: Patterns::new(include)?,
            exclude: Patterns::new(exclude)?,
        })
    }

    /// Whether a job of this name has a history.
    pub fn matches(&self, name: &str) -> bool {
        self.include.matches(name) && !self.exclude.matches(name)
    }
}

impl fmt::Display for RefSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = self
            .default_branch
            .then_some("each project's default branch");
        let given = self.patterns.given.iter().map(String::as_str);
        let all: Vec<_> = default.into_iter().chain(given).collect();
        f.write_str(&all.join(", "))
    }
}

impl fmt::Display for SourceSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sources.join(", "))
    }
}

impl fmt::Display for JobSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.include.given.join(", "))?;
        if !self.exclude.given.is_empty() {
            write!(f, " without {}", self.exclude.given.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn default_is_the_projects_own_default_branch() {
        let refs = RefSelector::new(words(&["default"])).unwrap();
        assert!(refs.only_default());
        assert!(refs.matches("trunk", Some("trunk")));
        assert!(!refs.matches("default", Some("trunk")));
        assert!(!refs.matches("main", None));
    }

    #[test]
    fn a_ref_pattern_matches_the_whole_name() {
        let refs = RefSelector::new(words(&["default", "release/.*|v[0-9]+"])).unwrap();
        assert!(!refs.only_default());
        assert!(refs.matches("release/1.0", Some("main")));
        assert!(refs.matches("v12", Some("main")));
        assert!(refs.matches("main", Some("main")));
        assert!(!refs.matches("old-release/1.0", Some("main")));
        assert!(!refs.matches("v12-rc", Some("main")));
    }

    #[test]
    fn an_excluded_job_is_out_although_it_is_included() {
        let jobs = JobSelector::new(words(&[".*"]), words(&["^docs-.*"])).unwrap();
        assert!(jobs.matches("build: [a, b]"));
        assert!(jobs.matches("two\nlines"));
        assert!(jobs.matches("my-docs-build"));
        assert!(!jobs.matches("docs-build"));
    }

    #[test]
    fn only_listed_sources_count_and_one_not_told() {
        let sources = SourceSelector::new(words(&["push", "web"]));
        assert!(sources.matches(Some("push")));
        assert!(!sources.matches(Some("merge_request_event")));
        assert!(sources.matches(None));
    }

    #[test]
    fn what_is_wrong_with_a_pattern_takes_one_line() {
        assert_eq!(pattern("a|b"), Ok("a|b".into()));
        assert_eq!(pattern("(a"), Err("unclosed group".into()));
        assert_eq!(pattern("a)|(b"), Err("unopened group".into()));
        assert!(pattern("(?x)a # open").is_err());
    }
}
