//! Which timeline a pipeline belongs to, and moving histories when that changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::effects::Effects;
use super::Timelines;
use super::entry::{SaveState, TimelineEntry};
use crate::daemon::policy::Policy;
use crate::gitlab::Project;
use crate::store::Saved;
use ci_history::{PipelineObservation, Tallies, Timeline, TimelineKey, Timestamp};

impl Timelines {
    /// Takes over a saved timeline by the tracks that are configured now, to be rendered.
    /// Returns the keys, and the jobs that the configuration no longer watches.
    pub(in super::super) fn restore(
        &mut self,
        saved: Saved,
        policy: &Policy,
    ) -> (Vec<TimelineKey>, BTreeSet<Arc<str>>) {
        let former = saved.timeline.key.clone();
        // Saved before pipelines had sources: reading the ref back shows them.
        let is_unsorted = !self.tracks.is_empty()
            && !former.is_tag()
            && saved.timeline.finished.0.is_empty()
            && !saved.timeline.is_bare();
        let parts = saved.timeline.place(&self.tracks, &self.rules);
        let is_moved = parts.len() > 1 || parts.iter().any(|part| part.key != former);
        let mut keys = Vec::new();
        let mut unwatched = BTreeSet::new();
        for timeline in parts {
            let key = timeline.key.clone();
            let part = Saved {
                timeline,
                watermark: saved.watermark,
                has_gap: saved.has_gap || is_unsorted || is_moved,
                scope: saved.scope.clone(),
            };
            unwatched.extend(self.restore_part(part, is_moved, policy));
            keys.push(key);
        }
        if !keys.contains(&former) {
            self.removed.insert(former.clone());
            self.successors.insert(former, keys.clone());
        }
        (keys, unwatched)
    }

    /// Joins what another replica saved of a timeline, and drops jobs without activity since `cutoff`. The other
    /// one may know other tracks.
    pub(in super::super) fn merge_saved(
        &mut self,
        saved: &Saved,
        cutoff: Option<Timestamp>,
    ) -> Vec<TimelineKey> {
        let own = &saved.timeline.key;
        let mut keys = vec![own.clone()];
        let mut parts = saved.timeline.clone().place(&self.tracks, &self.rules);
        let rest = parts.iter().position(|part| part.key == *own);
        let rest = rest.map(|at| parts.swap_remove(at));
        let timeline = rest.unwrap_or_else(|| {
            let (project, url) = (&saved.timeline.project, &saved.timeline.project_url);
            Timeline::new(own.clone(), project.clone(), url.clone())
        });
        let is_split = !parts.is_empty();
        let rest = Saved {
            timeline,
            ..saved.clone()
        };
        self.edit(own, |entry, rules| {
            entry.merge_saved(&rest, rules, cutoff);
            if is_split {
                entry.save = SaveState::Unsaved;
            }
        });
        for part in parts {
            let key = part.key.clone();
            if !self.entries.contains_key(&key) {
                let empty = Timeline::new(key.clone(), part.project.clone(), None);
                let entry = TimelineEntry::restored(Saved {
                    timeline: empty,
                    ..rest.clone()
                });
                self.entries.insert(key.clone(), entry);
            }
            self.edit(&key, |entry, rules| entry.absorb(part, rules));
            keys.push(key);
        }
        keys
    }

    fn restore_part(&mut self, part: Saved, is_moved: bool, policy: &Policy) -> BTreeSet<Arc<str>> {
        let key = part.timeline.key.clone();
        let is_known = self.entries.contains_key(&key);
        if is_known {
            self.edit(&key, |entry, rules| {
                entry.has_gap |= part.has_gap;
                entry.absorb(part.timeline, rules);
            });
        } else {
            let mut entry = TimelineEntry::restored(part);
            if is_moved {
                entry.save = SaveState::Unsaved;
                self.unsaved.insert(key.clone());
            }
            self.entries.insert(key.clone(), entry);
        }
        self.dirty.insert(key.clone());
        let unwatched = self.edit(&key, |entry, _| entry.narrow(policy));
        unwatched.unwrap_or_default()
    }

    /// The timeline of a pipeline. One that was kept without its source stays where it is.
    pub(super) fn key_of(&self, project_id: u64, pipeline: &PipelineObservation) -> TimelineKey {
        let holder = || self.holder(project_id, &pipeline.ref_name, pipeline.id);
        let is_sure = pipeline.source.is_some() || pipeline.tag;
        (!is_sure)
            .then(holder)
            .flatten()
            .unwrap_or_else(|| self.tracks.key(project_id, pipeline))
    }

    /// The timeline of a ref that keeps a pipeline.
    pub(in super::super) fn holder(
        &self,
        project_id: u64,
        ref_name: &Arc<str>,
        pipeline_id: u64,
    ) -> Option<TimelineKey> {
        let siblings = self.siblings(project_id, ref_name);
        let mut holders = siblings.filter(|(_, entry)| entry.timeline.keeps(pipeline_id));
        holders.next().map(|(key, _)| key.clone())
    }

    pub(super) fn siblings(
        &self,
        project_id: u64,
        ref_name: &Arc<str>,
    ) -> impl Iterator<Item = (&TimelineKey, &TimelineEntry)> {
        let first = TimelineKey::new(project_id, self.tracks.ref_of(ref_name));
        let ref_name = first.ref_name.clone();
        let from_first = self.entries.range(first..);
        from_first
            .take_while(move |(key, _)| key.project_id == project_id && key.ref_name == ref_name)
    }

    /// Moves what other tracks of the ref keep of a pipeline to its own timeline.
    pub(super) fn collect(
        &mut self,
        project: &Project,
        key: &TimelineKey,
        pipeline_id: u64,
    ) -> Effects {
        let mut effects = Effects::default();
        let siblings = self.siblings(key.project_id, &key.ref_name);
        let others: Vec<_> = siblings
            .filter(|(other, entry)| {
                *other != key && (entry.timeline.keeps(pipeline_id) || is_of_tag(other, entry, key))
            })
            .map(|(other, _)| other.clone())
            .collect();
        for other in others {
            if let Some(part) = self.take_part(&other, key, pipeline_id) {
                self.entries
                    .entry(key.clone())
                    .or_insert_with(|| TimelineEntry::new(key.clone(), project));
                self.edit(key, |entry, rules| entry.absorb(part, rules));
            }
            let is_empty = self
                .entries
                .get(&other)
                .is_some_and(|it| it.timeline.is_empty());
            if is_empty {
                self.drop_entry(&other);
                effects.hide.push(other);
            }
        }
        effects
    }

    /// The timeline of the ref whose sums may include a pipeline of another track, and what that track has counted
    /// so far.
    pub(super) fn mixed(
        &self,
        key: &TimelineKey,
        pipeline_id: u64,
    ) -> Option<(TimelineKey, Tallies)> {
        let mut siblings = self.siblings(key.project_id, &key.ref_name);
        let (mixed, _) =
            siblings.find(|(it, entry)| *it != key && entry.timeline.may_mix(pipeline_id))?;
        let before = self.entries.get(key)?.timeline.tallies();
        Some((mixed.clone(), before))
    }

    /// Takes what a track has counted of a pipeline since then out of the sums.
    pub(super) fn uncount(
        &mut self,
        key: &TimelineKey,
        mixed: Option<(TimelineKey, Tallies)>,
        pipeline: &PipelineObservation,
    ) {
        let own = self.entries.get(key);
        if let Some((mixed, before)) = mixed
            && let Some(after) = own.map(|entry| entry.timeline.tallies())
        {
            self.edit(&mixed, |entry, _| entry.uncount(pipeline, &before, &after));
        }
    }

    /// Takes a pipeline out of a timeline; everything if it was saved when tags were not told from branches.
    fn take_part(
        &mut self,
        from: &TimelineKey,
        key: &TimelineKey,
        pipeline_id: u64,
    ) -> Option<Timeline> {
        self.edit(from, |entry, rules| {
            let takes_all = is_of_tag(from, entry, key);
            entry.extract(&|id| takes_all || id == pipeline_id, takes_all, key, rules)
        })
    }
}

/// Whether a timeline without track was saved when tags were not told from branches, and `key` is of a tag
/// of its name.
fn is_of_tag(from: &TimelineKey, entry: &TimelineEntry, key: &TimelineKey) -> bool {
    key.is_tag() && from.track.is_none() && entry.timeline.finished.0.is_empty()
}
