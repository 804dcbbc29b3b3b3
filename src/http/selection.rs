//! Filters, orders and pages jobs.

use std::cmp::Ordering;

use ci_history::{FailureClass, Timestamp};
use memchr::memmem::Finder;

use super::job_column::JobColumn;
use super::job_state::{JobFacts, JobState};
use super::sorting::Sorting;

/// The wanted jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// Words that must all occur in the project, ref, track, job or team; case does not matter.
    pub text: String,
    /// Only jobs of the project of this path.
    pub project: Option<String>,
    /// Only jobs of this branch or tag.
    pub ref_name: Option<String>,
    /// Only jobs of this track, empty for the unnamed one.
    pub track: Option<String>,
    /// Only jobs of this owner.
    pub team: Option<String>,
    /// Only jobs that have this state.
    pub state: Option<JobState>,
    /// Only jobs whose last failure is of this class.
    pub class: Option<FailureClass>,
}

/// Words of a search at most.
const MOST_WORDS: usize = 8;

/// Characters of a search at most.
const LONGEST_TEXT: usize = 256;

/// Matching jobs that are held at least, before those beyond the wanted part are left out.
const HELD: usize = 4096;

impl JobFilter {
    /// Checks the bounds of a search, which each job is compared with.
    ///
    /// # Errors
    ///
    /// What is too large, and how large it may be.
    pub(super) fn check(&self) -> Result<(), String> {
        let length = self.text.chars().count();
        if length > LONGEST_TEXT {
            return Err(format!(
                "`q` has {length} characters, at most {LONGEST_TEXT} are searched for"
            ));
        }
        let words = self.text.split_whitespace().count();
        if words > MOST_WORDS {
            return Err(format!(
                "`q` has {words} words, at most {MOST_WORDS} are searched for"
            ));
        }
        Ok(())
    }
}

/// The wanted part of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Jobs before the part.
    pub offset: usize,
    /// Jobs of the part at most.
    pub limit: usize,
}

/// The wanted jobs, their order, and the part of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobQuery {
    /// The wanted jobs.
    pub filter: JobFilter,
    /// Their order. Jobs that it does not tell apart: longest streak first, then highest ratio, then by name.
    pub sorting: Sorting<JobColumn>,
    /// The wanted part.
    pub paging: Paging,
    /// When a job counts as stuck or waiting.
    pub now: Timestamp,
}

impl JobQuery {
    /// Whether owners matter. Working them out for all jobs takes time.
    pub fn needs_teams(&self) -> bool {
        let filter = &self.filter;
        !filter.text.is_empty() || filter.team.is_some() || self.sorting.column == JobColumn::Team
    }
}

/// A job that may be selected.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a, T> {
    /// Path of the project.
    pub project: &'a str,
    /// Branch or tag.
    pub ref_name: &'a str,
    /// Track of the ref.
    pub track: Option<&'a str>,
    /// Name of the job.
    pub job_name: &'a str,
    /// Its owner.
    pub team: Option<&'a str>,
    /// What is known of its executions.
    pub facts: &'a JobFacts,
    /// Finds the job again; the selection returns it.
    pub item: T,
}

/// The selected jobs, and counts of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection<T> {
    /// The wanted part, in order.
    pub items: Vec<T>,
    /// Jobs that match the filter.
    pub matching: usize,
    /// Failing jobs, whether they match or not.
    pub failing: usize,
    /// Jobs of each state, in the order of [`JobState::ALL`], whether they match or not.
    pub(super) states: [usize; JobState::ALL.len()],
    /// All jobs.
    pub tracked: usize,
}

impl<T> Selection<T> {
    /// Replaces each item by what `look_up` finds for it, if it does.
    pub fn look_up<U>(self, look_up: impl FnMut(T) -> Option<U>) -> Selection<U> {
        Selection {
            items: self.items.into_iter().filter_map(look_up).collect(),
            matching: self.matching,
            failing: self.failing,
            states: self.states,
            tracked: self.tracked,
        }
    }
}

/// Selects a part of the matching jobs.
///
/// Takes time proportional to all jobs, but holds and sorts little more than the wanted part.
pub fn select<'a, T>(
    candidates: impl Iterator<Item = Candidate<'a, T>>,
    query: &JobQuery,
) -> Selection<T> {
    let JobQuery {
        filter,
        paging,
        now,
        ..
    } = query;
    let words = words(&filter.text);
    let mut search = Search::for_words(&words);
    let (mut tracked, mut states, mut matching) = (0, [0; JobState::ALL.len()], 0);
    let order = |a: &Candidate<'a, T>, b: &Candidate<'a, T>| order(a, b, query);
    let end = paging.offset.saturating_add(paging.limit);
    let held = end.saturating_mul(2).max(HELD);
    let mut first = Vec::new();
    for job in candidates {
        tracked += 1;
        for (count, state) in states.iter_mut().zip(JobState::ALL) {
            *count += usize::from(job.facts.is(state, *now));
        }
        if !is_wanted(&job, query) || !search.finds(&job) {
            continue;
        }
        matching += 1;
        first.push(job);
        if first.len() > held {
            keep_first(&mut first, end, order);
        }
    }
    keep_first(&mut first, end, order);
    first.sort_unstable_by(order);
    let part = first.into_iter().skip(paging.offset);
    Selection {
        items: part.map(|job| job.item).collect(),
        matching,
        failing: states[JobState::Failing as usize],
        states,
        tracked,
    }
}

/// The words of a search, as they are compared.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

/// Leaves out what is not among the first `end`, in any order.
fn keep_first<T>(jobs: &mut Vec<T>, end: usize, order: impl FnMut(&T, &T) -> Ordering) {
    if end < jobs.len() {
        jobs.select_nth_unstable_by(end, order);
        jobs.truncate(end);
    }
}

/// Whether the job has the wanted state and class, and is of the wanted project, ref, track and team.
fn is_wanted<T>(job: &Candidate<'_, T>, query: &JobQuery) -> bool {
    let JobFilter { state, class, .. } = &query.filter;
    state.is_none_or(|state| job.facts.is(state, query.now))
        && class.is_none_or(|class| job.facts.failure_class == Some(class))
        && is_of(job, &query.filter)
}

/// Whether the job is of the wanted project, ref, track and team.
fn is_of<T>(job: &Candidate<'_, T>, filter: &JobFilter) -> bool {
    let pairs = [
        (&filter.project, job.project),
        (&filter.ref_name, job.ref_name),
        (&filter.track, job.track.unwrap_or_default()),
        (&filter.team, job.team.unwrap_or_default()),
    ];
    let mut pairs = pairs.into_iter();
    pairs.all(|(wanted, found)| wanted.as_deref().is_none_or(|wanted| wanted == found))
}

/// Words that must all occur in the names of a job.
struct Search<'w, 'a> {
    words: Vec<Finder<'w>>,
    /// Project, ref and track of the last job. The next one has mostly the same.
    place: Option<[&'a str; 3]>,
    /// Words that do not occur there.
    left: Vec<usize>,
    /// Room for a name, used again for each.
    name: String,
}

impl<'w, 'a> Search<'w, 'a> {
    fn for_words(words: &'w [String]) -> Self {
        Self {
            words: words.iter().map(Finder::new).collect(),
            place: None,
            left: Vec::new(),
            name: String::new(),
        }
    }

    fn finds<T>(&mut self, job: &Candidate<'a, T>) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let place = [job.project, job.ref_name, job.track.unwrap_or_default()];
        if self.place != Some(place) {
            self.place = Some(place);
            self.left = (0..self.words.len()).collect();
            for name in place {
                self.leave_out_words_of(name);
            }
        }
        if self.left.is_empty() {
            return true;
        }
        lower(job.job_name, &mut self.name);
        // Between the names stands what is in no word.
        self.name.push('\n');
        if let Some(team) = job.team {
            self.name.push_str(&team.to_lowercase());
        }
        let name = self.name.as_bytes();
        let mut left = self.left.iter();
        left.all(|word| self.words[*word].find(name).is_some())
    }

    fn leave_out_words_of(&mut self, name: &str) {
        lower(name, &mut self.name);
        let (words, name) = (&self.words, self.name.as_bytes());
        self.left.retain(|word| words[*word].find(name).is_none());
    }
}

/// Writes a text in lower case into `room`.
fn lower(text: &str, room: &mut String) {
    room.clear();
    if text.is_ascii() {
        room.push_str(text);
        room.make_ascii_lowercase();
    } else {
        room.push_str(&text.to_lowercase());
    }
}

fn order<T>(a: &Candidate<'_, T>, b: &Candidate<'_, T>, query: &JobQuery) -> Ordering {
    let sorting = query.sorting;
    let (of_a, of_b) = (a.facts, b.facts);
    let state = |facts: &JobFacts| {
        let mut states = JobState::ALL.iter();
        states.position(|state| facts.is(*state, query.now))
    };
    let ratio = || of_a.failure_ratio.total_cmp(&of_b.failure_ratio);
    let by_column = match sorting.column {
        JobColumn::Job => sorting.compare(a.job_name, b.job_name),
        JobColumn::Project => sorting.compare(a.project, b.project),
        JobColumn::State => sorting.compare_known(state(of_a), state(of_b)),
        JobColumn::LastExecution => sorting.compare_known(of_a.last_execution, of_b.last_execution),
        JobColumn::Streak => {
            sorting.compare(&of_a.consecutive_failures, &of_b.consecutive_failures)
        }
        JobColumn::Ratio if sorting.descending => ratio().reverse(),
        JobColumn::Ratio => ratio(),
        JobColumn::Since => sorting.compare_known(of_a.since, of_b.since),
        JobColumn::Reason => {
            sorting.compare_known(of_a.failure_reason.as_ref(), of_b.failure_reason.as_ref())
        }
        JobColumn::Team => sorting.compare_known(a.team, b.team),
    };
    let streak = || of_b.consecutive_failures.cmp(&of_a.consecutive_failures);
    let names = || {
        let of_a = (a.project, a.job_name, a.ref_name, a.track);
        of_a.cmp(&(b.project, b.job_name, b.ref_name, b.track))
    };
    by_column
        .then_with(streak)
        .then_with(|| ratio().reverse())
        .then_with(names)
}

#[cfg(test)]
mod tests;
