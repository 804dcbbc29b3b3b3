//! The section `counting`: the rules by which executions are counted.

use ci_history::stored::KEPT_FINISHED;
use ci_history::{
    AbsentJobs, InfrastructureFailures, JobNames, LatePipelines, NeverFailedJobs,
    OutdatedDeployments, Rules,
};

use super::key::{Key, keys};
use super::key_info::KeyInfo;
use super::section::Section;
use super::watch::ChildPipelines;
use super::word::{Word, words};

/// A set of counting rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// The exporter's own.
    Default,
    /// As datadog-agent's notify task counted.
    DatadogAgent,
}

words!(Preset { Default = "default", DatadogAgent = "datadog-agent" });
words!(LatePipelines { Insert = "insert", Skip = "skip" });
words!(AbsentJobs { Ignore = "ignore", Pass = "pass" });
words!(InfrastructureFailures { Count = "count", Ignore = "ignore" });
words!(OutdatedDeployments { Ignore = "ignore", Count = "count" });
words!(JobNames { Full = "full", Grouped = "grouped", DatadogAgent = "datadog-agent" });
words!(NeverFailedJobs { Track = "track", Ignore = "ignore" });

keys! {
    PRESET: Key<Preset> = Key::word("counting.preset")
        .default("default")
        .doc("Defaults of the other keys of `counting`: those of this table, or what datadog-agent's notify task did (`late_pipelines: skip`, `absent_jobs: pass`, `outdated_deployments: count`, `job_names: datadog-agent`, `never_failed_jobs: ignore`). The latter also makes `watch.child_pipelines: ignore` the default.");

    WINDOW: Key<usize> = Key::count("counting.window", 1, 1000)
        .preset("10")
        .doc("Last executions of a job that its failure ratio is of.");

    LATE_PIPELINES: Key<LatePipelines> = Key::word("counting.late_pipelines")
        .preset("insert")
        .doc("A pipeline that arrives after a newer one has finished: `insert` its executions in order, or `skip` them.");

    ABSENT_JOBS: Key<AbsentJobs> = Key::word("counting.absent_jobs")
        .preset("ignore")
        .doc("A known job that did not run in a finished pipeline: `ignore` it, or count a `pass`. With `pass`, pipelines without jobs and canceled or skipped ones change nothing.");

    INFRASTRUCTURE_FAILURES: Key<InfrastructureFailures> =
        Key::word("counting.infrastructure_failures")
        .preset("count")
        .doc("Failures that a runner or GitLab caused: `count` them like any other, or `ignore` them.");

    OUTDATED_DEPLOYMENTS: Key<OutdatedDeployments> = Key::word("counting.outdated_deployments")
        .preset("ignore")
        .doc("Deployments that GitLab failed without running them, because a newer one had run, a person rejected them or the project was archived or deleted: `ignore` them, or `count` them like any other failure.");

    JOB_NAMES: Key<JobNames> = Key::word("counting.job_names")
        .preset("full")
        .doc("Jobs share a history by the whole name (`full`), by the name without its matrix or parallel suffix (`grouped`), or by the name cut at the first `:` and at 48 characters (`datadog-agent`).");

    NEVER_FAILED_JOBS: Key<NeverFailedJobs> = Key::word("counting.never_failed_jobs")
        .preset("track")
        .doc("Jobs that have never failed: `track` their history and last success, or `ignore` them until they fail.");

    ABSENT_AFTER: Key<usize> = Key::count("counting.absent_after", 0, KEPT_FINISHED)
        .preset("10")
        .doc("Pipelines in a row without a job after which the job is gone, so that alerts about it end: it was removed or renamed. Only pipelines of sources in which the job used to run count, and only after the job has missed its usual time. 0: no job is ever gone.");
}

impl Preset {
    /// Its counting rules.
    pub fn rules(self) -> Rules {
        match self {
            Self::Default => Rules::default(),
            Self::DatadogAgent => Rules::datadog_agent(),
        }
    }
}

/// The rules of the preset with the keys that override it, and the preset's default for child pipelines.
pub(super) fn read(section: &Section<'_>) -> (Rules, ChildPipelines) {
    let preset = section.get(&PRESET);
    let mut rules = preset.rules();
    set(section, &WINDOW, &mut rules.window);
    set(section, &LATE_PIPELINES, &mut rules.late_pipelines);
    set(section, &ABSENT_JOBS, &mut rules.absent_jobs);
    set(
        section,
        &INFRASTRUCTURE_FAILURES,
        &mut rules.infrastructure_failures,
    );
    set(
        section,
        &OUTDATED_DEPLOYMENTS,
        &mut rules.outdated_deployments,
    );
    set(section, &JOB_NAMES, &mut rules.job_names);
    set(section, &NEVER_FAILED_JOBS, &mut rules.never_failed_jobs);
    set(section, &ABSENT_AFTER, &mut rules.absent_after);
    let child_pipelines = match preset {
        Preset::Default => ChildPipelines::Follow,
        Preset::DatadogAgent => ChildPipelines::Ignore,
    };
    (rules, child_pipelines)
}

fn set<T>(section: &Section<'_>, key: &Key<T>, rule: &mut T) {
    if let Some(value) = section.read(key) {
        *rule = value;
    }
}

/// The rules as `counting` writes them: key and value, in the order of the docs.
pub fn describe(rules: &Rules) -> Vec<(&'static str, String)> {
    let word = |key: KeyInfo, word: &str| (key.name(), word.to_owned());
    vec![
        (WINDOW.info.name(), rules.window.to_string()),
        word(LATE_PIPELINES.info, rules.late_pipelines.word()),
        word(ABSENT_JOBS.info, rules.absent_jobs.word()),
        word(
            INFRASTRUCTURE_FAILURES.info,
            rules.infrastructure_failures.word(),
        ),
        word(OUTDATED_DEPLOYMENTS.info, rules.outdated_deployments.word()),
        word(JOB_NAMES.info, rules.job_names.word()),
        word(NEVER_FAILED_JOBS.info, rules.never_failed_jobs.word()),
        (ABSENT_AFTER.info.name(), rules.absent_after.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key_info::Absence;

    #[test]
    fn the_keys_have_the_defaults_of_the_rules() {
        let keys = KEYS.iter().filter(|key| key.name() != PRESET.info.name());
        let defaults: Vec<_> = keys
            .map(|key| match key.absence {
                Absence::Preset(default) => (key.name(), default.to_owned()),
                other => panic!("{}: {other:?}", key.path),
            })
            .collect();
        assert_eq!(defaults, describe(&Rules::default()));
    }
}
