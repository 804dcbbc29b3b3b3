//! The state as the status page and the probes see it.

use super::state::{Held, Loading, State};
use crate::http::{
    Candidate, JobEntry, JobFilter, JobPage, Paging, ProjectStatus, Readiness, Status, select,
};
use crate::model::TimelineKey;

impl Status for State {
    fn readiness(&self) -> Readiness {
        let held = self.held();
        match &held.loading {
            Loading::UnderWay => {
                return Readiness::NotReady("the saved state is being read".to_owned());
            }
            Loading::Failed(error) => {
                return Readiness::NotReady(format!("the saved state cannot be read: {error}"));
            }
            Loading::Done => {}
        }
        let nothing_to_poll = held.errors.is_empty()
            && held
                .projects
                .values()
                .all(|watched| watched.facts.is_none());
        if held.first_round_ended && (held.any_polled || nothing_to_poll) {
            return Readiness::Ready;
        }
        Readiness::NotReady(match held.errors.iter().next() {
            Some((what, error)) if !held.any_polled => {
                format!("no project could be polled yet; {what}: {}", error.message)
            }
            _ => "the first round of polling is under way".to_owned(),
        })
    }

    fn projects(&self) -> Vec<ProjectStatus> {
        let held = self.held();
        let watched = held.projects.values().filter_map(|watched| {
            let facts = watched.facts.as_ref()?;
            let polls = self.exposition.project(&facts.path);
            Some(ProjectStatus {
                path: facts.path.clone(),
                url: facts.web_url.clone(),
                last_successful_poll: polls.and_then(|polls| polls.last_success),
                error: held
                    .errors
                    .get(&*facts.path)
                    .map(|error| error.message.clone()),
            })
        });
        let mut projects: Vec<_> = watched.collect();
        // What the configuration names and GitLab did not show.
        for (what, error) in &held.errors {
            if !projects.iter().any(|project| *project.path == **what) {
                projects.push(ProjectStatus {
                    path: what.as_str().into(),
                    url: None,
                    last_successful_poll: None,
                    error: Some(error.message.clone()),
                });
            }
        }
        projects
    }

    fn jobs(&self, filter: &JobFilter, paging: Paging) -> JobPage {
        let held = self.held();
        let owners = (!filter.text.is_empty()).then_some(&self.policy.owners);
        let candidates = held.timelines.iter().filter(|(_, tracked)| tracked.shown);
        let candidates = candidates.flat_map(|(key, tracked)| {
            let project = &tracked.timeline.project;
            tracked.ranks.iter().map(move |rank| Candidate {
                project,
                ref_name: &key.ref_name,
                job_name: &rank.name,
                // Only looked at where words are searched for; working it out for all takes time.
                team: owners.and_then(|owners| Some(&**owners.team(project, &rank.name)?)),
                consecutive_failures: rank.consecutive_failures,
                failure_ratio: rank.failure_ratio,
                item: (key, &rank.name),
            })
        });
        select(candidates, filter, paging).look_up(|(key, name)| self.entry(&held, key, name))
    }
}

impl State {
    fn entry(&self, held: &Held, key: &TimelineKey, name: &str) -> Option<JobEntry> {
        let timeline = &held.timelines.get(key)?.timeline;
        let row = timeline.row(name, &self.policy.rules)?;
        Some(JobEntry {
            project: timeline.project.clone(),
            project_url: timeline.project_url.clone(),
            ref_name: key.ref_name.clone(),
            team: self.policy.owners.team(&timeline.project, name).cloned(),
            row,
        })
    }
}
