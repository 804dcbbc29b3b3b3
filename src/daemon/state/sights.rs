//! What polling knows of each project, and whether the saved documents contain it.
//!
//! Sights are saved with a checksum of the project's documents, after these were saved. A process that finds other documents,
//! whoever changed them, does not use the sights: a pipeline that was seen must never be missing.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::DAY;
use crate::base::poll_sights::PollSights;
use crate::store::SavedSights;
use ci_history::{TimelineKey, Timestamp};

/// Saves in a row without a change of a project's documents before its sights are saved: of a busy project they would not
/// stay true for long.
const CALM_ROUNDS: u32 = 5;

/// Seconds after which sights are saved again although the documents are the same.
const SAVED_EVERY: i64 = 6 * 60 * 60;

/// Seconds by which two readings of GitLab's clock may differ. Polling looks back much further.
pub(super) const CLOCK_TOLERANCE: i64 = 60;

/// The sights of all projects, by id.
#[derive(Clone, Default)]
pub(super) struct Sights {
    by_id: BTreeMap<u64, ProjectSights>,
    /// The documents in the store, as they were last read or written.
    checksums: BTreeMap<TimelineKey, u32>,
    /// Projects that were forgotten and may have a document.
    removed: BTreeSet<u64>,
}

#[derive(Clone, Default)]
struct ProjectSights {
    told: Option<Told>,
    /// [`PollSights::asked_at`] of the saved ones.
    saved: Option<Timestamp>,
    /// Whether what was told differs from what is saved by more than its time.
    is_changed: bool,
    /// Whether the documents have changed since.
    has_other_documents: bool,
    calm_rounds: u32,
}

/// What polling told.
#[derive(Clone)]
struct Told {
    /// Checksum of what was watched and how it was counted.
    scope: u32,
    sights: PollSights,
}

/// Sights that are true of the documents once everything is saved that was unsaved when they were taken.
pub(in crate::daemon) struct UnsavedSights {
    pub(in crate::daemon) project_id: u64,
    told: Told,
}

impl Sights {
    /// Takes over what was saved, as far as it is true of these documents. Returns of how many projects it is.
    pub(super) fn restore(
        &mut self,
        saved: Vec<SavedSights>,
        checksums: Vec<(TimelineKey, u32)>,
    ) -> usize {
        self.checksums.extend(checksums);
        let mut restored = 0;
        for saved in saved {
            if self.documents_of(saved.project_id) == saved.documents {
                restored += 1;
                let entry = ProjectSights {
                    saved: Some(saved.sights.asked_at),
                    told: Some(Told {
                        scope: saved.scope,
                        sights: saved.sights,
                    }),
                    ..ProjectSights::default()
                };
                self.by_id.insert(saved.project_id, entry);
            }
        }
        restored
    }

    /// What is known of a project; `None` if it is too old, from the future, or of another scope.
    pub(super) fn get(&self, id: u64, scope: u32, now: Timestamp) -> Option<&PollSights> {
        let told = self.by_id.get(&id)?.told.as_ref()?;
        let age = now.unix().saturating_sub(told.sights.asked_at.unix());
        let is_usable = told.scope == scope && (-CLOCK_TOLERANCE..DAY).contains(&age);
        is_usable.then_some(&told.sights)
    }

    /// A cycle of a project ended. `None`: nothing can be said that a later process could rely on.
    pub(super) fn told(&mut self, id: u64, scope: u32, sights: Option<PollSights>) {
        let entry = self.by_id.entry(id).or_default();
        let told = sights.map(|sights| Told { scope, sights });
        let is_same = match (&entry.told, &told) {
            (Some(before), Some(now)) => before.says_the_same_as(now),
            (before, now) => before.is_none() && now.is_none(),
        };
        entry.is_changed |= !is_same;
        entry.told = told;
    }

    /// A timeline's document was written, or read as another replica wrote it.
    pub(super) fn written(&mut self, key: &TimelineKey, checksum: Option<u32>) {
        let before = match checksum {
            Some(checksum) => self.checksums.insert(key.clone(), checksum),
            None => self.checksums.remove(key),
        };
        if before != checksum {
            let entry = self.by_id.entry(key.project_id).or_default();
            entry.has_other_documents = true;
        }
    }

    /// The sights to save once these projects, which have unsaved timelines, are saved. `is_last`: no other round follows.
    pub(super) fn take_unsaved(
        &mut self,
        unsaved: &BTreeSet<u64>,
        is_last: bool,
    ) -> Vec<UnsavedSights> {
        let mut taken = Vec::new();
        for (id, entry) in &mut self.by_id {
            entry.calm_rounds = if unsaved.contains(id) {
                0
            } else {
                entry.calm_rounds.saturating_add(1)
            };
            if let Some(told) = &entry.told
                && entry.is_to_be_saved(told, is_last, unsaved.contains(id))
            {
                taken.push(UnsavedSights {
                    project_id: *id,
                    told: told.clone(),
                });
            }
        }
        taken
    }

    /// Sights as they are to be saved, of the documents as they are now.
    pub(super) fn to_save(&self, unsaved: UnsavedSights) -> SavedSights {
        let UnsavedSights { project_id, told } = unsaved;
        SavedSights {
            project_id,
            scope: told.scope,
            documents: self.documents_of(project_id),
            sights: told.sights,
        }
    }

    /// Sights were saved.
    pub(super) fn saved(&mut self, saved: &SavedSights) {
        let documents = self.documents_of(saved.project_id);
        let Some(entry) = self.by_id.get_mut(&saved.project_id) else {
            // Forgotten meanwhile.
            self.removed.insert(saved.project_id);
            return;
        };
        entry.saved = Some(saved.sights.asked_at);
        entry.has_other_documents = documents != saved.documents;
        let is_same =
            |told: &Told| told.scope == saved.scope && is_same(&told.sights, &saved.sights);
        entry.is_changed = !entry.told.as_ref().is_some_and(is_same);
    }

    /// Forgets all projects but these.
    pub(super) fn forget_but(&mut self, is_known: impl Fn(u64) -> bool) {
        let removed = &mut self.removed;
        self.by_id.retain(|id, _| {
            let stays = is_known(*id);
            if !stays {
                removed.insert(*id);
            }
            stays
        });
    }

    /// The projects whose sights are to be removed.
    pub(super) fn take_removed(&mut self) -> BTreeSet<u64> {
        let mut removed = std::mem::take(&mut self.removed);
        removed.retain(|id| !self.by_id.contains_key(id));
        removed
    }

    /// Checksum of the documents of a project: which there are, and the checksum of each.
    fn documents_of(&self, id: u64) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        let keys = TimelineKey::new(id, "")..TimelineKey::new(id.saturating_add(1), "");
        for (key, checksum) in self.checksums.range(keys) {
            let name = format!("{:?}{:?}", key.ref_name, key.track);
            hasher.update(name.as_bytes());
            hasher.update(&checksum.to_be_bytes());
        }
        hasher.finalize()
    }
}

impl ProjectSights {
    fn is_to_be_saved(&self, told: &Told, is_last: bool, is_unsaved: bool) -> bool {
        let Some(saved) = self.saved else {
            return is_last || self.calm_rounds >= CALM_ROUNDS;
        };
        // Of a clock that was ahead before: what was saved promises too much.
        let is_set_back = told.sights.asked_at < saved;
        if is_last {
            return is_unsaved || self.is_changed || self.has_other_documents || is_set_back;
        }
        let age = told.sights.asked_at.unix() - saved.unix();
        let is_due = is_set_back || age >= SAVED_EVERY;
        // What is open changes the documents soon.
        let is_calm = self.calm_rounds >= CALM_ROUNDS && told.sights.open.is_empty();
        !is_unsaved && (is_due || (self.has_other_documents && is_calm))
    }
}

impl Told {
    fn says_the_same_as(&self, other: &Self) -> bool {
        self.scope == other.scope && is_same(&self.sights, &other.sights)
    }
}

/// Whether two sights differ in their time at most.
fn is_same(one: &PollSights, other: &PollSights) -> bool {
    let PollSights {
        asked_at: _,
        watermark,
        ended,
        open,
        has_no_schedules,
    } = one;
    *watermark == other.watermark
        && *ended == other.ended
        && *open == other.open
        && *has_no_schedules == other.has_no_schedules
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: u32 = 1;

    fn at(second: i64) -> Timestamp {
        Timestamp::of_clock(1_700_000_000 + second)
    }

    fn key(ref_name: &str) -> TimelineKey {
        TimelineKey::new(7, ref_name)
    }

    fn seen(second: i64) -> PollSights {
        PollSights {
            asked_at: at(second),
            watermark: at(0),
            ended: BTreeMap::new(),
            open: BTreeSet::new(),
            has_no_schedules: false,
        }
    }

    /// Sights of a project with one document, told and saved.
    fn saved() -> (Sights, SavedSights) {
        let mut sights = Sights::default();
        sights.told(7, SCOPE, Some(seen(0)));
        sights.written(&key("main"), Some(11));
        let unsaved = sights.take_unsaved(&BTreeSet::new(), true).remove(0);
        let saved = sights.to_save(unsaved);
        sights.saved(&saved);
        (sights, saved)
    }

    fn restored(saved: &SavedSights, documents: &[(&str, u32)]) -> Sights {
        let mut sights = Sights::default();
        let documents = documents.iter().map(|(name, sum)| (key(name), *sum));
        sights.restore(vec![saved.clone()], documents.collect());
        sights
    }

    #[test]
    fn sights_are_used_with_the_documents_that_they_speak_of_only() {
        let (_, saved) = saved();
        let is_used = |documents: &[(&str, u32)]| {
            let sights = restored(&saved, documents);
            sights.get(7, SCOPE, at(60)).is_some()
        };
        assert!(is_used(&[("main", 11)]));
        assert!(!is_used(&[]), "lost");
        assert!(!is_used(&[("main", 12)]), "older or newer");
        assert!(!is_used(&[("main", 11), ("next", 11)]), "one more");
        assert!(!is_used(&[("next", 11)]), "of another ref");
    }

    #[test]
    fn sights_that_are_old_or_from_the_future_or_of_another_scope_are_not_used() {
        let (_, saved) = saved();
        let sights = restored(&saved, &[("main", 11)]);
        assert_eq!(sights.get(7, SCOPE, at(DAY - 1)), Some(&saved.sights));
        assert_eq!(sights.get(7, SCOPE, at(DAY)), None);
        assert_eq!(sights.get(7, SCOPE, at(-CLOCK_TOLERANCE - 1)), None);
        assert_eq!(sights.get(7, SCOPE + 1, at(60)), None);
        assert_eq!(sights.get(8, SCOPE, at(60)), None);
    }

    /// Rounds without a change until something is saved.
    fn rounds_until_saved(sights: &mut Sights) -> Option<u32> {
        (1..20).find(|_| !sights.take_unsaved(&BTreeSet::new(), false).is_empty())
    }

    #[test]
    fn sights_of_a_busy_project_wait_until_it_is_calm_or_the_process_ends() {
        let (mut sights, _) = saved();
        assert_eq!(rounds_until_saved(&mut sights), None, "nothing is new");
        sights.written(&key("main"), Some(12));
        let busy = BTreeSet::from([7]);
        for _ in 0..20 {
            assert_eq!(sights.take_unsaved(&busy, false).len(), 0);
        }
        assert_eq!(rounds_until_saved(&mut sights), Some(CALM_ROUNDS));
        assert_eq!(sights.take_unsaved(&busy, true).len(), 1);
        let open = BTreeSet::from([3]);
        sights.told(7, SCOPE, Some(PollSights { open, ..seen(60) }));
        assert_eq!(rounds_until_saved(&mut sights), None, "a pipeline is open");
        assert_eq!(sights.take_unsaved(&BTreeSet::new(), true).len(), 1);
    }

    #[test]
    fn only_their_time_makes_sights_saved_now_and_then_and_at_once_if_it_is_set_back() {
        let (mut sights, _) = saved();
        sights.told(7, SCOPE, Some(seen(SAVED_EVERY - 1)));
        assert_eq!(rounds_until_saved(&mut sights), None);
        assert_eq!(sights.take_unsaved(&BTreeSet::new(), true).len(), 0);
        sights.told(7, SCOPE, Some(seen(SAVED_EVERY)));
        assert_eq!(rounds_until_saved(&mut sights), Some(1));
        sights.told(7, SCOPE, Some(seen(-10)));
        assert_eq!(rounds_until_saved(&mut sights), Some(1));
        sights.told(7, SCOPE, None);
        assert_eq!(rounds_until_saved(&mut sights), None);
    }

    #[test]
    fn sights_of_forgotten_projects_are_removed() {
        let (mut sights, _) = saved();
        sights.forget_but(|id| id == 7);
        assert!(sights.take_removed().is_empty());
        sights.forget_but(|_| false);
        assert_eq!(sights.take_removed(), BTreeSet::from([7]));
        assert!(sights.take_removed().is_empty());
    }
}
