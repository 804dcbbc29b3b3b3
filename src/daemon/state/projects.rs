//! The projects: what GitLab says of each, and up to when it was read and saved.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::gitlab::Project;
use crate::gitlab::webhook::HookProject;
use ci_history::Timestamp;

/// Projects that are watched, or were when the state was saved.
#[derive(Clone, Default)]
pub(super) struct Projects {
    by_id: BTreeMap<u64, ProjectEntry>,
    /// The watched projects. Of two with one path, the one that was found last.
    by_path: HashMap<Arc<str>, u64>,
    /// The projects with a former path.
    by_former_path: HashMap<Arc<str>, u64>,
    /// Projects that were found since the start.
    found: BTreeSet<u64>,
    /// Watched projects whose webhooks tell of everything, so that they are polled seldom.
    on_hooks: BTreeSet<u64>,
}

#[derive(Clone, Default)]
struct ProjectEntry {
    /// As GitLab lists it; `None` while it is not watched.
    facts: Option<Project>,
    /// Its path before it moved, until the cycle that was under way has ended.
    former_path: Option<Arc<str>>,
    /// Up to when everything of GitLab's is in the timelines.
    watermark: Option<Timestamp>,
    /// Up to when everything of GitLab's is in the saved documents.
    saved_watermark: Option<Timestamp>,
}

/// What the discovery of a project changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    AsBefore,
    Changed,
    /// It had this path before.
    Moved {
        from: Arc<str>,
    },
}

impl Projects {
    /// What GitLab says of a project that is watched.
    pub(super) fn facts(&self, id: u64) -> Option<&Project> {
        self.by_id.get(&id)?.facts.as_ref()
    }

    /// The watched projects.
    pub(super) fn watched(&self) -> impl Iterator<Item = &Project> {
        self.by_id.values().filter_map(|entry| entry.facts.as_ref())
    }

    /// The watched project of a path.
    pub(super) fn at(&self, path: &str) -> Option<&Project> {
        self.facts(*self.by_path.get(path)?)
    }

    /// The watched project that a hook names.
    pub(super) fn of_hook(&self, project: &HookProject) -> Option<&Project> {
        match project {
            HookProject::Id(id) => self.facts(*id),
            HookProject::Path(path) => self.at(path),
        }
    }

    /// The project of a path. The path that it had when the cycle under way began is found once.
    pub(super) fn take_at(&mut self, path: &str) -> Option<u64> {
        if let Some(facts) = self.at(path) {
            return Some(facts.id);
        }
        let id = self.by_former_path.remove(path)?;
        self.by_id.get_mut(&id)?.former_path = None;
        Some(id)
    }

    /// As they are, to be found anew.
    pub(super) fn handed_over(&self) -> Self {
        Self {
            found: BTreeSet::new(),
            on_hooks: BTreeSet::new(),
            ..self.clone()
        }
    }

    /// Whether a project was found since the start.
    pub(super) fn was_found(&self, id: u64) -> bool {
        self.found.contains(&id)
    }

    /// One document of the project promises this watermark.
    pub(super) fn restore(&mut self, id: u64, watermark: Option<Timestamp>) {
        let entry = self.by_id.entry(id).or_default();
        entry.watermark = entry.watermark.max(watermark);
        entry.saved_watermark = entry.watermark;
    }

    /// A project is watched, perhaps under a new path.
    pub(super) fn found(&mut self, project: &Project) -> Found {
        self.found.insert(project.id);
        let entry = self.by_id.entry(project.id).or_default();
        if entry.facts.as_ref() == Some(project) {
            return Found::AsBefore;
        }
        self.by_path.insert(project.path.clone(), project.id);
        match entry.facts.replace(project.clone()) {
            Some(former) if former.path != project.path => {
                entry.former_path = Some(former.path.clone());
                self.by_former_path.insert(former.path.clone(), project.id);
                remove(&mut self.by_path, &former.path, project.id);
                Found::Moved { from: former.path }
            }
            _ => Found::Changed,
        }
    }

    /// Only these projects are watched from now on. Returns the paths of the others.
    pub(super) fn drop_missing(&mut self, present: &BTreeMap<u64, Project>) -> Vec<Arc<str>> {
        let missing = self.by_id.iter_mut();
        let missing = missing.filter(|(id, _)| !present.contains_key(id));
        let dropped = missing.filter_map(|(id, entry)| Some((*id, entry.facts.take()?.path)));
        let (by_path, on_hooks) = (&mut self.by_path, &mut self.on_hooks);
        let paths = dropped.map(|(id, path)| {
            remove(by_path, &path, id);
            on_hooks.remove(&id);
            path
        });
        paths.collect()
    }

    pub(super) fn watermark(&self, id: u64) -> Option<Timestamp> {
        self.by_id.get(&id)?.watermark
    }

    pub(super) fn saved_watermark(&self, id: u64) -> Option<Timestamp> {
        self.by_id.get(&id)?.saved_watermark
    }

    /// A cycle ended. Returns whether the project is still what it was when the cycle began.
    pub(super) fn polled(&mut self, project: &Project, watermark: Option<Timestamp>) -> bool {
        let Some(entry) = self.by_id.get_mut(&project.id) else {
            return false;
        };
        entry.watermark = entry.watermark.max(watermark);
        let is_as_it_began = entry.facts.as_ref() == Some(project);
        if is_as_it_began && let Some(former) = entry.former_path.take() {
            remove(&mut self.by_former_path, &former, project.id);
        }
        is_as_it_began
    }

    /// Whether a project is polled seldom, because its webhooks tell of everything. Returns its path if it is watched.
    pub(super) fn relies_on_hooks(&mut self, id: u64, relies: bool) -> Option<Arc<str>> {
        let path = self.facts(id)?.path.clone();
        if relies {
            self.on_hooks.insert(id);
        } else {
            self.on_hooks.remove(&id);
        }
        Some(path)
    }

    /// Whether all watched projects are polled seldom.
    pub(super) fn all_rely_on_hooks(&self) -> bool {
        self.on_hooks.len() >= self.by_path.len()
    }

    /// All changes of a project are saved up to this time.
    pub(super) fn saved(&mut self, id: u64, watermark: Option<Timestamp>) {
        if let Some(entry) = self.by_id.get_mut(&id) {
            entry.saved_watermark = entry.saved_watermark.max(watermark);
        }
    }

    /// Forgets projects that are not watched, but for these.
    pub(super) fn forget_unwatched(&mut self, but: &BTreeSet<u64>) {
        self.by_id
            .retain(|id, entry| entry.facts.is_some() || but.contains(id));
    }
}

/// Removes a path unless another project has it by now.
fn remove(paths: &mut HashMap<Arc<str>, u64>, path: &str, id: u64) {
    if paths.get(path) == Some(&id) {
        paths.remove(path);
    }
}
