//! Finds the jobs that have all words of a search, one timeline after the other.

use memchr::memmem::Finder;

use super::folded_names::fold;
use super::job_group::JobGroup;

/// A set of words: one bit for each.
type Words = u8;

/// Words of a search at most.
pub(super) const MOST_WORDS: usize = Words::BITS as usize;

/// Words that must all occur in the names of a job.
pub(super) struct WordSearch<'w> {
    words: Vec<Finder<'w>>,
    /// Words that do not occur in the project, ref and track of the timeline.
    wanted: Words,
    /// Words that occur in the name or team of each job.
    found: Vec<Words>,
    /// Room for a name, used again for each.
    room: String,
}

impl<'w> WordSearch<'w> {
    /// `words`: in lower case. Those beyond [`MOST_WORDS`] are left out.
    pub(super) fn new(words: &'w [String]) -> Self {
        Self {
            words: words.iter().take(MOST_WORDS).map(Finder::new).collect(),
            wanted: 0,
            found: Vec::new(),
            room: String::new(),
        }
    }

    /// Goes through a timeline. Returns whether it may have jobs with all words.
    pub(super) fn enter<R, T>(&mut self, group: &JobGroup<'_, R, T>) -> bool {
        let place = [
            group.project,
            group.ref_name,
            group.track.unwrap_or_default(),
        ];
        self.wanted = self.outside(place);
        if self.wanted == 0 {
            return true;
        }
        self.found.clear();
        self.found.resize(group.jobs.len(), 0);
        let wanted = bits(&self.words).filter(|(bit, _)| self.wanted & bit != 0);
        for (bit, word) in wanted {
            let mut is_found = false;
            group.names.each_with(word, |number| {
                self.found[number] |= bit;
                is_found = true;
            });
            if !is_found {
                return false;
            }
        }
        true
    }

    /// Whether the job of this number has all words, in the timeline that was entered last.
    pub(super) fn finds(&self, number: usize) -> bool {
        self.wanted == 0 || self.found[number] == self.wanted
    }

    /// The words that occur in none of these names.
    fn outside(&mut self, names: [&str; 3]) -> Words {
        let mut outside = bits(&self.words).fold(0, |all, (bit, _)| all | bit);
        for name in names {
            self.room.clear();
            fold(name, &mut self.room);
            for (bit, word) in bits(&self.words) {
                if outside & bit != 0 && word.find(self.room.as_bytes()).is_some() {
                    outside &= !bit;
                }
            }
        }
        outside
    }
}

/// Each word with its bit.
fn bits<'s, 'w>(words: &'s [Finder<'w>]) -> impl Iterator<Item = (Words, &'s Finder<'w>)> {
    let numbered = words.iter().enumerate();
    numbered.map(|(number, word)| (1 << number, word))
}
