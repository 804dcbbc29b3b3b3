//! Thresholds of alerts, read from the rules that Prometheus gets: which one holds for a job.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

const SHIPPED: &str = include_str!("../../alert-rules/thresholds.yml");

/// How exactly a threshold says what it is for; the most exact one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// One job of one project.
    Job,
    /// All jobs of a project.
    Project,
    /// All jobs of a team.
    Team,
    /// Everything else.
    Default,
}

/// What records of each level begin with.
const LEVELS: [(&str, Level); 4] = [
    ("ci_job_override:", Level::Job),
    ("ci_project_override:", Level::Project),
    ("ci_team_override:", Level::Team),
    ("ci_default:", Level::Default),
];

/// And all of them end with.
const ENDING: &str = ":threshold";

/// All thresholds on jobs.
#[derive(Debug)]
pub(super) struct Thresholds(Vec<Threshold>);

/// A threshold as it is written.
#[derive(Debug)]
struct Threshold {
    level: Level,
    /// What it limits: the middle of the record's name.
    what: String,
    labels: Labels,
    value: f64,
}

/// The threshold that holds for a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limit {
    pub(super) value: f64,
    pub(super) level: Level,
}

/// A job, by what thresholds look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) project: &'a str,
    pub(super) job: &'a str,
    /// Empty where nobody owns it.
    pub(super) team: &'a str,
}

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    /// Absent from an alert.
    record: Option<String>,
    expr: Expr,
    #[serde(default)]
    labels: Labels,
}

/// A number may well be written without quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expr {
    Number(f64),
    Text(String),
}

/// A label that is not given is an empty one to Prometheus.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Labels {
    severity: String,
    project: String,
    job_name: String,
    team: String,
}

impl Thresholds {
    /// Those of these files; without any, the shipped ones.
    pub(super) fn read(files: &[PathBuf]) -> anyhow::Result<Self> {
        if files.is_empty() {
            return Self::parse(SHIPPED).context("the shipped thresholds");
        }
        let mut all = Vec::new();
        for path in files {
            all.extend(Self::of_file(path)?.0);
        }
        Ok(Self(all))
    }

    fn of_file(path: &Path) -> anyhow::Result<Self> {
        let name = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(name)?;
        Self::parse(&text).with_context(name)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let file: RuleFile =
            serde_yaml::from_str(text).context("it is no file of Prometheus rules")?;
        let rules = file.groups.into_iter().flat_map(|group| group.rules);
        let thresholds = rules.filter_map(|rule| {
            let record = rule.record?;
            let (level, what) = LEVELS.iter().find_map(|(beginning, level)| {
                let rest = record.strip_prefix(beginning)?;
                Some((*level, rest.strip_suffix(ENDING)?.to_owned()))
            })?;
            let labels = rule.labels;
            let threshold = rule.expr.value().map(|value| Threshold {
                level,
                what,
                labels,
                value,
            });
            let expected = || format!("{record}: its expression is no number, such as '3'");
            Some(threshold.with_context(expected))
        });
        thresholds.collect::<anyhow::Result<_>>().map(Self)
    }

    /// The threshold on `what` that holds for a job; `severity` where it is of one.
    pub(super) fn of(&self, what: &str, severity: Option<&str>, job: Subject<'_>) -> Option<Limit> {
        let holding = self.0.iter().filter(|threshold| {
            threshold.what == what
                && severity.is_none_or(|severity| threshold.labels.severity == severity)
                && threshold.is_for(job)
        });
        let limits = holding.map(|threshold| Limit {
            value: threshold.value,
            level: threshold.level,
        });
        limits.min_by(|a, b| a.level.cmp(&b.level).then(a.value.total_cmp(&b.value)))
    }

    /// Whether a threshold that is not `Inf` names this job, which therefore has to exist.
    pub(super) fn name(&self, project: &str, job: &str) -> bool {
        self.0.iter().any(|threshold| {
            threshold.level == Level::Job
                && threshold.value < f64::INFINITY
                && (&*threshold.labels.project, &*threshold.labels.job_name) == (project, job)
        })
    }
}

impl Threshold {
    fn is_for(&self, job: Subject<'_>) -> bool {
        let labels = &self.labels;
        match self.level {
            Level::Job => labels.project == job.project && labels.job_name == job.job,
            Level::Project => labels.project == job.project,
            Level::Team => labels.team == job.team,
            Level::Default => true,
        }
    }
}

impl Expr {
    /// A number, or a product of numbers: `7 * 86400`.
    fn value(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text
                .split('*')
                .map(|factor| factor.trim().parse::<f64>().ok())
                .product(),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Job => "the job's own",
            Self::Project => "the project's",
            Self::Team => "the team's",
            Self::Default => "default",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: Subject<'_> = Subject {
        project: "acme/shop",
        job: "backup",
        team: "sre",
    };

    const OVERRIDES: &str = "
groups:
  - name: ours
    rules:
      - {record: 'ci_default:pending_seconds:threshold', expr: '30 * 60', labels: {severity: warning}}
      - {record: 'ci_team_override:pending_seconds:threshold', expr: 60, labels: {severity: warning, team: sre}}
      - {record: 'ci_project_override:pending_seconds:threshold', expr: 'Inf', labels: {severity: critical, project: acme/shop}}
      - {record: 'ci_job_override:running_factor:threshold', expr: '9', labels: {project: acme/shop, job_name: backup}}
      - {record: 'ci_job_override:running_factor:threshold', expr: '8', labels: {project: acme/shop, job_name: backup, instance: b}}
      - {record: 'ci_job:something', expr: 'up'}
      - {alert: Own, expr: 'up == 0'}
";

    #[test]
    fn the_shipped_defaults_hold_where_nothing_else_is_said() {
        let shipped = Thresholds::read(&[]).unwrap();
        let of = |what, severity| shipped.of(what, severity, JOB).map(|limit| limit.value);
        assert_eq!(of("consecutive_failures", Some("warning")), Some(3.0));
        assert_eq!(of("consecutive_failures", Some("critical")), Some(6.0));
        assert_eq!(of("failure_ratio", Some("warning")), Some(0.5));
        assert_eq!(of("failure_ratio", Some("critical")), None);
        assert_eq!(of("window_failures", None), Some(5.0));
        assert!(!shipped.name(JOB.project, JOB.job));
    }

    #[test]
    fn the_most_exact_one_holds_and_of_two_the_smaller() {
        let ours = Thresholds::parse(OVERRIDES).unwrap();
        let of = |what, severity, job| {
            let limit = ours.of(what, severity, job)?;
            Some((limit.value, limit.level))
        };
        let warning = Some("warning");
        assert_eq!(
            of("pending_seconds", warning, JOB),
            Some((60.0, Level::Team))
        );
        let other = Subject { team: "", ..JOB };
        assert_eq!(
            of("pending_seconds", warning, other),
            Some((1800.0, Level::Default))
        );
        assert_eq!(
            of("pending_seconds", Some("critical"), JOB),
            Some((f64::INFINITY, Level::Project))
        );
        assert_eq!(of("running_factor", None, JOB), Some((8.0, Level::Job)));
        assert!(ours.name(JOB.project, JOB.job) && !ours.name("acme/other", JOB.job));
    }

    #[test]
    fn a_threshold_that_is_no_number_is_refused_by_name() {
        let text = OVERRIDES.replace("'30 * 60'", "vector(3)");
        let error = Thresholds::parse(&text).unwrap_err().to_string();
        assert_eq!(
            error,
            "ci_default:pending_seconds:threshold: its expression is no number, such as '3'"
        );
        assert!(Thresholds::parse("[]").is_err());
    }
}
