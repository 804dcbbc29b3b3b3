//! The section `watch`: what is polled, and how often.

use std::time::Duration;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::duration;
use super::reader::Section;
use super::select::{self, JobSelector, RefSelector, SourceSelector};
use crate::model::Shard;

/// What is watched.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Time between two polls of a project in which something is going on. Default: 30 s.
    pub interval: Duration,
    /// Time between two polls of a quiet project; at least `interval`. Default: 5 min.
    pub idle_interval: Duration,
    /// Projects, by path or numeric id; each once.
    pub projects: Vec<String>,
    /// Groups whose projects are watched.
    pub groups: Vec<Group>,
    /// Branches and tags. Default: each project's default branch.
    pub refs: RefSelector,
    /// What must have started a pipeline. Default: no merge requests, no downstream pipelines.
    pub sources: SourceSelector,
    /// Jobs. Default: all.
    pub jobs: JobSelector,
    /// What becomes of trigger jobs and child pipelines.
    pub child_pipelines: ChildPipelines,
    /// Whether pipeline schedules are read. Default: yes.
    pub schedules: bool,
    /// How far back a ref is read that is seen for the first time.
    pub backfill: Backfill,
    /// The part of the projects that is watched by this process. Default: all.
    pub shard: Shard,
}

/// What becomes of trigger jobs and of the child pipelines they start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildPipelines {
    /// They count, as part of the pipeline that they belong to. The default.
    Follow,
    /// They are not asked for. The default of the preset `datadog-agent`.
    Ignore,
}

/// The words of `watch.child_pipelines`.
const CHILD_PIPELINES: [(&str, ChildPipelines); 2] = [
    ("follow", ChildPipelines::Follow),
    ("ignore", ChildPipelines::Ignore),
];

/// How far back a ref is read that is seen for the first time: whichever ends first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backfill {
    /// Past pipelines of the ref. Default: 50; where only `days` is given, the most there can be.
    pub pipelines: usize,
    /// Only pipelines that moved in that many days. Default: no limit.
    pub days: Option<usize>,
}

/// Past pipelines of a ref that are read at most.
const MOST_PIPELINES: usize = 1000;

/// A group whose projects are watched.
#[derive(Debug, Clone)]
pub struct Group {
    /// Path or numeric id.
    pub path: String,
    /// Whether its subgroups' projects are watched too. Default: yes.
    pub include_subgroups: bool,
    /// Whole paths of projects to leave out.
    pub exclude: GlobSet,
}

impl Watch {
    /// Reads the section; `preset` says what the counting's preset does with child pipelines.
    pub(super) fn read(section: &Section<'_>, preset: ChildPipelines) -> Option<Self> {
        let interval = section.duration("interval");
        let idle_interval = idle_interval(section, interval);
        let projects = section.list("projects", path_or_id);
        let groups = section.sections("groups");
        let groups: Vec<_> = groups.iter().map(Group::read).collect();
        if projects.as_ref().is_some_and(Vec::is_empty) && groups.is_empty() {
            section.complain(
                "nothing is watched; give a project (`--project group/app`, or watch.projects) \
                 or a group (`--group platform`, or watch.groups)"
                    .to_owned(),
            );
        }
        let refs = some_of(section, "refs", section.list("refs", ref_pattern));
        let sources = some_of(section, "sources", section.words("sources"));
        let jobs = section.section("jobs");
        let include = some_of(&jobs, "include", jobs.list("include", select::pattern));
        let exclude = jobs.list("exclude", select::pattern);
        let child_pipelines = section.choice("child_pipelines", &CHILD_PIPELINES);
        let schedules = section.bool("schedules");
        let backfill = Backfill::read(&section.section("backfill"));
        let shard = section.text("shard", Shard::parse);
        Some(Self {
            interval: interval?,
            idle_interval: idle_interval?,
            projects: each_once(projects?),
            groups: groups.into_iter().collect::<Option<_>>()?,
            refs: RefSelector::new(refs?).ok()?,
            sources: SourceSelector::new(sources?),
            jobs: JobSelector::new(include?, exclude?).ok()?,
            child_pipelines: child_pipelines.unwrap_or(preset),
            schedules: schedules?,
            backfill: backfill?,
            shard: shard?,
        })
    }
}

impl Backfill {
    fn read(section: &Section<'_>) -> Option<Self> {
        let pipelines = section.count("pipelines")?;
        let days = section.count("days");
        if days.is_none() && section.has("days") {
            return None;
        }
        let by_days_alone = days.is_some() && !section.has("pipelines");
        Some(Self {
            pipelines: if by_days_alone {
                MOST_PIPELINES
            } else {
                pipelines
            },
            days,
        })
    }
}

impl Group {
    fn read(section: &Section<'_>) -> Option<Self> {
        let path = section.text("path", path_or_id);
        let include_subgroups = section.bool("include_subgroups");
        let exclude = section.list("exclude", path_glob);
        let mut set = GlobSetBuilder::new();
        for glob in exclude? {
            set.add(glob);
        }
        Some(Self {
            path: path?,
            include_subgroups: include_subgroups?,
            exclude: set.build().ok()?,
        })
    }
}

/// A longer `interval` alone takes the default of the other with it; a contradiction is refused.
fn idle_interval(section: &Section<'_>, interval: Option<Duration>) -> Option<Duration> {
    let (idle, interval) = (section.duration("idle_interval")?, interval?);
    if idle >= interval {
        return Some(idle);
    }
    if let Some(given) = section.given("idle_interval") {
        let interval = duration::format(interval);
        given.complain(format!(
            "found `{}`, wanted at least watch.interval, which is `{interval}`",
            duration::format(idle)
        ));
    }
    Some(interval)
}

/// Refuses an empty list where it would watch nothing at all.
fn some_of<T>(section: &Section<'_>, name: &str, list: Option<Vec<T>>) -> Option<Vec<T>> {
    if list.as_ref().is_some_and(Vec::is_empty)
        && let Some(given) = section.given(name)
    {
        given.complain("the list is empty, so nothing would match; leave the key out".to_owned());
    }
    list
}

fn each_once(list: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(list.len());
    for item in list {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

fn ref_pattern(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err(String::new());
    }
    select::pattern(text)
}

/// A path or an id as GitLab's API takes them.
fn path_or_id(text: &str) -> Result<String, String> {
    if text.contains("://") {
        return Err("leave out the address of the GitLab".to_owned());
    }
    let parts_are_names = text.split('/').all(|part| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_alphanumeric() || "_.-".contains(c))
    });
    if !parts_are_names {
        return Err(String::new());
    }
    Ok(text.to_owned())
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
