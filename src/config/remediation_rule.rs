//! The rules of the section `remediation`: which failures they match, and what is done about them.

use std::sync::Arc;
use std::time::Duration;

use ci_history::FailureClass;
use globset::{Glob, GlobSet, GlobSetBuilder};

use super::key::{Key, keys};
use super::section::Section;
use super::select::{Pattern, any_matches, path_glob};
use super::value_type::Form;
use super::word::words;

/// What is done about a failed job.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Retries the failed job.
    Recover,
    /// Starts a new pipeline on the head of the ref.
    Restart,
    /// Starts a manual job of the same pipeline.
    Play,
    /// Starts a schedule.
    RunSchedule,
}

words!(ActionKind {
    Recover = "recover",
    Restart = "restart",
    Play = "play",
    RunSchedule = "run_schedule",
});

/// The actions of a rule. A schedule is started by an alert, since no job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleAction {
    Recover,
    Restart,
    Play,
}

words!(RuleAction {
    Recover = "recover",
    Restart = "restart",
    Play = "play",
});

/// What is done about the failures that it matches.
#[derive(Debug, Clone)]
pub struct RemediationRule {
    /// Unique.
    pub name: Arc<str>,
    /// The failures.
    pub when: FailureMatch,
    /// What is done.
    pub action: ActionKind,
    /// The manual job that [`ActionKind::Play`] starts.
    pub play: Option<Arc<str>>,
    /// From the failure to each try. Their number is the most tries in a pipeline.
    pub delays: Vec<Duration>,
}

/// Conditions on a failure. All that are given must hold.
#[derive(Debug, Clone, Default)]
pub struct FailureMatch {
    failure_classes: Vec<FailureClass>,
    failure_reasons: Vec<String>,
    pub(super) log_rules: Vec<String>,
    projects: Option<GlobSet>,
    refs: Vec<Pattern>,
    jobs: Vec<Pattern>,
    stages: Vec<Pattern>,
    tracks: Vec<String>,
    teams: Vec<String>,
}

/// A failure, as conditions see it.
#[derive(Debug, Clone, Copy)]
pub struct FailureFacts<'a> {
    /// Class, by log or reason.
    pub class: FailureClass,
    /// GitLab's `failure_reason`.
    pub reason: Option<&'a str>,
    /// The rule of `classification` that matched the log.
    pub log_rule: Option<&'a str>,
    /// Path of the project.
    pub project: &'a str,
    /// Branch or tag.
    pub ref_name: &'a str,
    /// Track of the ref.
    pub track: Option<&'a str>,
    /// Name of the job.
    pub job: &'a str,
    /// Stage of the job.
    pub stage: &'a str,
    /// Owner of the job.
    pub team: Option<&'a str>,
}

pub(super) const MATCHER: Form = Form::new(
    "regular expression",
    "a regular expression such as `build-.*`",
);

pub(super) const NAME: Form = Form::new(
    "name",
    "letters, digits, `-`, `_` and `.`, at most 64, such as `runner-trouble`",
);

keys! {
    RULE_NAME: Key<String> = Key::text("remediation.rules[].name", NAME, rule_name)
        .required()
        .doc("Name of the rule: the label `rule`.");

    FAILURE_CLASSES: Key<FailureClass> = Key::word("remediation.rules[].match.failure_classes")
        .list()
        .default("[]")
        .doc("The rule matches failures of these classes. Of all conditions under `match` at least one is required, and all given ones must hold.");

    FAILURE_REASONS: Key<String> = Key::text(
        "remediation.rules[].match.failure_reasons",
        Form::new("GitLab's failure reason", "a failure reason of GitLab, such as `runner_system_failure`"),
        not_empty,
    )
    .list()
    .default("[]")
    .doc("Failures with these reasons of GitLab.");

    LOG_RULES: Key<String> = Key::text(
        "remediation.rules[].match.log_rules",
        Form::new("name", "the `name` of a rule of `classification.rules`"),
        not_empty,
    )
    .list()
    .default("[]")
    .doc("Failures whose log one of these rules of `classification.rules` matched.");

    PROJECTS: Key<Glob> = Key::text(
        "remediation.rules[].match.projects",
        Form::new("glob", "a glob such as `platform/**`"),
        path_glob,
    )
    .list()
    .default("[]")
    .doc("Failures in projects of these paths. `*` stays within one part of the path, `**` spans several.");

    REFS: Key<Pattern> = Key::regex("remediation.rules[].match.refs", MATCHER, Pattern::parse)
        .list()
        .default("[]")
        .doc("Failures on refs whose whole name one of these matches.");

    JOBS: Key<Pattern> = Key::regex("remediation.rules[].match.jobs", MATCHER, Pattern::parse)
        .list()
        .default("[]")
        .doc("Failures of jobs whose whole name one of these matches.");

    STAGES: Key<Pattern> = Key::regex("remediation.rules[].match.stages", MATCHER, Pattern::parse)
        .list()
        .default("[]")
        .doc("Failures in stages whose whole name one of these matches.");

    TRACKS: Key<String> = Key::text(
        "remediation.rules[].match.tracks",
        Form::new("name", "the name of a track"),
        not_empty,
    )
    .list()
    .default("[]")
    .doc("Failures in these tracks of `watch.tracks`.");

    TEAMS: Key<String> = Key::text(
        "remediation.rules[].match.teams",
        Form::new("name", "the name of a team"),
        not_empty,
    )
    .list()
    .default("[]")
    .doc("Failures of jobs that these teams own.");

    ACTION: Key<RuleAction> = Key::word("remediation.rules[].action")
        .required()
        .doc("`recover` retries the failed job. `restart` starts a new pipeline on the head of the ref. `play` starts a manual job of the same pipeline, as a fallback.");

    PLAY: Key<String> = Key::text(
        "remediation.rules[].play",
        Form::new("name", "the name of a manual job"),
        not_empty,
    )
    .doc("The manual job that `action: play` starts.");

    DELAYS: Key<Duration> = Key::duration("remediation.rules[].delays", Duration::from_secs(1))
        .list()
        .default("[1m, 5m, 15m]")
        .doc("Time from the failure to each try, plus up to a tenth. Their number is the most tries in a pipeline. At least `10s` leaves GitLab's own `retry:` the first turn.");
}

impl RemediationRule {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let when = FailureMatch::read(&section.section("match"));
        let action = section.read(&ACTION);
        let play = section.read(&PLAY);
        let delays = section.list(&DELAYS);
        let name = section.read(&RULE_NAME)?;
        if when.is_empty() {
            section.complain(format!(
                "the rule `{name}` would match every failure; give a condition under `match`"
            ));
        }
        if (action == Some(RuleAction::Play)) != play.is_some() {
            section.complain(
                "`play` names the manual job that `action: play` starts; give both or neither"
                    .to_owned(),
            );
        }
        if delays.is_empty() || delays.len() > MOST_TRIES {
            section.complain_of(
                DELAYS.info.name(),
                format!(
                    "found {} delays, wanted one for each try, 1 to {MOST_TRIES}",
                    delays.len()
                ),
            );
        }
        Some(Self {
            name: name.into(),
            when,
            action: match action? {
                RuleAction::Recover => ActionKind::Recover,
                RuleAction::Restart => ActionKind::Restart,
                RuleAction::Play => ActionKind::Play,
            },
            play: play.map(Arc::from),
            delays,
        })
    }
}

/// Most tries of one rule in a pipeline.
const MOST_TRIES: usize = 10;

impl FailureMatch {
    fn read(section: &Section<'_>) -> Self {
        let globs = section.list(&PROJECTS);
        let mut projects = GlobSetBuilder::new();
        for glob in &globs {
            projects.add(glob.clone());
        }
        let projects = match projects.build() {
            _ if globs.is_empty() => None,
            Ok(projects) => Some(projects),
            Err(error) => {
                section.complain(format!("the globs cannot be used together: {error}"));
                None
            }
        };
        Self {
            failure_classes: section.list(&FAILURE_CLASSES),
            failure_reasons: section.list(&FAILURE_REASONS),
            log_rules: section.list(&LOG_RULES),
            projects,
            refs: section.list(&REFS),
            jobs: section.list(&JOBS),
            stages: section.list(&STAGES),
            tracks: section.list(&TRACKS),
            teams: section.list(&TEAMS),
        }
    }

    fn is_empty(&self) -> bool {
        let lists = [
            &self.failure_reasons,
            &self.log_rules,
            &self.tracks,
            &self.teams,
        ];
        let patterns = [&self.refs, &self.jobs, &self.stages];
        self.failure_classes.is_empty()
            && self.projects.is_none()
            && lists.iter().all(|list| list.is_empty())
            && patterns.iter().all(|list| list.is_empty())
    }

    pub(super) fn matches(&self, failure: &FailureFacts<'_>) -> bool {
        let is_any =
            |patterns: &[Pattern], text| patterns.is_empty() || any_matches(patterns, text);
        let has = |list: &[String], text: Option<&str>| {
            list.is_empty() || text.is_some_and(|text| list.iter().any(|item| item == text))
        };
        (self.failure_classes.is_empty() || self.failure_classes.contains(&failure.class))
            && has(&self.failure_reasons, failure.reason)
            && has(&self.log_rules, failure.log_rule)
            && has(&self.tracks, failure.track)
            && has(&self.teams, failure.team)
            && is_any(&self.refs, failure.ref_name)
            && is_any(&self.jobs, failure.job)
            && is_any(&self.stages, failure.stage)
            && (self.projects.as_ref()).is_none_or(|projects| projects.is_match(failure.project))
    }
}

/// The name is a label value.
pub(super) fn rule_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let is_name = (1..=64).contains(&text.len()) && text.chars().all(is_plain);
    is_name.then(|| text.to_owned()).ok_or_else(String::new)
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err(String::new());
    }
    Ok(text.to_owned())
}
