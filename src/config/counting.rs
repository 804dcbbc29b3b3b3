//! The section `counting`: the words of the rules.

use super::reader::Section;
use super::watch::ChildPipelines;
use crate::model::{
    AbsentJobs, InfrastructureFailures, JobNames, LatePipelines, NeverFailedJobs, Rules,
};

const LATE_PIPELINES: [(&str, LatePipelines); 2] = [
    ("insert", LatePipelines::Insert),
    ("skip", LatePipelines::Skip),
];
const ABSENT_JOBS: [(&str, AbsentJobs); 2] =
    [("ignore", AbsentJobs::Ignore), ("pass", AbsentJobs::Pass)];
const INFRASTRUCTURE_FAILURES: [(&str, InfrastructureFailures); 2] = [
    ("count", InfrastructureFailures::Count),
    ("ignore", InfrastructureFailures::Ignore),
];
const JOB_NAMES: [(&str, JobNames); 3] = [
    ("full", JobNames::Full),
    ("grouped", JobNames::Grouped),
    ("datadog-agent", JobNames::DatadogAgent),
];
const NEVER_FAILED_JOBS: [(&str, NeverFailedJobs); 2] = [
    ("track", NeverFailedJobs::Track),
    ("ignore", NeverFailedJobs::Ignore),
];
/// The word of a preset and whether it is datadog-agent's.
const PRESETS: [(&str, bool); 2] = [("default", false), ("datadog-agent", true)];

/// The preset, with what is given besides it, and what it does with child pipelines.
pub(super) fn read(section: &Section<'_>) -> (Rules, ChildPipelines) {
    let (mut rules, child_pipelines) = match section.choice("preset", &PRESETS) {
        Some(true) => (Rules::datadog_agent(), ChildPipelines::Ignore),
        _ => (Rules::default(), ChildPipelines::Follow),
    };
    set(&mut rules.window, section.count("window"));
    set(
        &mut rules.late_pipelines,
        section.choice("late_pipelines", &LATE_PIPELINES),
    );
    set(
        &mut rules.absent_jobs,
        section.choice("absent_jobs", &ABSENT_JOBS),
    );
    set(
        &mut rules.infrastructure_failures,
        section.choice("infrastructure_failures", &INFRASTRUCTURE_FAILURES),
    );
    set(
        &mut rules.job_names,
        section.choice("job_names", &JOB_NAMES),
    );
    set(
        &mut rules.never_failed_jobs,
        section.choice("never_failed_jobs", &NEVER_FAILED_JOBS),
    );
    (rules, child_pipelines)
}

/// The rules as `counting` writes them: key and value, in the order of the docs.
pub fn describe(rules: &Rules) -> Vec<(&'static str, String)> {
    vec![
        ("window", rules.window.to_string()),
        (
            "late_pipelines",
            word(&LATE_PIPELINES, rules.late_pipelines),
        ),
        ("absent_jobs", word(&ABSENT_JOBS, rules.absent_jobs)),
        (
            "infrastructure_failures",
            word(&INFRASTRUCTURE_FAILURES, rules.infrastructure_failures),
        ),
        ("job_names", word(&JOB_NAMES, rules.job_names)),
        (
            "never_failed_jobs",
            word(&NEVER_FAILED_JOBS, rules.never_failed_jobs),
        ),
    ]
}

fn set<T>(rule: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *rule = given;
    }
}

fn word<T: PartialEq + Copy>(words: &[(&str, T)], value: T) -> String {
    let mut words = words.iter();
    let found = words.find(|(_, candidate)| *candidate == value);
    found
        .map(|(word, _)| (*word).to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Kind;
    use crate::config::keys::{Absence, find};

    #[test]
    fn the_table_has_the_defaults_and_the_words_of_the_rules() {
        for (name, value) in describe(&Rules::default()) {
            let key = find(&format!("counting.{name}")).unwrap();
            let Absence::Preset(default) = key.absence else {
                panic!("{name} is not of the preset")
            };
            assert_eq!(default, value, "{name}");
        }
        let words = |name: &str| match find(&format!("counting.{name}")).unwrap().kind {
            Kind::Choice(words) => words.to_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(words("preset"), PRESETS.map(|(word, _)| word));
        assert_eq!(
            words("late_pipelines"),
            LATE_PIPELINES.map(|(word, _)| word)
        );
        assert_eq!(words("absent_jobs"), ABSENT_JOBS.map(|(word, _)| word));
        assert_eq!(words("job_names"), JOB_NAMES.map(|(word, _)| word));
        assert_eq!(
            words("infrastructure_failures"),
            INFRASTRUCTURE_FAILURES.map(|(word, _)| word)
        );
        assert_eq!(
            words("never_failed_jobs"),
            NEVER_FAILED_JOBS.map(|(word, _)| word)
        );
    }
}
