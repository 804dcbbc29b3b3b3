//! The section `owners`: the teams of jobs.

use std::sync::Arc;

use globset::{Glob, GlobMatcher};

use super::file;
use super::key::{Key, keys};
use super::owners_file::{Owner, OwnersFile};
use super::section::Section;
use super::select::{name_glob, path_glob};
use super::value_type::Form;

/// Rules and files that give jobs to teams, as CODEOWNERS gives files to people.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    rules: Vec<OwnerRule>,
    file: OwnersFile,
    /// Path of the owners file in each project's repository.
    pub repository_file: Option<String>,
}

#[derive(Debug, Clone)]
struct OwnerRule {
    jobs: GlobMatcher,
    projects: Option<GlobMatcher>,
    team: Arc<str>,
}

keys! {
    FILE: Key<OwnersFile> = Key::file(
        "owners.file",
        "the path of a file with lines such as `deploy-* @sre`",
        owners_file,
    )
    .doc("File with the owners of jobs, in the syntax of CODEOWNERS with job names in place of paths: `deploy-* @sre`. A relative path starts at the configuration's directory.");

    REPOSITORY_FILE: Key<String> = Key::text(
        "owners.repository_file",
        Form::new(
            "path in a repository",
            "the path of a file in a repository, such as `.gitlab/JOBOWNERS`",
        ),
        repository_path,
    )
    .doc("Path of an owners file in each project's repository, such as `.gitlab/JOBOWNERS`. It is read from the default branch about every 10 minutes, and may be missing. Overrides `owners.file`.");

    JOBS: Key<Glob> = Key::text(
        "owners.rules[].jobs",
        Form::new("glob", "a glob such as `deploy-*`"),
        name_glob,
    )
    .required()
    .doc("Job names that belong to a team. As in CODEOWNERS, the last rule that matches wins. Overrides both files.");

    PROJECTS: Key<Glob> = Key::text(
        "owners.rules[].projects",
        Form::new("glob", "a glob such as `platform/attic/**`"),
        path_glob,
    )
    .doc("Project paths that the rule applies to; without it, all. `*` stays within one part of the path, `**` spans several.");

    TEAM: Key<Arc<str>> = Key::text("owners.rules[].team", Form::new("text", "the name of a team"), team)
        .required()
        .doc("The team: the label `team` of `job_info`.");
}

/// What decides who owns the jobs of one project.
pub struct ProjectOwners<'a> {
    /// Those for the project, the last one first.
    rules: Vec<&'a OwnerRule>,
    files: OwnersFiles<'a>,
}

/// What decides where no rule does.
#[derive(Clone, Copy)]
struct OwnersFiles<'a> {
    of_repository: Option<&'a OwnersFile>,
    of_configuration: &'a OwnersFile,
}

impl Owners {
    /// The owners of the jobs in the project of this path: by the last rule that matches, else by the file in the
    /// project's repository, else by `owners.file`.
    pub fn of_project<'a>(
        &'a self,
        project: &str,
        of_repository: Option<&'a OwnersFile>,
    ) -> ProjectOwners<'a> {
        let last_first = self.rules.iter().rev();
        ProjectOwners {
            rules: last_first.filter(|rule| rule.is_for(project)).collect(),
            files: self.files(of_repository),
        }
    }

    /// The team of one job in the project of this path.
    pub fn team<'a>(
        &'a self,
        project: &str,
        job: &str,
        of_repository: Option<&'a OwnersFile>,
    ) -> Option<&'a Arc<str>> {
        let mut last_first = self.rules.iter().rev();
        let rule = last_first.find(|rule| rule.jobs.is_match(job) && rule.is_for(project));
        rule.map_or_else(
            || self.files(of_repository).team(job),
            |rule| Some(&rule.team),
        )
    }

    fn files<'a>(&'a self, of_repository: Option<&'a OwnersFile>) -> OwnersFiles<'a> {
        OwnersFiles {
            of_repository,
            of_configuration: &self.file,
        }
    }

    /// How many rules and patterns of `owners.file` there are.
    pub fn len(&self) -> usize {
        self.rules.len() + self.file.len()
    }

    /// Whether no job has a team by the configuration alone.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn read(section: &Section<'_>) -> Self {
        let rules = section.sections("rules");
        Self {
            rules: rules.iter().filter_map(OwnerRule::read).collect(),
            file: section.read(&FILE).unwrap_or_default(),
            repository_file: section.read(&REPOSITORY_FILE),
        }
    }
}

impl<'a> ProjectOwners<'a> {
    /// The team of a job.
    pub fn team(&self, job: &str) -> Option<&'a Arc<str>> {
        let rule = self.rules.iter().find(|rule| rule.jobs.is_match(job));
        rule.map_or_else(|| self.files.team(job), |rule| Some(&rule.team))
    }
}

impl<'a> OwnersFiles<'a> {
    fn team(self, job: &str) -> Option<&'a Arc<str>> {
        let in_repository = self.of_repository.and_then(|file| file.team(job));
        match in_repository.or_else(|| self.of_configuration.team(job))? {
            Owner::Team(team) => Some(team),
            Owner::Nobody => None,
        }
    }
}

fn owners_file(content: &[u8]) -> Result<OwnersFile, String> {
    let (file, bad) = OwnersFile::parse(file::text(content)?);
    match bad.first() {
        Some(bad) => Err(bad.to_string()),
        None => Ok(file.unwrap_or_default()),
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
        let (jobs, projects) = (section.read(&JOBS), section.read(&PROJECTS));
        let team = section.read(&TEAM);
        Some(Self {
            jobs: jobs?.compile_matcher(),
            projects: projects.map(|glob| glob.compile_matcher()),
            team: team?,
        })
    }

    fn is_for(&self, project: &str) -> bool {
        let projects = self.projects.as_ref();
        projects.is_none_or(|glob| glob.is_match(project))
    }
}

fn team(text: &str) -> Result<Arc<str>, String> {
    if text.trim().is_empty() {
        return Err(String::new());
    }
    Ok(text.into())
}
