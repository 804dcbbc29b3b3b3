//! The section `remediation`: which failed jobs are brought back, and within which bounds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::key::{Key, keys};
use super::remediation_rule::{FailureFacts, MATCHER, NAME, RemediationRule, rule_name};
use super::secret::{hook_token_of_file, token_of_file};
use super::secret_file::SecretFile;
use super::section::Section;
use super::select::{Pattern, any_matches};
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

    DEPLOYMENTS: Key<Pattern> = Key::regex("remediation.deployments", MATCHER, Pattern::parse)
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
