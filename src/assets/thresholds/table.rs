//! The tables at the head of `thresholds.yml`: levels with their labels, thresholds with their severities and levels.
//!
//! They are what people read. Reading them here as well keeps one description of what can be set.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

/// `#   job   ci_job_override:   severity, project, job_name (ref, track)`
const LEVEL: &str = r"^#\s{2,}([a-z]+)\s{2,}ci_([a-z_]+):\s{2,}(.+)$";
/// `#   seconds without a pass   no_success_seconds:threshold   warning, critical   CIJobNoRecentSuccess`
const MEASURE: &str =
    r"^#\s{2,}\S.*?\s{2,}([a-z0-9_]+):threshold(?:\s{2,}(\S.*?))?(?:\s{2,}\S.*)?$";
/// The levels of a threshold in a line of their own.
const CONTINUED: &str = r"^#\s{20,}([a-z, ]+)$";
/// Thresholds after this line have a column of levels in place of severities.
const NOT_FOR_JOBS: &str = "#   Not for jobs";

/// What an override of a level selects by.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Level {
    /// What the names of its series begin with, without `ci_`.
    pub(super) prefix: String,
    /// Labels that it has to have.
    required: BTreeSet<String>,
    /// Labels that it may have.
    optional: BTreeSet<String>,
    /// Whether it has to have at least one of the optional labels.
    needs_optional: bool,
    has_severity: bool,
}

/// What the tables say about a threshold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Empty if the threshold is for all severities.
    pub(super) severities: BTreeSet<String>,
    /// Names of the levels, without the default.
    pub(super) levels: BTreeSet<String>,
}

/// Both tables.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) levels: BTreeMap<String, Level>,
    pub(super) rows: BTreeMap<String, Row>,
}

impl Tables {
    /// Reads the comments at the head of the file.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let (level, measure) = (Regex::new(LEVEL)?, Regex::new(MEASURE)?);
        let continued = Regex::new(CONTINUED)?;
        let mut tables = Self::default();
        let mut of_jobs = true;
        let mut last = None;
        for line in text.lines().take_while(|line| line.starts_with('#')) {
            if line.starts_with(NOT_FOR_JOBS) {
                of_jobs = false;
            } else if let Some(found) = level.captures(line) {
                let level = Level::read(&found[2], &found[3]);
                tables.levels.insert(found[1].to_owned(), level);
            } else if let Some(found) = measure.captures(line) {
                let cell = found.get(2).map_or("", |cell| cell.as_str());
                let row = if of_jobs {
                    tables.of_jobs(cell)
                } else {
                    tables.of_others(cell)
                };
                tables.rows.insert(found[1].to_owned(), row);
                last = Some(found[1].to_owned());
            } else if let (Some(found), Some(name)) = (continued.captures(line), last.take()) {
                let row = tables.of_others(&found[1]);
                tables.rows.insert(name, row);
            }
        }
        Ok(tables)
    }

    fn of_jobs(&self, severities: &str) -> Row {
        let severities = match severities {
            none if none.starts_with("none") => BTreeSet::new(),
            some => words(some),
        };
        let levels = self
            .levels
            .iter()
            .filter(|(name, it)| it.has_severity && *name != "default");
        Row {
            severities,
            levels: levels.map(|(name, _)| name.clone()).collect(),
        }
    }

    fn of_others(&self, levels: &str) -> Row {
        let mut levels = words(levels);
        levels.retain(|name| self.levels.contains_key(name) && name != "default");
        Row {
            severities: BTreeSet::new(),
            levels,
        }
    }
}

impl Level {
    /// `severity, project, job_name (ref, track)`, or `severity, project, and ref, track or both`.
    fn read(prefix: &str, labels: &str) -> Self {
        let needs_optional = labels.contains(" and ");
        let (required, optional) = labels
            .split_once(" (")
            .or_else(|| labels.split_once(" and "))
            .unwrap_or((labels, ""));
        let mut required = words(required);
        let mut optional = words(optional.trim_end_matches(')').trim_end_matches(" or both"));
        optional.remove("or");
        Self {
            prefix: prefix.to_owned(),
            has_severity: required.remove("severity"),
            required,
            optional,
            needs_optional,
        }
    }

    /// Every label that it can have.
    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.required
            .iter()
            .chain(&self.optional)
            .map(String::as_str)
    }

    /// Whether an override with these labels belongs to this level.
    pub(super) fn takes(&self, labels: &BTreeSet<&str>) -> bool {
        let has = |label: &String| labels.contains(label.as_str());
        let known: BTreeSet<_> = self.labels().collect();
        self.required.iter().all(has)
            && labels.is_subset(&known)
            && (!self.needs_optional || self.optional.iter().any(has))
    }

    /// `project and job, also with ref or track`.
    pub(super) fn words(&self, name: impl Fn(&str) -> String) -> String {
        let join = |labels: &BTreeSet<String>, between: &str| {
            let mut names: Vec<_> = labels.iter().map(|label| name(label)).collect();
            names.sort_by_key(|name| name != "project");
            names.join(between)
        };
        let required = join(&self.required, " and ");
        let optional = join(&self.optional, " or ");
        match (self.optional.is_empty(), self.needs_optional) {
            (true, _) => required,
            (false, true) => format!("{required} with {optional}"),
            (false, false) => format!("{required}, also with {optional}"),
        }
    }
}

fn words(list: &str) -> BTreeSet<String> {
    let words = list.split([',', ' ']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# Text with ci_job_override: in it.
#
#   level     record starts with      labels
#   job       ci_job_override:        severity, project, job_name (ref, track)
#   schedule  ci_schedule_override:   project, schedule
#   ref       ci_ref_override:        severity, project, and ref, track or both
#   team      ci_team_override:       severity, team
#   default   ci_default:             severity
#
#   measure                           record ends with                   severities         alert
#   failed executions in a row        consecutive_failures:threshold     warning, critical  CIJobFailingRepeatedly
#   minimum failures                  window_failures:threshold          none: for both     CIJobFailureRatioHigh
#
#   Not for jobs, and without severity:
#   failed pipelines in a row         pipeline_consecutive_failures:threshold
#                                                                      ref, default
#   seconds a schedule may be late    late_seconds:threshold             schedule, default
#   all others below                  see below                          default
groups: []
";

    #[test]
    fn levels_and_thresholds_are_read_as_people_read_them() {
        let tables = Tables::read(HEAD).unwrap();
        let row = |name: &str| {
            let row = &tables.rows[name];
            (
                row.severities.iter().cloned().collect::<Vec<_>>().join(" "),
                row.levels.iter().cloned().collect::<Vec<_>>().join(" "),
            )
        };
        assert_eq!(tables.rows.len(), 4);
        assert_eq!(
            row("consecutive_failures"),
            ("critical warning".into(), "job ref team".into())
        );
        assert_eq!(
            row("window_failures"),
            (String::new(), "job ref team".into())
        );
        assert_eq!(
            row("pipeline_consecutive_failures"),
            (String::new(), "ref".into())
        );
        assert_eq!(row("late_seconds"), (String::new(), "schedule".into()));
    }

    #[test]
    fn a_level_takes_its_labels_and_no_others() {
        let tables = Tables::read(HEAD).unwrap();
        for (labels, expected) in [
            (&["project", "job_name"][..], "job"),
            (&["project", "job_name", "track"], "job"),
            (&["project", "ref", "track"], "ref"),
            (&["project", "track"], "ref"),
            (&["project", "schedule"], "schedule"),
            (&["team"], "team"),
            (&["project"], ""),
            (&["project", "team"], ""),
            (&["job_name"], ""),
            (&["project", "job_name", "team"], ""),
        ] {
            let labels = labels.iter().copied().collect();
            let found = tables
                .levels
                .iter()
                .filter(|(_, level)| level.takes(&labels));
            let found: Vec<_> = found
                .map(|(name, _)| name.as_str())
                .filter(|it| *it != "default")
                .collect();
            assert_eq!(found.concat(), expected, "{labels:?}");
        }
        let words = |name: &str| tables.levels[name].words(str::to_owned);
        assert_eq!(words("job"), "project and job_name, also with ref or track");
        assert_eq!(words("ref"), "project with ref or track");
    }
}
