//! Names of the jobs of child pipelines: `trigger job / job`, and told apart from other jobs of the same name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ci_history::JobObservation;

/// Stands between the names of the trigger jobs that lead to a child.
const LEADS_TO: &str = " > ";

/// A job of a child pipeline.
#[derive(Debug)]
pub(super) struct ChildJob {
    /// The trigger jobs that lead to the child, `a > b`.
    pub(super) path: Arc<str>,
    /// Under its name below the parent, `a / b / job`.
    pub(super) job: JobObservation,
}

/// The path of a child of the pipeline at `path`.
pub(super) fn below(path: &str, trigger_job: &str) -> Arc<str> {
    if path.is_empty() {
        return Arc::from(trigger_job);
    }
    Arc::from(format!("{path}{LEADS_TO}{trigger_job}"))
}

/// The own jobs of a pipeline and those of its children. A child's job whose name another job has, too, is named
/// `a / job (in a)`. It keeps that name in pipelines without the other job: `is_known` says whether it was counted under
/// that name before.
pub(super) fn tell_apart(
    mut own: Vec<JobObservation>,
    children: Vec<ChildJob>,
    is_known: impl Fn(&str) -> bool,
) -> Vec<JobObservation> {
    let mut paths: HashMap<Arc<str>, Arc<str>> = own
        .iter()
        .map(|job| (job.name.clone(), Arc::from("")))
        .collect();
    let mut shared = HashSet::new();
    for ChildJob { path, job } in &children {
        let first = paths
            .entry(job.name.clone())
            .or_insert_with(|| path.clone());
        if *first != *path {
            shared.insert(job.name.clone());
        }
    }
    own.extend(children.into_iter().map(|ChildJob { path, mut job }| {
        let distinct = format!("{} (in {path})", job.name);
        if shared.contains(&job.name) || is_known(&distinct) {
            job.name = Arc::from(distinct);
        }
        job
    }));
    own
}

#[cfg(test)]
mod tests {
    use ci_history::Status;

    use super::*;
    use crate::ingest::samples;

    fn job(id: u64, name: &str) -> JobObservation {
        samples::job(id, name, Status::Success)
    }

    fn child(id: u64, path: &str, name: &str) -> ChildJob {
        let (path, job) = (path.into(), job(id, name));
        ChildJob { path, job }
    }

    fn names(own: &[&str], children: &[(&str, &str)], known: &[&str]) -> Vec<String> {
        let own = own.iter().map(|name| job(1, name)).collect();
        let children = children.iter().map(|(path, name)| child(2, path, name));
        let told = tell_apart(own, children.collect(), |name| known.contains(&name));
        told.iter().map(|job| job.name.to_string()).collect()
    }

    #[test]
    fn a_child_with_the_name_of_a_job_of_its_parent_gets_another_one() {
        let told = names(
            &["lint / unit"],
            &[("lint", "lint / unit"), ("lint", "lint / x")],
            &[],
        );
        assert_eq!(told, ["lint / unit", "lint / unit (in lint)", "lint / x"]);
    }

    #[test]
    fn it_keeps_that_name_where_the_other_job_is_missing() {
        let known = ["lint / unit (in lint)"];
        assert_eq!(names(&[], &[("lint", "lint / unit")], &known), known);
    }

    #[test]
    fn children_of_the_same_name_are_told_apart_and_a_retried_trigger_job_is_the_same() {
        let told = names(
            &[],
            &[
                ("a", "a / b / c"),
                ("a / b", "a / b / c"),
                ("a > b", "a / b / c"),
                ("a", "a / d"),
                ("a", "a / d"),
            ],
            &[],
        );
        let wanted = [
            "a / b / c (in a)",
            "a / b / c (in a / b)",
            "a / b / c (in a > b)",
            "a / d",
            "a / d",
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_path_names_every_trigger_job() {
        assert_eq!(&*below(&below("", "a"), "b"), "a > b");
    }
}
