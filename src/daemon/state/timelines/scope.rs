//! What is watched of a timeline: which jobs, and whether it is its project's default branch.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::effects::Effects;
use super::Timelines;
use super::entry::{SaveState, TimelineEntry};
use super::rendering::RenderState;
use crate::daemon::policy::Policy;
use crate::gitlab::Project;
use ci_history::{JobObservation, Rules, TimelineKey};

impl Timelines {
    /// Carries the histories of a former default branch over to the new one, unless the former one is watched
    /// by its own name.
    pub(super) fn follow_default_branch(
        &mut self,
        project: &Project,
        is_watched: impl Fn(&TimelineKey) -> bool,
    ) -> Effects {
        let mut effects = Effects::default();
        let Some(branch) = project.default_branch.clone() else {
            return effects;
        };
        let former = self.keys_of(project.id).into_iter().filter(|key| {
            let entry = self.entries.get(key);
            key.ref_name != branch
                && !is_watched(key)
                && entry.is_some_and(|entry| entry.scope.default_branch)
        });
        for key in former.collect::<Vec<_>>() {
            let successor = TimelineKey {
                ref_name: branch.clone(),
                ..key.clone()
            };
            if !is_watched(&successor) {
                continue;
            }
            let Some(entry) = self.entries.get(&key).cloned() else {
                continue;
            };
            self.drop_entry(&key);
            effects.hide.push(key.clone());
            self.succeed(&successor, entry);
            effects.succeeded.push((key.clone(), successor.clone()));
            effects.render.push(successor.clone());
            self.successors.insert(key, vec![successor]);
        }
        effects
    }

    fn succeed(&mut self, key: &TimelineKey, former: TimelineEntry) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.timeline.succeed(former.timeline, &self.rules);
        } else {
            let timeline = former.timeline.renamed(key.clone());
            let entry = TimelineEntry { timeline, ..former };
            self.entries.insert(key.clone(), entry);
        }
        self.edit(key, |entry, _| {
            entry.show();
            entry.render = RenderState::Dirty;
            entry.save = SaveState::Unsaved;
            // Pipelines of the new branch may not have been read.
            entry.set_gap(true);
        });
    }

    /// Whether a job is known and no longer watched.
    pub(in crate::daemon::state) fn is_unwatched(&self, key: &TimelineKey, job: &str) -> bool {
        let entry = self.entries.get(key);
        entry.is_some_and(|entry| entry.scope.unwatched.contains(job))
    }
}

impl TimelineEntry {
    /// Finds the jobs that the configuration no longer watches; returns those that it watched before.
    pub(super) fn narrow(&mut self, policy: &Policy) -> BTreeSet<Arc<str>> {
        let timeline = &self.timeline;
        let is_watched = |job: &str| policy.jobs.matches(job);
        let sources = &*policy.sources;
        let mut unwatched = timeline.histories_out_of_scope(is_watched, sources, &policy.rules);
        if !policy.follows_children {
            unwatched.extend(timeline.family_jobs());
        }
        let has_known_sources = |name: &Arc<str>| {
            let job = timeline.jobs.get(name);
            job.is_some_and(|job| !job.sources.is_empty())
        };
        let returning = self.scope.unwatched.difference(&unwatched).cloned();
        let returning: BTreeSet<_> = returning.filter(has_known_sources).collect();
        let former = self.scope.sources.as_ref();
        let is_narrower =
            former.is_some_and(|former| former.iter().any(|source| !sources.contains(source)));
        if is_narrower {
            // Not all pipelines that brought a job are known. Those that still do are read again.
            unwatched.extend(timeline.jobs.keys().cloned());
        }
        // Executions of a job that was not watched for a while were not counted.
        if is_narrower || !returning.is_empty() {
            self.set_gap(true);
        }
        self.returning = returning;
        let news: BTreeSet<_> = unwatched
            .difference(&self.scope.unwatched)
            .cloned()
            .collect();
        if !news.is_empty() {
            self.scope.unwatched.extend(news.iter().cloned());
            self.save = SaveState::Unsaved;
        }
        self.note_scope(self.scope.default_branch, sources);
        news
    }

    /// Everything was read. Jobs that are watched again are exposed as they are now.
    pub(super) fn close_gap(&mut self) {
        self.set_gap(false);
        for name in std::mem::take(&mut self.returning) {
            if self.scope.unwatched.remove(&name) {
                self.render = RenderState::Dirty;
                self.save = SaveState::Unsaved;
            }
        }
    }

    /// A poll brought these jobs, so that they are watched.
    pub(super) fn watch_again(&mut self, jobs: &[JobObservation], rules: &Rules) {
        if self.scope.unwatched.is_empty() {
            return;
        }
        for job in jobs {
            let name = rules.job_names.history_name(&job.name);
            if self.scope.unwatched.remove(&*name) {
                self.render = RenderState::Dirty;
                self.save = SaveState::Unsaved;
            }
        }
    }

    pub(super) fn note_scope(&mut self, default_branch: bool, sources: &[Arc<str>]) {
        let scope = &mut self.scope;
        if scope.default_branch != default_branch || scope.sources.as_deref() != Some(sources) {
            scope.default_branch = default_branch;
            scope.sources = Some(sources.to_vec());
            self.save = SaveState::Unsaved;
        }
    }
}
