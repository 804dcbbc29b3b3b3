//! The requests of an hour, and the budget for them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::projects::{JOBS, PIPELINES, PROJECTS, ProjectKind};

const SWEEP: &str = "graphql";
const DISCOVERY: &str = "GET /groups/:id/projects";

/// Requests for one project by purpose.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Cost {
    pub(super) cycles: usize,
    pub(super) pipelines_read: usize,
    pub(super) listings: usize,
    pub(super) job_pages: usize,
    pub(super) bridges: usize,
    pub(super) single_pipelines: usize,
    pub(super) schedules: usize,
    pub(super) single_schedules: usize,
}

impl Cost {
    fn requests(&self) -> usize {
        let of_pipelines = self.job_pages + self.bridges + self.single_pipelines;
        self.listings + of_pipelines + self.schedules + self.single_schedules
    }
}

/// The requests of an hour.
pub struct Hour {
    /// By project id.
    pub(super) costs: BTreeMap<u64, Cost>,
    /// By project id.
    pub(super) kinds: BTreeMap<u64, ProjectKind>,
    /// Requests for no single project, by endpoint.
    pub(super) others: BTreeMap<&'static str, usize>,
    /// Failed polls.
    pub(super) failed: usize,
}

impl Hour {
    /// The requests as a Markdown table with a row for each kind of project.
    pub fn table(&self) -> String {
        let mut text = "| projects | cycles | listings | pages of jobs | trigger jobs | pipelines | schedules | \
             requests a cycle |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
        for kind in ProjectKind::ALL {
            let mut sum = Cost::default();
            let of_kind = self.costs.iter().filter(|(id, _)| self.kinds[id] == kind);
            let mut projects = 0;
            for (_, cost) in of_kind {
                projects += 1;
                sum.cycles += cost.cycles;
                sum.listings += cost.listings;
                sum.job_pages += cost.job_pages;
                sum.bridges += cost.bridges;
                sum.single_pipelines += cost.single_pipelines;
                sum.schedules += cost.schedules;
                sum.single_schedules += cost.single_schedules;
            }
            writeln!(
                text,
                "| {projects} {} | {} | {} | {} | {} | {} | {} | {:.2} |",
                kind.description(),
                sum.cycles,
                sum.listings,
                sum.job_pages,
                sum.bridges,
                sum.single_pipelines,
                sum.schedules + sum.single_schedules,
                sum.requests() as f64 / sum.cycles as f64
            )
            .unwrap();
        }
        let all: usize = self.costs.values().map(Cost::requests).sum();
        let (discovery, sweeps) = (self.discovery(), self.sweeps());
        writeln!(
            text,
            "{} requests in all, {discovery} of them to list the projects, {sweeps} of them sweeps",
            all + discovery + sweeps
        )
        .unwrap();
        text
    }

    fn discovery(&self) -> usize {
        self.others.values().sum::<usize>() - self.sweeps()
    }

    fn sweeps(&self) -> usize {
        self.others.get(SWEEP).copied().unwrap_or_default()
    }

    /// Fails if sweeps, and questions for the jobs of running pipelines, take more requests every 30 seconds than one for 50
    /// projects and one for 40, or if they do not spare the listings.
    #[track_caller]
    pub fn is_swept(&self) {
        assert_eq!(self.failed, 0);
        assert_eq!(self.costs.len(), PROJECTS);
        let most = (PROJECTS.div_ceil(50) + PROJECTS.div_ceil(40)) * 2 * 60;
        assert!(self.sweeps() <= most, "{} sweeps", self.sweeps());
        for (id, cost) in &self.costs {
            // One an hour, which tells whether the project may be read.
            assert!(cost.listings <= 3, "{id} {:?}: {cost:?}", self.kinds[id]);
            assert!(
                cost.cycles >= 2 * 60 - 6,
                "{id} {:?}: {cost:?}",
                self.kinds[id]
            );
        }
    }

    /// Fails if the requests exceed the budget.
    #[track_caller]
    pub fn is_within_the_budget(&self) {
        assert_eq!(self.failed, 0);
        assert_eq!(self.costs.len(), PROJECTS);
        for (id, cost) in &self.costs {
            let kind = self.kinds[id];
            let about = format!("{id} {kind:?}: {cost:?}");
            assert_eq!(cost.listings, cost.cycles, "{about}");
            // The poller observes a pipeline again after a request for that single pipeline.
            let read = cost.pipelines_read - cost.single_pipelines;
            match kind {
                ProjectKind::Idle => {
                    let of_pipelines = cost.job_pages + cost.bridges + cost.single_pipelines;
                    assert_eq!(of_pipelines, 0, "{about}");
                    // Every 30 s in the first 15 minutes, then every 5 minutes.
                    assert!((30..=50).contains(&cost.cycles), "{about}");
                }
                ProjectKind::Busy => {
                    assert!(read >= PIPELINES, "{about}");
                    assert!(cost.job_pages <= read * JOBS.div_ceil(100), "{about}");
                    // One request for each pipeline tells that it has no trigger jobs, and a second one if it was just
                    // created: a lagging replica may not have had them yet.
                    assert!(cost.bridges <= 2 * PIPELINES, "{about}");
                }
                ProjectKind::WithChildren => {
                    assert!(read >= PIPELINES, "{about}");
                    // A page of jobs and a list of trigger jobs for each parent and each child.
                    let members = 2 * read;
                    assert!(
                        cost.job_pages <= members && cost.bridges <= members,
                        "{about}"
                    );
                    assert!(cost.job_pages > read, "children were read: {about}");
                }
                ProjectKind::Scheduled => {
                    // The schedule runs once more at the very end.
                    assert!((PIPELINES..=read).contains(&cost.job_pages), "{about}");
                    assert!(cost.bridges <= 2 * (PIPELINES + 1), "{about}");
                }
            }
            if kind == ProjectKind::Scheduled {
                // One list in every second idle interval, and two requests after each run.
                assert!((5..=7).contains(&cost.schedules), "{about}");
                assert!(cost.single_schedules <= 2 * (PIPELINES + 1), "{about}");
                assert!(cost.single_schedules >= PIPELINES - 1, "{about}");
            } else {
                // Projects without schedules are asked in every twelfth idle interval.
                assert!(cost.schedules <= 2, "{about}");
                assert_eq!(cost.single_schedules, 0, "{about}");
            }
        }
        // Two pages of projects every ten minutes.
        assert!(
            self.discovery() <= 14 && self.others.contains_key(DISCOVERY),
            "{:?}",
            self.others
        );
    }
}
