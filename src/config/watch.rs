//! The section `watch`: what is polled, and how often.

use std::collections::HashSet;
use std::time::Duration;

use ci_history::{Shard, TAG_TRACK, Track, Tracks, duration};
use globset::{Glob, GlobSet, GlobSetBuilder};

use super::key::{Key, keys};
use super::section::Section;
use super::select::{JobSelector, Pattern, RefPattern, RefSelector, SourceSelector, path_glob};
use super::source::Source;
use super::value_type::Form;
use super::word::{Word as _, words};

/// What is watched.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Time between two polls of an active project.
    pub interval: Duration,
    /// Time between two polls of a quiet project; at least `interval`.
    pub idle_interval: Duration,
    /// Time between two polls of a quiet project whose webhooks come; at least `idle_interval`.
    pub hooked_interval: Duration,
    /// Projects, by path or numeric id; each once.
    pub projects: Vec<String>,
    /// Groups whose projects are watched.
    pub groups: Vec<Group>,
    /// Branches and tags.
    pub refs: RefSelector,
    /// What must have started a pipeline.
    pub sources: SourceSelector,
    /// Pipelines that are counted apart from others of their ref.
    pub tracks: Tracks,
    /// Jobs.
    pub jobs: JobSelector,
    /// Trigger jobs and child pipelines.
    pub child_pipelines: ChildPipelines,
    /// Whether pipeline schedules are read.
    pub schedules: bool,
    /// How far back a new ref is read.
    pub backfill: Backfill,
    /// The part of the projects that this process watches.
    pub shard: Shard,
}

/// Whether trigger jobs and the child pipelines that they start count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildPipelines {
    /// They count, as part of their parent.
    Follow,
    /// GitLab is not asked for them. The default of the preset `datadog-agent`.
    Ignore,
}

words!(ChildPipelines { Follow = "follow", Ignore = "ignore" });

/// How pipelines of merge requests count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MergeRequests {
    /// As `watch.refs` and `watch.sources` say, each with a history of its own.
    Apart,
    /// All of them, with one history.
    Together,
}

words!(MergeRequests { Apart = "apart", Together = "together" });

/// How far back a new ref is read: up to whichever limit comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backfill {
    /// Past pipelines of the ref; the maximum where only `days` is given.
    pub pipelines: usize,
    /// Only pipelines that were updated in this many days.
    pub days: Option<usize>,
}

/// A group whose projects are watched.
#[derive(Debug, Clone)]
pub struct Group {
    /// Path or numeric id.
    pub path: String,
    /// Whether its subgroups' projects are watched too.
    pub include_subgroups: bool,
    /// Whole paths of projects to leave out.
    pub exclude: GlobSet,
}

/// Most past pipelines of a ref that are read.
const MAX_PIPELINES: usize = 1000;

/// Longest name of a track.
const LONGEST_TRACK: usize = 32;

/// Source of the pipelines of merge requests.
const MERGE_REQUEST_SOURCE: &str = "merge_request_event";

/// Shortest time between two polls.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

const REGEX: Form = Form::new(
    "regular expression",
    "a regular expression such as `build-.*`",
);

keys! {
    INTERVAL: Key<Duration> = Key::duration("watch.interval", MIN_INTERVAL)
        .default("30s")
        .doc("Time between two polls of a project with running pipelines.");

    IDLE_INTERVAL: Key<Duration> = Key::duration("watch.idle_interval", MIN_INTERVAL)
        .default("5m")
        .doc("Time between two polls of a quiet project; at least `watch.interval`.");

    HOOKED_INTERVAL: Key<Duration> = Key::duration("watch.hooked_interval", MIN_INTERVAL)
        .default("1h")
        .doc("Time between two polls of a quiet project whose [webhooks](webhooks.md) tell of all its pipelines; at least `watch.idle_interval`. The same value as there polls such projects like others.");

    PROJECTS: Key<String> = Key::text(
        "watch.projects",
        Form {
            plural: Some("paths or ids"),
            numeric: true,
            ..Form::new("path or id", "a project's path such as `group/app`, or its numeric id")
        },
        path_or_id,
    )
    .list()
    .default("[]")
    .doc("Projects to watch. Flag: `--project`, which can be repeated.");

    GROUP_PATH: Key<String> = Key::text(
        "watch.groups[].path",
        Form {
            numeric: true,
            ..Form::new("path or id", "a group's path such as `platform/backend`, or its numeric id")
        },
        path_or_id,
    )
    .required()
    .doc("A group whose projects are watched, except archived ones. Flag: `--group`, which can be repeated.");

    INCLUDE_SUBGROUPS: Key<bool> = Key::bool("watch.groups[].include_subgroups")
        .default("true")
        .doc("Whether the projects of its subgroups are watched too.");

    GROUP_EXCLUDE: Key<Glob> = Key::text(
        "watch.groups[].exclude",
        Form::new("glob", "a glob such as `platform/attic/**`"),
        path_glob,
    )
    .list()
    .default("[]")
    .doc("Projects of the group to leave out, by their whole path. `*` stays within one part of the path, `**` spans several.");

    REFS: Key<RefPattern> = Key::regex(
        "watch.refs",
        Form::new(
            "`default` or regular expression",
            "`default` or a regular expression such as `release/.*`",
        ),
        RefPattern::parse,
    )
    .list()
    .default("[default]")
    .doc("Branches and tags to watch: `default` is each project's default branch, anything else a regular expression that must match the whole name.");

    SOURCES: Key<Source> = Key::word("watch.sources")
        .list()
        .default("[push, web, api, schedule, trigger, chat, webide]")
        .doc("Sources of pipelines that count. Merge requests (`merge_request_event`) and downstream pipelines (`pipeline`) do not count unless listed.");

    TRACK_NAME: Key<String> = Key::text(
        "watch.tracks[].name",
        Form::new("name", "lower-case letters, digits, `-` and `_`, at most 32, such as `nightly`"),
        track_name,
    )
    .required()
    .doc("Name of a track: pipelines that are counted apart from the others of their ref, with the label `track`. `tag` is taken: it is the track of the pipelines of tags.");

    TRACK_SOURCES: Key<Source> = Key::word("watch.tracks[].sources")
        .list()
        .required()
        .doc("Sources of its pipelines, of those in `watch.sources`. The first track that matches takes a pipeline. The others of the ref have no label `track`.");

    MERGE_REQUESTS: Key<MergeRequests> = Key::word("watch.merge_requests")
        .default("apart")
        .doc("Pipelines of merge requests: each merge request has its own history if `watch.refs` matches `refs/merge-requests/.*` and `watch.sources` lists `merge_request_event` (`apart`), or all of a project have one, with the ref `refs/merge-requests/*`, whatever these two keys say (`together`).");

    JOBS_INCLUDE: Key<Pattern> = Key::regex("watch.jobs.include", REGEX, Pattern::parse)
        .list()
        .default("['.*']")
        .doc("Jobs to keep: one of these must match the whole name.");

    JOBS_EXCLUDE: Key<Pattern> = Key::regex("watch.jobs.exclude", REGEX, Pattern::parse)
        .list()
        .default("[]")
        .doc("Jobs to leave out, by the whole name. Overrides `include`.");

    CHILD_PIPELINES: Key<ChildPipelines> = Key::word("watch.child_pipelines")
        .preset("follow")
        .doc("Whether trigger jobs and the jobs of their child pipelines count. These are named `trigger job / job` under the parent's ref. `follow` costs one more request for each new pipeline, and one for each child of a pipeline that is read. `ignore` asks for trigger jobs only where no other job explains how a pipeline ended.");

    SCHEDULES: Key<bool> = Key::bool("watch.schedules")
        .default("true")
        .doc("Whether pipeline schedules are read, also of refs that are not watched, for the `schedule_*` series: a request every second `watch.idle_interval`, every twelfth for a project without schedules (rarely where sweeps by GraphQL tell that there are none), up to two for each run, and one at each reading for a schedule that missed a run.");

    BACKFILL_PIPELINES: Key<usize> = Key::count("watch.backfill.pipelines", 0, MAX_PIPELINES)
        .default("50")
        .doc("Past pipelines that are read of a new ref. With `days` alone, as many as were updated in these days, up to 1000.");

    BACKFILL_DAYS: Key<usize> = Key::count("watch.backfill.days", 1, 365)
        .doc("Past pipelines of a new ref that were not updated for this many days are not read. With `pipelines`, whichever limit comes first.");

    SHARD: Key<Shard> = Key::text(
        "watch.shard",
        Form::new("`number/count`", "a shard's number and how many there are, such as `2/8`"),
        Shard::parse,
    )
    .default("1/1")
    .doc("The part of the projects that this process watches: `2/8` is the second of eight. See [Shards](#shards). Flag: `--shard`.");
}

impl Watch {
    /// Reads the section; `preset` is what the counting's preset does with child pipelines.
    pub(super) fn read(section: &Section<'_>, preset: ChildPipelines) -> Self {
        let interval = section.read(&INTERVAL);
        if section.is_empty_list("projects") && section.is_empty_list("groups") {
            section.complain(
                "nothing is watched; give a project (`--project group/app`, or watch.projects) \
                 or a group (`--group platform`, or watch.groups)"
                    .to_owned(),
            );
        }
        let groups = section.sections("groups");
        let jobs = section.section("jobs");
        let sources = some(section, &SOURCES).into_iter();
        let mut sources: Vec<_> = sources.map(|source| source.0).collect();
        let mut refs = RefSelector::new(some(section, &REFS));
        let joins_merge_requests = section.get(&MERGE_REQUESTS) == MergeRequests::Together;
        if joins_merge_requests {
            sources.push(MERGE_REQUEST_SOURCE);
            refs = refs.with_merge_requests();
        }
        let idle_interval = idle_interval(section, interval);
        Self {
            interval: interval.unwrap_or_default(),
            idle_interval,
            hooked_interval: hooked_interval(section, idle_interval),
            projects: each_once(section.list(&PROJECTS)),
            groups: groups.iter().filter_map(Group::read).collect(),
            refs,
            sources: SourceSelector::new(sources),
            tracks: Tracks::new(tracks(section), joins_merge_requests),
            jobs: JobSelector::new(some(&jobs, &JOBS_INCLUDE), jobs.list(&JOBS_EXCLUDE)),
            child_pipelines: section.read(&CHILD_PIPELINES).unwrap_or(preset),
            schedules: section.get(&SCHEDULES),
            backfill: Backfill::read(&section.section("backfill")),
            shard: section.get(&SHARD),
        }
    }
}

impl Watch {
    /// The value of a key that is not given and whose default other keys change.
    pub(super) fn derived_value(&self, path: &str) -> Option<String> {
        if path == CHILD_PIPELINES.info.path {
            Some(self.child_pipelines.word().to_owned())
        } else if path == IDLE_INTERVAL.info.path {
            Some(duration::format(self.idle_interval))
        } else if path == HOOKED_INTERVAL.info.path {
            Some(duration::format(self.hooked_interval))
        } else if path == BACKFILL_PIPELINES.info.path {
            Some(self.backfill.pipelines.to_string())
        } else {
            None
        }
    }
}

impl Backfill {
    fn read(section: &Section<'_>) -> Self {
        let days = section.read(&BACKFILL_DAYS);
        Self {
            pipelines: if days.is_some() && !section.has(BACKFILL_PIPELINES.info.name()) {
                MAX_PIPELINES
            } else {
                section.get(&BACKFILL_PIPELINES)
            },
            days,
        }
    }
}

impl Group {
    fn read(section: &Section<'_>) -> Option<Self> {
        let mut exclude = GlobSetBuilder::new();
        for glob in section.list(&GROUP_EXCLUDE) {
            exclude.add(glob);
        }
        let exclude = exclude.build();
        if let Err(error) = &exclude {
            section.complain(format!("the globs cannot be used together: {error}"));
        }
        Some(Self {
            include_subgroups: section.get(&INCLUDE_SUBGROUPS),
            path: section.read(&GROUP_PATH)?,
            exclude: exclude.ok()?,
        })
    }
}

/// A longer `interval` alone raises the default of the other with it; a contradiction is refused.
fn idle_interval(section: &Section<'_>, interval: Option<Duration>) -> Duration {
    let idle = section.get(&IDLE_INTERVAL);
    let interval = interval.unwrap_or(idle);
    if idle < interval {
        let (idle, interval) = (duration::format(idle), duration::format(interval));
        section.complain_of(
            IDLE_INTERVAL.info.name(),
            format!("found `{idle}`, wanted at least watch.interval, which is `{interval}`"),
        );
    }
    idle.max(interval)
}

/// A longer `idle_interval` alone raises the default with it; a contradiction is refused.
fn hooked_interval(section: &Section<'_>, idle: Duration) -> Duration {
    let hooked = section.get(&HOOKED_INTERVAL);
    if hooked < idle {
        let (hooked, idle) = (duration::format(hooked), duration::format(idle));
        section.complain_of(
            HOOKED_INTERVAL.info.name(),
            format!("found `{hooked}`, wanted at least watch.idle_interval, which is `{idle}`"),
        );
    }
    hooked.max(idle)
}

fn tracks(section: &Section<'_>) -> Vec<Track> {
    let mut tracks: Vec<Track> = Vec::new();
    for section in section.sections("tracks") {
        let name = section.read(&TRACK_NAME);
        let sources = section.read_list(&TRACK_SOURCES);
        let (Some(name), Some(sources)) = (name, sources) else {
            continue;
        };
        if tracks.iter().any(|track| *track.name == *name) {
            section.complain(format!("the track `{name}` is given twice; keep one"));
        }
        tracks.push(Track {
            name: name.into(),
            sources: sources.iter().map(|source| source.0).collect(),
        });
    }
    tracks
}

/// The name is a label, and a part of the name of a document.
fn track_name(text: &str) -> Result<String, String> {
    if text == TAG_TRACK {
        return Err("this is the track of the pipelines of tags".to_owned());
    }
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    let is_name = (1..=LONGEST_TRACK).contains(&text.len()) && text.chars().all(is_plain);
    is_name.then(|| text.to_owned()).ok_or_else(String::new)
}

/// A list without which nothing would be watched at all.
fn some<T>(section: &Section<'_>, key: &Key<T>) -> Vec<T> {
    let list = section.list(key);
    if list.is_empty() {
        section.complain_of(
            key.info.name(),
            "the list is empty, so nothing would match; leave the key out".to_owned(),
        );
    }
    list
}

fn each_once(list: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    list.into_iter()
        .filter(|item| seen.insert(item.clone()))
        .collect()
}

/// A path or an id as GitLab's API takes them.
pub(super) fn path_or_id(text: &str) -> Result<String, String> {
    if text.contains("://") {
        return Err("leave out the address of the GitLab".to_owned());
    }
    let is_name = |part: &str| {
        let mut chars = part.chars();
        !part.is_empty() && chars.all(|c| c.is_alphanumeric() || "_.-".contains(c))
    };
    if !text.split('/').all(is_name) {
        return Err(String::new());
    }
    Ok(text.to_owned())
}
