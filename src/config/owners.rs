//! The section `owners`: whose a job is.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use globset::GlobMatcher;

use super::owners_file::{Owner, OwnersFile};
use super::reader::Section;
use super::watch::{name_glob, path_glob};

/// Rules and files that give jobs to teams, as CODEOWNERS gives files to people.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    rules: Vec<OwnerRule>,
    file: OwnersFile,
    /// Where a project's repository says whose its jobs are, if it is to be asked.
    pub repository_file: Option<String>,
}

#[derive(Debug, Clone)]
struct OwnerRule {
    jobs: GlobMatcher,
    projects: Option<GlobMatcher>,
    team: Arc<str>,
}

impl Owners {
    /// The team of a job in the project of this path: by the last rule that matches, else by the file of
    /// the project's repository, else by the file that the configuration names.
    pub fn team<'a>(
        &'a self,
        project: &str,
        job: &str,
        of_repository: Option<&'a OwnersFile>,
    ) -> Option<&'a Arc<str>> {
        let mut last_first = self.rules.iter().rev();
        let rule = last_first.find(|rule| {
            rule.jobs.is_match(job)
                && rule
                    .projects
                    .as_ref()
                    .is_none_or(|glob| glob.is_match(project))
        });
        if let Some(rule) = rule {
            return Some(&rule.team);
        }
        let in_repository = of_repository.and_then(|file| file.team(job));
        match in_repository.or_else(|| self.file.team(job))? {
            Owner::Team(team) => Some(team),
            Owner::Nobody => None,
        }
    }

    /// How many rules there are, and patterns of the file that the configuration names.
    pub fn len(&self) -> usize {
        self.rules.len() + self.file.len()
    }

    /// Whether no job has a team by the configuration alone.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn read(section: &Section<'_>, folder: &Path) -> Option<Self> {
        let file = if section.has("file") {
            section.text("file", |path| owners_file(folder, path))
        } else {
            Some(OwnersFile::default())
        };
        let repository_file = section.text("repository_file", repository_path);
        let rules = section.sections("rules");
        let rules: Vec<_> = rules.iter().map(OwnerRule::read).collect();
        let rules = rules.into_iter().collect::<Option<_>>()?;
        Some(Self {
            rules,
            file: file?,
            repository_file,
        })
    }
}

fn owners_file(folder: &Path, path: &str) -> Result<OwnersFile, String> {
    if path.is_empty() {
        return Err(String::new());
    }
    let text = fs::read_to_string(folder.join(path)).map_err(|error| error.to_string())?;
    let (file, bad) = OwnersFile::parse(&text);
    match bad.first() {
        Some(bad) => Err(bad.to_string()),
        None => Ok(file),
    }
}

fn repository_path(text: &str) -> Result<String, String> {
    let path = text.trim_start_matches('/');
    if path.is_empty() || path.ends_with('/') {
        return Err(String::new());
    }
    Ok(path.to_owned())
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
