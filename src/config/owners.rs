//! The section `owners`: whose a job is.

use std::sync::Arc;

use globset::GlobMatcher;

use super::reader::Section;
use super::watch::{name_glob, path_glob};

/// Rules that give jobs to teams, as CODEOWNERS gives files to people.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    rules: Vec<OwnerRule>,
}

#[derive(Debug, Clone)]
struct OwnerRule {
    jobs: GlobMatcher,
    projects: Option<GlobMatcher>,
    team: Arc<str>,
}

impl Owners {
    /// The team of a job in the project of this path: that of the last rule that matches.
    pub fn team(&self, project: &str, job: &str) -> Option<&Arc<str>> {
        let mut last_first = self.rules.iter().rev();
        let rule = last_first.find(|rule| {
            rule.jobs.is_match(job)
                && rule
                    .projects
                    .as_ref()
                    .is_none_or(|glob| glob.is_match(project))
        });
        rule.map(|rule| &rule.team)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether no job has a team.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let rules = section.sections("rules");
        let rules: Vec<_> = rules.iter().map(OwnerRule::read).collect();
        let rules = rules.into_iter().collect::<Option<_>>()?;
        Some(Self { rules })
    }
}

impl OwnerRule {
    fn read(section: &Section<'_>) -> Option<Self> {
        let jobs = section.text("jobs", name_glob);
        let projects = section.text("projects", path_glob);
        let team = section.text("team", team);
        Some(Self {
            jobs: jobs?.compile_matcher(),
            projects: projects.map(|glob| glob.compile_matcher()),
            team: team?,
        })
    }
}

fn team(text: &str) -> Result<Arc<str>, String> {
    if text.trim().is_empty() {
        return Err(String::new());
    }
    Ok(text.into())
}
