//! The rendered timelines, kept in shards whose text is joined once and kept until one changes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ci_history::TimelineKey;

use super::fragments::Fragments;

/// All rendered timelines. Its lock is held to put text in or to copy references, never
/// to render or to join.
#[derive(Default)]
pub(super) struct RenderCache(RwLock<Content>);

#[derive(Default)]
struct Content {
    shards: BTreeMap<u64, Shard>,
    sort_keys: HashMap<TimelineKey, SortKey>,
    /// Pieces that are not compressed, each with its number in its timeline.
    plain: BTreeSet<(SortKey, usize)>,
    /// Changes so far, of all shards: one that is removed and made again never has the version that it had.
    changes: u64,
}

/// Pieces at most that are not compressed. One takes up to some 20 KB.
const MOST_PLAIN: usize = 1000;

/// A piece that is not compressed.
pub(super) struct Plain {
    place: (SortKey, usize),
    pub(super) rendered: Arc<Rendered>,
}

/// A scrape reads every piece of text: from thousands of timelines it would wait for memory most
/// of the time. So some timelines share one run of text for each family. Their visible and compressed pieces keep no other copy
/// of it.
#[derive(Default)]
struct Shard {
    /// Each with its pieces.
    timelines: BTreeMap<SortKey, Box<[Arc<Rendered>]>>,
    /// Of all timelines; none after a change.
    joined: Option<Arc<Rendered>>,
    /// Number of its last change.
    version: u64,
}

/// So many that few timelines share one where there are some thousands, and that going through
/// them costs little.
const SHARDS: u64 = 512;

/// Where a timeline stands on the page.
///
/// A project that was deleted and created again has two ids for the same labels until the old one
/// is retired; the newer one is shown, since no series may appear twice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SortKey {
    /// Label `project`.
    pub(super) project: Arc<str>,
    /// Label `ref`.
    pub(super) ref_name: Arc<str>,
    /// Label `track`.
    pub(super) track: Option<Arc<str>>,
    /// The project's id.
    pub(super) newest_first: Reverse<u64>,
}

/// The text of some timelines, or of a piece of one.
#[derive(Clone)]
pub(super) struct Rendered {
    pub(super) fragments: Arc<Fragments>,
    pub(super) timelines: u64,
    pub(super) jobs: u64,
}

impl RenderCache {
    /// Puts a timeline where its sort key says, in place of the former text of the key.
    pub(super) fn put(&self, key: TimelineKey, sort_key: SortKey, pieces: Box<[Arc<Rendered>]>) {
        let mut content = self.write();
        let former = content.sort_keys.insert(key, sort_key.clone());
        if let Some(former) = former.filter(|former| *former != sort_key) {
            content.take(&former);
        }
        let at = sort_key.shard();
        content.shards.entry(at).or_default();
        content.change(at, |shard| {
            shard.timelines.insert(sort_key, pieces);
        });
    }

    /// Replaces pieces of a timeline, which is there.
    pub(super) fn put_some(
        &self,
        sort_key: &SortKey,
        pieces: Vec<(usize, Arc<Rendered>)>,
        is_plain: bool,
    ) {
        let mut content = self.write();
        if is_plain {
            let places = pieces.iter().map(|(number, _)| (sort_key.clone(), *number));
            content.plain.extend(places);
        }
        content.change(sort_key.shard(), |shard| {
            let mut known = shard.timelines.get_mut(sort_key);
            for (number, piece) in pieces {
                if let Some(place) = known.as_mut().and_then(|known| known.get_mut(number)) {
                    *place = piece;
                }
            }
        });
    }

    /// Whether more pieces may be shown without being compressed.
    pub(super) fn has_room_for_plain(&self) -> bool {
        self.read().plain.len() < MOST_PLAIN
    }

    /// The pieces that are not compressed, to be compressed.
    pub(super) fn take_plain(&self) -> Vec<Plain> {
        let mut content = self.write();
        let places = std::mem::take(&mut content.plain).into_iter();
        let plain = places.filter_map(|place| {
            let rendered = Arc::clone(content.piece(&place)?);
            // A rendering of the whole timeline may have replaced it.
            let is_plain = rendered.fragments.is_plain;
            is_plain.then_some(Plain { place, rendered })
        });
        plain.collect()
    }

    /// Puts the compressed text of a piece in its place, unless it has changed since.
    pub(super) fn replace(&self, plain: &Plain, compressed: Rendered) {
        let mut content = self.write();
        let is_same = |piece: &Arc<Rendered>| Arc::ptr_eq(piece, &plain.rendered);
        if content.piece(&plain.place).is_some_and(is_same) {
            let (sort_key, number) = &plain.place;
            content.change(sort_key.shard(), |shard| {
                let known = shard.timelines.get_mut(sort_key);
                if let Some(place) = known.and_then(|known| known.get_mut(*number)) {
                    *place = Arc::new(compressed);
                }
            });
        }
    }

    /// Removes the text of a key.
    pub(super) fn take(&self, key: &TimelineKey) {
        let mut content = self.write();
        if let Some(sort_key) = content.sort_keys.remove(key) {
            content.take(&sort_key);
        }
    }

    /// All text, in a constant order.
    pub(super) fn joined(&self) -> Vec<Arc<Rendered>> {
        let shards: Vec<_> = {
            let content = self.read();
            let shards = content.shards.iter();
            shards
                .map(|(at, shard)| (*at, shard.version, shard.text()))
                .collect()
        };
        let mut fresh = Vec::new();
        let all = shards.into_iter().map(|(at, version, text)| match text {
            Text::Joined(joined) => joined,
            Text::Changed(parts) => {
                let (joined, shared) = join(&parts);
                let joined = Arc::new(joined);
                fresh.push(Fresh {
                    at,
                    version,
                    joined: Arc::clone(&joined),
                    shared,
                });
                joined
            }
        });
        let all = all.collect();
        if !fresh.is_empty() {
            self.write().keep(&mut fresh);
        }
        // With the lock released: many pieces take their time to be freed.
        drop(fresh);
        all
    }

    // A panic while the lock is held leaves whole entries behind: they are still worth showing.

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn piece(&self, (sort_key, number): &(SortKey, usize)) -> Option<&Arc<Rendered>> {
        let shard = self.shards.get(&sort_key.shard())?;
        shard.timelines.get(sort_key)?.get(*number)
    }

    fn take(&mut self, sort_key: &SortKey) {
        let at = sort_key.shard();
        self.change(at, |shard| {
            shard.timelines.remove(sort_key);
        });
        let shard = self.shards.get(&at);
        if shard.is_some_and(|shard| shard.timelines.is_empty()) {
            self.shards.remove(&at);
        }
    }

    /// Changes a shard, if it is there: its text is joined anew.
    fn change(&mut self, at: u64, change: impl FnOnce(&mut Shard)) {
        if let Some(shard) = self.shards.get_mut(&at) {
            change(shard);
            self.changes += 1;
            shard.version = self.changes;
            shard.joined = None;
        }
    }

    /// Keeps the joined text of shards that did not change meanwhile. Leaves what it replaces in its place.
    fn keep(&mut self, fresh: &mut [Fresh]) {
        for text in fresh {
            let shard = self.shards.get_mut(&text.at);
            if let Some(shard) = shard.filter(|shard| shard.version == text.version) {
                shard.joined = Some(Arc::clone(&text.joined));
                shard.share(&mut text.shared);
            }
        }
    }
}

/// The text of a shard that was joined.
struct Fresh {
    at: u64,
    version: u64,
    joined: Arc<Rendered>,
    /// Its pieces, in their order.
    shared: Vec<Arc<Rendered>>,
}

enum Text {
    Joined(Arc<Rendered>),
    Changed(Vec<Arc<Rendered>>),
}

impl Shard {
    fn text(&self) -> Text {
        match &self.joined {
            Some(joined) => Text::Joined(Arc::clone(joined)),
            None => Text::Changed(self.visible()),
        }
    }

    /// The pieces of all timelines, without those that a newer project hides.
    fn visible(&self) -> Vec<Arc<Rendered>> {
        let mut last: Option<&SortKey> = None;
        let timelines = self.timelines.iter();
        let visible = timelines.filter(|(sort_key, _)| !is_hidden(sort_key, &mut last));
        visible
            .flat_map(|(_, pieces)| pieces.iter().map(Arc::clone))
            .collect()
    }

    /// Exchanges the visible pieces for those that share the memory of the joined text.
    fn share(&mut self, shared: &mut [Arc<Rendered>]) {
        let mut last: Option<&SortKey> = None;
        let timelines = self.timelines.iter_mut();
        let visible = timelines.filter(|(sort_key, _)| !is_hidden(sort_key, &mut last));
        let pieces = visible.flat_map(|(_, pieces)| pieces.iter_mut());
        for (piece, shared) in pieces.zip(shared) {
            // Plain pieces stay: `replace` finds them by their address.
            if !piece.fragments.is_plain {
                std::mem::swap(piece, shared);
            }
        }
    }
}

impl SortKey {
    fn labels(&self) -> (&Arc<str>, &Arc<str>, &Option<Arc<str>>) {
        (&self.project, &self.ref_name, &self.track)
    }

    /// By the labels alone: those that hide one another share a shard.
    fn shard(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.labels().hash(&mut hasher);
        hasher.finish() % SHARDS
    }
}

/// Whether a newer project with the same labels came before, in the order of the keys.
fn is_hidden<'a>(sort_key: &'a SortKey, last: &mut Option<&'a SortKey>) -> bool {
    let before = last.replace(sort_key);
    before.is_some_and(|before| before.labels() == sort_key.labels())
}

/// The joined text, and its parts that share its memory.
fn join(parts: &[Arc<Rendered>]) -> (Rendered, Vec<Arc<Rendered>>) {
    if let [one] = parts
        && one.fragments.has_memory_of_its_own()
    {
        return (Rendered::clone(one), Vec::new());
    }
    let fragments: Vec<_> = parts.iter().map(|part| &*part.fragments).collect();
    let (whole, shared) = Fragments::join(&fragments);
    let joined = Rendered {
        fragments: Arc::new(whole),
        timelines: parts.iter().map(|part| part.timelines).sum(),
        jobs: parts.iter().map(|part| part.jobs).sum(),
    };
    let shared = shared.into_iter().zip(parts).map(|(fragments, part)| {
        Arc::new(Rendered {
            fragments: Arc::new(fragments),
            ..**part
        })
    });
    (joined, shared.collect())
}

#[cfg(test)]
mod tests {
    use super::super::fragments::Deflaters;
    use super::*;

    fn sort_key(project: &str) -> SortKey {
        SortKey {
            project: project.into(),
            ref_name: "main".into(),
            track: None,
            newest_first: Reverse(1),
        }
    }

    fn rendered(text: &str, is_plain: bool) -> Arc<Rendered> {
        let fragments = Deflaters::default().with(is_plain, |deflater| {
            deflater.push(text);
            deflater.finish(1)
        });
        Arc::new(Rendered {
            fragments: Arc::new(fragments),
            timelines: 1,
            jobs: 1,
        })
    }

    /// Two timelines that share a shard, and the key of the first.
    fn neighbours() -> (RenderCache, SortKey) {
        let cache = RenderCache::default();
        let first = sort_key("project 0");
        let mut others = (1..).map(|number| sort_key(&format!("project {number}")));
        let second = others.find(|other| other.shard() == first.shard());
        cache.put(key(1), first.clone(), [rendered("a", false)].into());
        cache.put(key(2), second.unwrap(), [rendered("b", false)].into());
        (cache, first)
    }

    fn key(id: u64) -> TimelineKey {
        TimelineKey::new(id, "main")
    }

    fn has_memory_of_its_own(cache: &RenderCache, sort_key: &SortKey) -> bool {
        let content = cache.read();
        let piece = content.piece(&(sort_key.clone(), 0)).unwrap();
        piece.fragments.has_memory_of_its_own()
    }

    #[test]
    fn joined_pieces_share_memory_until_one_is_left() {
        let (cache, first) = neighbours();
        assert!(has_memory_of_its_own(&cache, &first));
        cache.joined();
        assert!(!has_memory_of_its_own(&cache, &first));
        cache.take(&key(2));
        cache.joined();
        assert!(has_memory_of_its_own(&cache, &first));
    }

    #[test]
    fn a_plain_piece_is_compressed_although_it_was_joined_before() {
        let (cache, first) = neighbours();
        cache.put_some(&first, vec![(0, rendered("c", true))], true);
        cache.joined();
        let plain = cache.take_plain();
        assert_eq!(plain.len(), 1);
        cache.joined();
        cache.replace(&plain[0], Rendered::clone(&rendered("c", false)));
        let content = cache.read();
        assert!(!content.piece(&(first, 0)).unwrap().fragments.is_plain);
    }

    #[test]
    fn a_shard_that_is_made_again_has_another_version() {
        let cache = RenderCache::default();
        let first = sort_key("project 0");
        let version = || cache.read().shards[&first.shard()].version;
        cache.put(key(1), first.clone(), [rendered("a", false)].into());
        let former = version();
        cache.take(&key(1));
        cache.put(key(1), first.clone(), [rendered("b", false)].into());
        assert_ne!(version(), former);
    }
}
