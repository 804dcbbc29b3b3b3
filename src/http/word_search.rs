//! Finds the jobs that have all words of a search, one timeline after the other.

use std::ptr;

use memchr::memmem::Finder;

use super::folded_names::fold;
use super::job_group::JobGroup;
use crate::config::{Owners, OwnersFile, ProjectOwners};

/// A set of words: one bit for each.
type Words = u8;

/// Words of a search at most.
pub(super) const MOST_WORDS: usize = Words::BITS as usize;

/// Words that must all occur in the names of a job.
pub(super) struct WordSearch<'w, 'a> {
    words: Vec<Finder<'w>>,
    /// Words that occur in a team of the configuration.
    in_teams: Words,
    /// The last owners file of a repository, and the words that occur in its teams. Several timelines have the same.
    in_file: Option<(&'a OwnersFile, Words)>,
    /// Words that do not occur in the names of the timeline.
    wanted: Words,
    /// Of these, the ones that may occur in the team of a job.
    maybe_in_team: Words,
    /// Words that occur in the name of each job.
    in_names: Vec<Words>,
    /// Room for a name, used again for each.
    room: String,
}

impl<'w, 'a> WordSearch<'w, 'a> {
    /// `words`: in lower case, at most [`MOST_WORDS`].
    pub(super) fn new(words: &'w [String], owners: &Owners) -> Self {
        let mut search = Self {
            words: words.iter().map(Finder::new).collect(),
            in_teams: 0,
            in_file: None,
            wanted: 0,
            maybe_in_team: 0,
            in_names: Vec::new(),
            room: String::new(),
        };
        search.in_teams = search.in_any(owners.teams());
        search
    }

    /// Goes through a timeline. Returns whether it may have jobs that are found.
    pub(super) fn enter<R, T>(&mut self, group: &JobGroup<'a, R, T>) -> bool {
        let place = [
            group.project,
            group.ref_name,
            group.track.unwrap_or_default(),
        ];
        self.wanted = self.all() & !self.in_any(place.into_iter());
        if self.wanted == 0 {
            return true;
        }
        self.maybe_in_team = self.wanted & (self.in_teams | self.in_file(&group.owners));
        self.in_names.clear();
        self.in_names.resize(group.jobs.len(), 0);
        let wanted = self.wanted;
        for (bit, word) in bits(&self.words).filter(|(bit, _)| wanted & bit != 0) {
            let mut is_found = self.maybe_in_team & bit != 0;
            group.names.each_with(word, |number| {
                self.in_names[number] |= bit;
                is_found = true;
            });
            if !is_found {
                return false;
            }
        }
        true
    }

    /// Whether the job of this number of the timeline that was entered last has all words.
    pub(super) fn finds(&mut self, number: usize, job: &str, owners: &ProjectOwners<'a>) -> bool {
        if self.wanted == 0 {
            return true;
        }
        let left = self.wanted & !self.in_names[number];
        left == 0
            || (left & !self.maybe_in_team == 0
                && left & !self.in_any(owners.team(job).into_iter()) == 0)
    }

    fn all(&self) -> Words {
        bits(&self.words).fold(0, |all, (bit, _)| all | bit)
    }

    /// The words that occur in one of these names.
    fn in_any<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> Words {
        let mut found = 0;
        for name in names {
            self.room.clear();
            fold(name, &mut self.room);
            let name = self.room.as_bytes();
            for (bit, word) in bits(&self.words) {
                if found & bit == 0 && word.find(name).is_some() {
                    found |= bit;
                }
            }
        }
        found
    }

    fn in_file(&mut self, owners: &ProjectOwners<'a>) -> Words {
        let Some(file) = owners.repository_file() else {
            return 0;
        };
        match self.in_file {
            Some((last, words)) if ptr::eq(last, file) => words,
            _ => {
                let words = self.in_any(file.teams());
                self.in_file = Some((file, words));
                words
            }
        }
    }
}

/// Each word with its bit.
fn bits<'s, 'w>(words: &'s [Finder<'w>]) -> impl Iterator<Item = (Words, &'s Finder<'w>)> {
    let numbered = words.iter().enumerate();
    numbered.map(|(number, word)| (1 << number, word))
}
