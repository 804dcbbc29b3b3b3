//! The state as the status page and the probes see it.

use std::time::Duration;

use super::state::{Held, Loading, State};
use crate::http::{
    Candidate, DaemonStatus, JobEntry, JobFilter, JobPage, Paging, ProjectStatus, Readiness, select,
};
use crate::model::TimelineKey;

/// After so many polls of a quiet project that did not take place ..
const LONG_MISSED: u32 = 3;

/// .. and not before this time, what is shown is called old.
const OLD: Duration = Duration::from_mins(15);

impl DaemonStatus for State {
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

    fn staleness(&self) -> Option<String> {
        let held = self.held();
        if !held.any_polled {
            return None;
        }
        let facts = held.projects.values().filter_map(|w| w.facts.as_ref());
        let polls = facts.filter_map(|facts| self.exposition.project(&facts.path)?.last_success);
        let newest = polls.max()?;
        let age = self.clock.local_now().unix() - newest.unix();
        let usual = (LONG_MISSED * self.policy.idle_interval).max(OLD);
        let is_cut_off = !self.exposition.telemetry().circuit_is_closed();
        let is_old = u64::try_from(age).is_ok_and(|age| age > usual.as_secs());
        let words = if is_cut_off {
            "GitLab keeps failing"
        } else if is_old {
            "no project could be polled"
        } else {
            return None;
        };
        Some(format!(
            "{words}; what is shown is of {age} s ago and older"
        ))
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
        let files = self.owners_files.all();
        let candidates = held.timelines.iter().filter(|(_, tracked)| tracked.shown);
        let candidates = candidates.flat_map(|(key, tracked)| {
            let project = &tracked.timeline.project;
            let file = files.get(&key.project_id).map(|file| &**file);
            tracked.ranks.iter().map(move |rank| Candidate {
                project,
                ref_name: &key.ref_name,
                job_name: &rank.name,
                // Only looked at where words are searched for; working it out for all takes time.
                team: owners.and_then(|owners| Some(&**owners.team(project, &rank.name, file)?)),
                consecutive_failures: rank.consecutive_failures,
                failure_ratio: rank.failure_ratio,
                item: (key, &rank.name),
            })
        });
        select(candidates, filter, paging).look_up(|(key, name)| self.entry(&held, key, name))
    }

    fn job(&self, project: &str, ref_name: &str, job: &str) -> Option<JobEntry> {
        let held = self.held();
        let mut shown = held.timelines.iter().filter(|(_, tracked)| tracked.shown);
        let (key, _) = shown.find(|(key, tracked)| {
            *key.ref_name == *ref_name && *tracked.timeline.project == *project
        })?;
        let entry = self.entry(&held, key, job)?;
        entry.row.figures.is_worth_showing().then_some(entry)
    }
}

impl State {
    fn entry(&self, held: &Held, key: &TimelineKey, name: &str) -> Option<JobEntry> {
        let timeline = &held.timelines.get(key)?.timeline;
        let row = timeline.row(name, &self.policy.rules)?;
        let file = self.owners_files.of(key.project_id);
        let owners = &self.policy.owners;
        let team = owners.team(&timeline.project, name, file.as_deref());
        Some(JobEntry {
            project: timeline.project.clone(),
            project_url: timeline.project_url.clone(),
            ref_name: key.ref_name.clone(),
            team: team.cloned(),
            row,
        })
    }
}
