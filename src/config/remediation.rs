//! The section `remediation`: which failed jobs are brought back, and within which bounds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ci_history::FailureClass;
use globset::{Glob, GlobSet, GlobSetBuilder};
use secrecy::SecretString;

use super::key::{Key, keys};
use super::secret::{hook_token_of_file, token_of_file};
use super::secret_file::SecretFile;
use super::section::Section;
use super::select::{Pattern, any_matches, path_glob};
use super::value_type::Form;
use super::webhooks::live;
use super::word::{Word as _, words};
use crate::base::live_secret::LiveSecret;

/// Which failed jobs are brought back, and within which bounds.
#[derive(Debug, Clone)]
pub struct Remediation {
    /// How far it goes.
    pub mode: Mode,
    /// The token that changes something in GitLab.
    pub token: Option<SecretString>,
    /// The file that the token comes from.
    pub token_file: Option<Arc<SecretFile>>,
    /// In the order of the configuration: the first one that matches decides.
    pub rules: Vec<RemediationRule>,
    /// Most actions.
    pub limits: ActionLimits,
    /// When a job is given up.
    pub circuit: CircuitRule,
    /// When everything waits.
    pub pause_when: PauseWhen,
    /// Whether jobs that deploy may be started.
    pub allow_deployments: bool,
    /// Names and stages of jobs that deploy.
    pub deployments: Vec<Pattern>,
    /// Who may ask for actions over HTTP.
    pub callers: Vec<Caller>,
}

/// How far remediation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is decided.
    Off,
    /// Decides and shows it. Changes nothing in GitLab.
    Report,
    /// Acts.
    Act,
}

words!(Mode { Off = "off", Report = "report", Act = "act" });

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
    log_rules: Vec<String>,
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

/// Most actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionLimits {
    /// In an hour, over all projects.
    pub actions_per_hour: usize,
    /// In an hour, in one project.
    pub per_project_per_hour: usize,
    /// In one pipeline.
    pub per_pipeline: usize,
    /// Longest time from the failure to the action.
    pub younger_than: Duration,
}

/// When a job is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitRule {
    /// Consecutive failures that open the circuit.
    pub failures: u64,
    /// What closes it again.
    pub reset: CircuitReset,
}

/// What closes the circuit of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitReset {
    /// The job passes, or an operator closes it.
    Pass,
    /// An operator.
    Manual,
}

words!(CircuitReset { Pass = "pass", Manual = "manual" });

/// When everything waits: an outage, into which retries would only add load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PauseWhen {
    /// Share of the jobs that ran in the last hour whose newest execution failed, above 0 to 1.
    pub failing_share: f64,
    /// The smallest number of such jobs.
    pub at_least: usize,
}

/// Somebody who may ask for actions over HTTP.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Shown with each action.
    pub name: Arc<str>,
    /// The password of basic authentication, or the bearer token.
    pub token: Option<Arc<LiveSecret<str>>>,
}

const MATCHER: Form = Form::new(
    "regular expression",
    "a regular expression such as `build-.*`",
);

const NAME: Form = Form::new(
    "name",
    "letters, digits, `-`, `_` and `.`, at most 64, such as `runner-trouble`",
);

keys! {
    MODE: Key<Mode> = Key::word("remediation.mode")
        .default("off")
        .doc("`report`: decides which failed jobs would be brought back, shows and counts it, and changes nothing. `act`: does it. See [remediation.md](remediation.md).");

    TOKEN_FILE: Key<SecretString> = Key::file(
        "remediation.token_file",
        "the path of a file that holds an access token and nothing else",
        token_of_file,
    )
    .secret()
    .doc("File with the access token of scope `api` that acts. Required for `act`. It is read again when it changes. The token of `gitlab.token_file` stays `read_api`.");

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

    REFS: Key<Pattern> = Key::text("remediation.rules[].match.refs", MATCHER, Pattern::parse)
        .list()
        .default("[]")
        .doc("Failures on refs whose whole name one of these matches.");

    JOBS: Key<Pattern> = Key::text("remediation.rules[].match.jobs", MATCHER, Pattern::parse)
        .list()
        .default("[]")
        .doc("Failures of jobs whose whole name one of these matches.");

    STAGES: Key<Pattern> = Key::text("remediation.rules[].match.stages", MATCHER, Pattern::parse)
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

    ACTIONS_PER_HOUR: Key<usize> = Key::count("remediation.limits.actions_per_hour", 1, 10_000)
        .default("60")
        .doc("Most actions an hour, over all projects.");

    PER_PROJECT: Key<usize> = Key::count("remediation.limits.per_project_per_hour", 1, 10_000)
        .default("10")
        .doc("Most actions an hour in one project.");

    PER_PIPELINE: Key<usize> = Key::count("remediation.limits.per_pipeline", 1, 1000)
        .default("20")
        .doc("Most actions in one pipeline.");

    YOUNGER_THAN: Key<Duration> = Key::duration("remediation.limits.younger_than", Duration::from_secs(10))
        .default("6h")
        .doc("Longest time from a failure to an action. Older failures are left alone.");

    CIRCUIT_FAILURES: Key<usize> = Key::count("remediation.circuit.failures", 1, 1000)
        .default("5")
        .doc("From this many consecutive failures on a job is not brought back any more: its circuit is open (`job_retry_circuit_open`).");

    CIRCUIT_RESET: Key<CircuitReset> = Key::word("remediation.circuit.reset")
        .default("pass")
        .doc("What closes the circuit: the job passes (`pass`), or only an operator does, with `circuit reset` (`manual`).");

    FAILING_SHARE: Key<f64> = Key::rate("remediation.pause_when.failing_share", 1.0)
        .default("0.3")
        .doc("Nothing is brought back while at least this share of the jobs that ran in the last hour fails ..");

    AT_LEAST: Key<usize> = Key::count("remediation.pause_when.at_least", 1, 1_000_000)
        .default("10")
        .doc(".. and these are at least so many: that is an outage.");

    ALLOW_DEPLOYMENTS: Key<bool> = Key::bool("remediation.allow_deployments")
        .default("false")
        .doc("Whether jobs that deploy may be started, also those that wait behind a retried job.");

    DEPLOYMENTS: Key<Pattern> = Key::text("remediation.deployments", MATCHER, Pattern::parse)
        .list()
        .default("['(?i).*(deploy|release|rollout|promote|production|staging).*']")
        .doc("Jobs that deploy: one of these matches the whole name or the stage. Jobs that GitLab lists with a deployment of the project count too.");

    CALLER_NAME: Key<String> = Key::text("remediation.callers[].name", NAME, rule_name)
        .required()
        .doc("Who may ask for actions over HTTP: Alertmanager, people, other tools. The name is the user of basic authentication, and is shown with each action.");

    CALLER_TOKEN_FILE: Key<SecretString> = Key::file(
        "remediation.callers[].token_file",
        "the path of a file that holds a secret of at least 16 characters and nothing else",
        hook_token_of_file,
    )
    .secret()
    .required()
    .doc("File with the caller's secret, at least 16 characters: the password of basic authentication, or the bearer token.");
}

impl Remediation {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let token_file = section.path_of_file(TOKEN_FILE.info.name());
        let token = section.read(&TOKEN_FILE);
        let mode = section.get(&MODE);
        if mode == Mode::Act && token_file.is_none() {
            section.complain_of(
                MODE.info.name(),
                "found `act` without a token; give remediation.token_file, a token of scope `api`"
                    .to_owned(),
            );
        }
        let sections = section.sections("rules");
        let rules: Vec<_> = sections.iter().filter_map(RemediationRule::read).collect();
        for (index, rule) in rules.iter().enumerate() {
            if rules[..index].iter().any(|other| other.name == rule.name) {
                let name = &rule.name;
                section.complain_of(
                    "rules",
                    format!("the name `{name}` is given twice; keep one"),
                );
            }
        }
        let callers = section.sections("callers");
        let circuit = section.section("circuit");
        let pause = section.section("pause_when");
        Self {
            mode,
            token,
            token_file: token_file.map(|path| Arc::new(SecretFile::new(path, token_of_file))),
            rules,
            limits: ActionLimits::read(&section.section("limits")),
            circuit: CircuitRule {
                failures: circuit.get(&CIRCUIT_FAILURES) as u64,
                reset: circuit.get(&CIRCUIT_RESET),
            },
            pause_when: PauseWhen {
                failing_share: pause.get(&FAILING_SHARE),
                at_least: pause.get(&AT_LEAST),
            },
            allow_deployments: section.get(&ALLOW_DEPLOYMENTS),
            deployments: section.list(&DEPLOYMENTS),
            callers: callers.iter().filter_map(Caller::read).collect(),
        }
    }

    /// The first rule that matches a failure.
    pub fn rule_for(&self, failure: &FailureFacts<'_>) -> Option<&RemediationRule> {
        self.rules.get(self.position_of_rule(failure)?)
    }

    /// The place of that rule in [`Self::rules`].
    pub fn position_of_rule(&self, failure: &FailureFacts<'_>) -> Option<usize> {
        self.rules
            .iter()
            .position(|rule| rule.when.matches(failure))
    }

    /// Complains of rules of `classification` that do not exist.
    pub(super) fn check_log_rules(&self, section: &Section<'_>, known: &[Arc<str>]) {
        let rules = self.rules.iter();
        for name in rules.flat_map(|rule| &rule.when.log_rules) {
            if !known.iter().any(|known| **known == **name) {
                section.complain_of(
                    "rules",
                    format!("no rule of classification.rules has the name `{name}`; add it there"),
                );
            }
        }
    }

    /// Whether a job of this name and stage deploys, by the configuration.
    pub fn deploys(&self, job: &str, stage: &str) -> bool {
        any_matches(&self.deployments, job) || any_matches(&self.deployments, stage)
    }
}

impl fmt::Display for Remediation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<&str> = self.rules.iter().map(|rule| &*rule.name).collect();
        let limit = self.limits.actions_per_hour;
        write!(
            f,
            "mode {}, at most {limit} actions an hour; ",
            self.mode.word()
        )?;
        match rules.as_slice() {
            [] => f.write_str("without rules"),
            names => write!(f, "rules {}", names.join(", ")),
        }
    }
}

impl RemediationRule {
    fn read(section: &Section<'_>) -> Option<Self> {
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

    fn matches(&self, failure: &FailureFacts<'_>) -> bool {
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

impl ActionLimits {
    fn read(section: &Section<'_>) -> Self {
        Self {
            actions_per_hour: section.get(&ACTIONS_PER_HOUR),
            per_project_per_hour: section.get(&PER_PROJECT),
            per_pipeline: section.get(&PER_PIPELINE),
            younger_than: section.get(&YOUNGER_THAN),
        }
    }
}

impl Caller {
    fn read(section: &Section<'_>) -> Option<Self> {
        let token = live(section, &CALLER_TOKEN_FILE, hook_token_of_file);
        Some(Self {
            name: section.read(&CALLER_NAME)?.into(),
            token,
        })
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
