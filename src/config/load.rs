//! Loads a configuration: the file, overridden by flags, and the environment's token.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ci_history::Rules;
use url::Url;

use super::classification::{self, Classification};
use super::counting;
use super::file;
use super::gitlab::{self, GitLab};
use super::given::Given;
use super::hints::variable_hint;
use super::key::{Key, keys};
use super::key_info::KeyInfo;
use super::limits::{self, Limits};
use super::metrics;
use super::node::Node;
use super::overrides::Overrides;
use super::owners::{self, Owners};
use super::problem::{Problem, Problems, Report};
use super::regexes::RegexBudget;
use super::remediation::{self, Remediation};
use super::remediation_rule;
use super::section::Section;
use super::services;
use super::settings::{Setting, unset};
use super::store::{self, Store};
use super::url::{base_url, route_prefix};
use super::value::Context;
use super::value_type::Form;
use super::watch::{self, Watch};
use super::webhooks::{self, Webhooks};
use super::yaml;
use crate::base::listen_address::ListenAddress;
use crate::base::server_access::ServerAccess;

/// A whole configuration without problems. Printing it shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach GitLab.
    pub gitlab: GitLab,
    /// What is watched.
    pub watch: Watch,
    /// How executions are counted.
    pub counting: Rules,
    /// How the logs of failed jobs are read.
    pub classification: Classification,
    /// The teams of jobs.
    pub owners: Owners,
    /// Where the state is kept.
    pub store: Store,
    /// Who may send events.
    pub webhooks: Webhooks,
    /// Which failed jobs are brought back.
    pub remediation: Remediation,
    /// Bounds on what is kept.
    pub limits: Limits,
    /// Time without activity after which a job is forgotten.
    pub retention: Duration,
    /// How long a jump of a clock has to hold before `retention` goes by it.
    pub clock_jump_hold: Duration,
    /// Where `/metrics` is served.
    pub listen_address: ListenAddress,
    /// Whether a line of the log of each failing job is exposed.
    pub exposes_log_lines: bool,
    /// Metrics that are not exposed.
    pub disabled_metrics: Vec<&'static str>,
    /// The file with TLS, users and headers of the server; without it plain HTTP, open to everybody.
    pub web_file: Option<PathBuf>,
    /// Where people reach the pages; the path ends in `/`.
    pub external_url: Option<Url>,
    /// The path below which everything is served, without its last `/`; `None`: that of `external_url`.
    pub route_prefix: Option<String>,
    /// Whether pages and JSON show excerpts of logs; `None`: if only known people can read them.
    pub show_logs: Option<bool>,
    /// Whether `POST /-/reload` is served.
    pub enables_lifecycle: bool,
    /// Where pages get alerts from.
    pub prometheus: Option<ServerAccess>,
    /// Where pages get silences and receivers from.
    pub alertmanager: Option<ServerAccess>,
    given: Given,
    settings: Vec<Setting>,
}

/// The sections that commands need which read the saved state. They work without a readable token.
#[derive(Debug, Clone)]
pub struct StateConfig {
    /// How executions are counted.
    pub counting: Rules,
    /// The teams of jobs.
    pub owners: Owners,
    /// Where the state is kept.
    pub store: Store,
    /// Where Prometheus is asked for alerts.
    pub prometheus: Option<ServerAccess>,
    /// Where Alertmanager is asked for silences.
    pub alertmanager: Option<ServerAccess>,
}

keys! {
    RETENTION: Key<Duration> = Key::duration("retention", Duration::from_secs(1))
        .default("30d")
        .doc("Histories, series and documents of a job, branch or project end after this time without activity, seen from the newest activity in the data. A job of a ref that lives, and the default branch, stay four times as long. Documents stay in `attic/` for 30 days more.");

    CLOCK_JUMP_HOLD: Key<Duration> = Key::duration("clock_jump_hold", Duration::from_millis(100))
        .default("30m")
        .doc("`retention` ignores a jump of GitLab's clock, or of this machine's, until it has held for this time and over 20 answers.");

    LISTEN_ADDRESS: Key<ListenAddress> = Key::text(
        "web.listen_address",
        Form::new(
            "`[host]:port`",
            "an address to listen on, such as `:10141` or `127.0.0.1:10141`",
        ),
        ListenAddress::parse,
    )
    .default(":10141")
    .doc("Address that serves `/metrics`; without a host, on all interfaces. Flag: `--web.listen-address`.");

    WEB_CONFIG_FILE: Key<PathBuf> = Key::text(
        "web.config_file",
        Form::new("file", "the path of a file in the format of Prometheus' exporter-toolkit"),
        |text| if text.is_empty() { Err(String::new()) } else { Ok(PathBuf::from(text)) },
    )
    .doc("File with TLS, client certificates, users and headers of the server, in the format of Prometheus' exporter-toolkit: see [security.md](security.md). A relative path starts at the configuration's directory. The exporter reads it again when it changes. Flag: `--web.config.file`.");

    EXTERNAL_URL: Key<Url> = Key::text(
        "web.external_url",
        Form::new(
            "URL",
            "the address at which people reach the exporter's pages, such as `https://ci-health.example.com/`",
        ),
        |text| {
            let url = base_url(text, "leave out the user: everybody who reads alerts sees this address")?;
            route_prefix(url.path().trim_end_matches('/')).map(|_| url)
        },
    )
    .doc("Address at which people reach the exporter's pages, with the path of a reverse proxy if there is one. Links in alerts start with it: the label `job_url` of `job_failure_info`. Without it the label is empty. Pages are served for its host only: see [Who reaches the pages](#who-reaches-the-pages).");

    ROUTE_PREFIX: Key<String> = Key::text(
        "web.route_prefix",
        Form::new("path", "a path such as `/job-failures`, or `/` for none"),
        |text| match text {
            "/" => Ok(String::new()),
            "" => Err("write `/` for no prefix".to_owned()),
            text => route_prefix(text),
        },
    )
    .doc("Path below which everything is served, `/metrics` and the probes included, as in Prometheus. Default: the path of `web.external_url`. `/` is for a reverse proxy that removes this path. See [Below a path](#below-a-path). Flag: `--web.route-prefix`.");

    SHOW_LOGS: Key<bool> = Key::bool("web.show_logs")
        .doc("Whether pages and JSON show excerpts of job logs to everybody who reaches them. Without it: if `web.listen_address` is of this machine alone.");

    ENABLE_LIFECYCLE: Key<bool> = Key::bool("web.enable_lifecycle")
        .default("false")
        .doc("Whether `POST /-/reload` reads the configuration again, as SIGHUP does. Whoever reaches the address may send it. Flag: `--web.enable-lifecycle`.");
}

/// Every key, by section, in the order of the docs.
pub(super) const ALL_KEYS: &[&[KeyInfo]] = &[
    gitlab::KEYS,
    watch::KEYS,
    counting::KEYS,
    classification::KEYS,
    owners::KEYS,
    store::KEYS,
    webhooks::KEYS,
    remediation::KEYS,
    remediation_rule::KEYS,
    limits::KEYS,
    services::KEYS,
    metrics::KEYS,
    KEYS,
];

/// Every key with its type, default and documentation, in the order of the docs.
pub fn keys() -> impl Iterator<Item = &'static KeyInfo> {
    ALL_KEYS.iter().copied().flatten()
}

/// Looks up an environment variable.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Config {
    /// Loads and checks a configuration; without a file, from flags and defaults alone.
    ///
    /// Reads the files that the configuration names (relative ones from the configuration's own
    /// directory) and nothing else, so that it can be called again for a reload.
    ///
    /// # Errors
    ///
    /// Every problem that was found.
    pub fn load(
        file: Option<&Path>,
        overrides: &Overrides,
        env: Env<'_>,
    ) -> Result<Self, Problems> {
        load(file, overrides, |root, report| {
            Self::read(root, report, env)
        })
    }

    /// The same, for a check elsewhere than where the exporter runs: secrets that cannot be read are
    /// warnings, which are given back.
    ///
    /// # Errors
    ///
    /// Every other problem that was found.
    pub fn check(
        file: Option<&Path>,
        overrides: &Overrides,
        env: Env<'_>,
    ) -> Result<(Self, Option<Problems>), Problems> {
        load_leniently(file, overrides, |root, report| {
            Self::read(root, report, env)
        })
    }

    /// Whether pages and JSON show excerpts of logs.
    pub fn shows_logs(&self) -> bool {
        let is_private = || self.listen_address.is_loopback();
        self.show_logs.unwrap_or_else(is_private)
    }

    fn read(root: &Section<'_>, report: &Report, env: Env<'_>) -> Self {
        let (counting, child_pipelines) = counting::read(&root.section("counting"));
        let state = StateConfig::read(root, counting);
        let classification = Classification::read(&root.section("classification"));
        let section = root.section("remediation");
        let remediation = Remediation::read(&section);
        remediation.check_log_rules(&section, &classification.names);
        let (web, shown) = (root.section("web"), root.section("metrics"));
        let gitlab = GitLab::read(&root.section("gitlab"), report, env);
        let watch = Watch::read(&root.section("watch"), child_pipelines);
        let mut settings = root.settings(&|key| derived_value(key, &state.counting, &watch));
        unset(&mut settings, state.store.location.unused_key());
        Self {
            gitlab,
            watch,
            counting: state.counting,
            classification,
            owners: state.owners,
            store: state.store,
            prometheus: state.prometheus,
            alertmanager: state.alertmanager,
            webhooks: Webhooks::read(&root.section("webhooks")),
            remediation,
            limits: Limits::read(&root.section("limits")),
            retention: root.get(&RETENTION),
            clock_jump_hold: root.get(&CLOCK_JUMP_HOLD),
            exposes_log_lines: shown.get(&metrics::LOG_LINE),
            disabled_metrics: shown.list(&metrics::DISABLE),
            listen_address: web.get(&LISTEN_ADDRESS),
            web_file: web
                .read(&WEB_CONFIG_FILE)
                .and_then(|_| web.path_of_file(WEB_CONFIG_FILE.info.name())),
            external_url: web.read(&EXTERNAL_URL),
            route_prefix: web.read(&ROUTE_PREFIX),
            show_logs: web.read(&SHOW_LOGS),
            enables_lifecycle: web.get(&ENABLE_LIFECYCLE),
            given: root.given(),
            settings,
        }
    }

    /// Every key with the value in force, without secrets. The token of the environment has no key.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// The keys that are given otherwise than in the one before, by path.
    pub fn changes_since<'a>(&'a self, before: &'a Self) -> Vec<&'a str> {
        before.given.differences(&self.given)
    }

    /// Keeps what holds for the whole life of the process from the configuration before. Returns the keys that differ there.
    pub fn keep_for_life(&mut self, before: &Self) -> Vec<&'static str> {
        let mut kept = Vec::new();
        let mut keep = |key, is_other: bool| {
            if is_other {
                kept.push(key);
            }
        };
        keep("gitlab.url", self.gitlab.url != before.gitlab.url);
        self.gitlab.url = before.gitlab.url.clone();
        keep("watch.shard", self.watch.shard != before.watch.shard);
        self.watch.shard = before.watch.shard;
        keep("store", self.store.location != before.store.location);
        self.store.location = before.store.location.clone();
        keep(
            "clock_jump_hold",
            self.clock_jump_hold != before.clock_jump_hold,
        );
        self.clock_jump_hold = before.clock_jump_hold;
        keep(
            "web.listen_address",
            self.listen_address != before.listen_address,
        );
        self.listen_address = before.listen_address.clone();
        // Which file it is, not what is in it.
        keep("web.config_file", self.web_file != before.web_file);
        self.web_file.clone_from(&before.web_file);
        for setting in &mut self.settings {
            let is_kept = |key: &str| {
                setting
                    .key
                    .strip_prefix(key)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let mut others = before.settings.iter();
            if kept.iter().any(|key| is_kept(key))
                && let Some(other) = others.find(|other| other.key == setting.key)
            {
                setting.clone_from(other);
            }
        }
        kept
    }
}

/// The value of a key that the preset of `counting` gives, or a neighbour of the key.
fn derived_value(key: &KeyInfo, rules: &Rules, watch: &Watch) -> Option<String> {
    if let Some(value) = watch.derived_value(key.path) {
        return Some(value);
    }
    let rules = counting::describe(rules).into_iter();
    let mut of_key = rules.filter(|(name, _)| Some(*name) == key.path.strip_prefix("counting."));
    of_key.next().map(|(_, value)| value)
}

impl GitLab {
    /// Loads and checks the section `gitlab` alone.
    ///
    /// # Errors
    ///
    /// Every problem of the section.
    pub fn load(
        file: Option<&Path>,
        overrides: &Overrides,
        env: Env<'_>,
    ) -> Result<Self, Problems> {
        load(file, overrides, |root, report| {
            Self::read(&root.section("gitlab"), report, env)
        })
    }
}

impl StateConfig {
    /// Loads and checks these sections; without a file, from flags and defaults alone. Also returns which secrets cannot be
    /// read: most commands need none.
    ///
    /// # Errors
    ///
    /// Every problem of these sections, and every section that does not exist.
    pub fn load(
        file: Option<&Path>,
        overrides: &Overrides,
    ) -> Result<(Self, Option<Problems>), Problems> {
        load_leniently(file, overrides, |root, _| {
            let (counting, _) = counting::read(&root.section("counting"));
            Self::read(root, counting)
        })
    }

    fn read(root: &Section<'_>, counting: Rules) -> Self {
        Self {
            counting,
            owners: Owners::read(&root.section("owners")),
            store: Store::read(&root.section("store")),
            prometheus: services::read(&root.section("prometheus"), &services::PROMETHEUS),
            alertmanager: services::read(&root.section("alertmanager"), &services::ALERTMANAGER),
        }
    }
}

fn load<T>(
    file: Option<&Path>,
    overrides: &Overrides,
    read: impl FnOnce(&Section<'_>, &Report) -> T,
) -> Result<T, Problems> {
    match load_leniently(file, overrides, read)? {
        (loaded, None) => Ok(loaded),
        (_, Some(warnings)) => Err(warnings),
    }
}

/// What was loaded, and the secrets that could not be read for it.
fn load_leniently<T>(
    file: Option<&Path>,
    overrides: &Overrides,
    read: impl FnOnce(&Section<'_>, &Report) -> T,
) -> Result<(T, Option<Problems>), Problems> {
    let mut document = match file {
        None => Node::UNSET,
        Some(path) => open(path).map_err(|problem| Problems::new(file, vec![problem]))?,
    };
    overrides.apply(&mut document);
    let report = Report::default();
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let context = Context {
        report: &report,
        folder,
        regexes: &RegexBudget::default(),
    };
    let loaded = read(&Section::root(context, ALL_KEYS, &document), &report);
    let (mut problems, mut warnings) = report.into_inner();
    if problems.is_empty() {
        let warnings = (!warnings.is_empty()).then(|| Problems::new(file, warnings));
        return Ok((loaded, warnings));
    }
    problems.append(&mut warnings);
    Err(Problems::new(file, problems))
}

/// The tree of a file.
pub(super) fn open(path: &Path) -> Result<Node, Problem> {
    let content = file::read(path);
    let text = content
        .as_deref()
        .map_err(Clone::clone)
        .and_then(file::text);
    let text = text.map_err(|error| Problem {
        path: path.display().to_string(),
        ..Problem::of_file(format!("cannot read the configuration: {error}"))
    })?;
    yaml::parse(text).map_err(|error| {
        let line = text.lines().nth(error.line.saturating_sub(1));
        let hint = line.and_then(variable_hint);
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        Problem {
            line: Some(error.line),
            column: Some(error.column),
            ..Problem::of_file(format!("{}{hint}", error.message))
        }
    })
}
