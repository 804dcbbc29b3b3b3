//! Filters, orders and pages jobs.

use std::cmp::Ordering;

use ci_history::{FailureClass, Timestamp};

use super::job_column::JobColumn;
use super::job_group::JobGroup;
use super::job_state::{JobFacts, JobState};
use super::listed_job::ListedJob;
use super::sorting::Sorting;
use super::word_search::{MOST_WORDS, WordSearch};

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

/// A matching job.
struct Match<'a, R, T> {
    group: &'a JobGroup<'a, R, T>,
    job: &'a R,
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

/// Selects a part of the matching jobs, each with the item of its group.
///
/// Takes time proportional to all jobs, but holds and sorts little more than the wanted part.
pub fn select<'a, R: ListedJob, T: Copy>(
    groups: &'a [JobGroup<'a, R, T>],
    query: &JobQuery,
) -> Selection<(T, &'a R)> {
    let paging = query.paging;
    let words = words(&query.filter.text);
    let mut search = WordSearch::new(&words);
    let (mut tracked, mut states, mut matching) = (0, [0; JobState::ALL.len()], 0);
    let order = |a: &Match<'a, R, T>, b: &Match<'a, R, T>| order(a, b, query);
    let end = paging.offset.saturating_add(paging.limit);
    let held = end.saturating_mul(2).max(HELD);
    let (mut first, mut is_cut) = (Vec::new(), false);
    for group in groups {
        tracked += group.jobs.len();
        count_states(group.jobs, query.now, &mut states);
        if !is_of(group, &query.filter) || !search.enter(group) {
            continue;
        }
        for (number, job) in group.jobs.iter().enumerate() {
            if !search.finds(number) || !is_wanted(job, query) {
                continue;
            }
            matching += 1;
            let found = Match { group, job };
            // Once some are left out, only those before the last of the others matter.
            let last = first.get(end.wrapping_sub(1)).filter(|_| is_cut);
            if last.is_some_and(|last| order(&found, last).is_ge()) {
                continue;
            }
            first.push(found);
            if first.len() > held {
                keep_first(&mut first, end, order);
                is_cut = true;
            }
        }
    }
    keep_first(&mut first, end, order);
    first.sort_unstable_by(order);
    let part = first.into_iter().skip(paging.offset);
    Selection {
        items: part.map(|it| (it.group.item, it.job)).collect(),
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

fn count_states<R: ListedJob>(jobs: &[R], now: Timestamp, counts: &mut [usize]) {
    for job in jobs {
        for (count, state) in counts.iter_mut().zip(JobState::ALL) {
            *count += usize::from(job.facts().is(state, now));
        }
    }
}

/// Leaves out what is not among the first `end`. Of these the last one stands at the end, the others in any order.
fn keep_first<T>(jobs: &mut Vec<T>, end: usize, order: impl FnMut(&T, &T) -> Ordering) {
    if end >= jobs.len() {
        return;
    }
    if let Some(last) = end.checked_sub(1) {
        jobs.select_nth_unstable_by(last, order);
    }
    jobs.truncate(end);
}

/// Whether the job has the wanted state and class, and is of the wanted team.
fn is_wanted<R: ListedJob>(job: &R, query: &JobQuery) -> bool {
    let JobFilter {
        state, class, team, ..
    } = &query.filter;
    let facts = job.facts();
    state.is_none_or(|state| facts.is(state, query.now))
        && class.is_none_or(|class| facts.failure_class() == Some(class))
        && is_or_any(team.as_ref(), job.team())
}

/// Whether the jobs are of the wanted project, ref and track.
fn is_of<R, T>(group: &JobGroup<'_, R, T>, filter: &JobFilter) -> bool {
    is_or_any(filter.project.as_ref(), Some(group.project))
        && is_or_any(filter.ref_name.as_ref(), Some(group.ref_name))
        && is_or_any(filter.track.as_ref(), group.track)
}

/// Whether this is the wanted one; an empty one is none.
fn is_or_any(wanted: Option<&String>, found: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| *wanted == found.unwrap_or_default())
}

fn order<R: ListedJob, T>(a: &Match<'_, R, T>, b: &Match<'_, R, T>, query: &JobQuery) -> Ordering {
    let sorting = query.sorting;
    let (of_a, of_b) = (a.job.facts(), b.job.facts());
    let state = |facts: &JobFacts| {
        let mut states = JobState::ALL.iter();
        states.position(|state| facts.is(*state, query.now))
    };
    let ratio = || of_a.failure_ratio.total_cmp(&of_b.failure_ratio);
    let by_column = match sorting.column {
        JobColumn::Job => sorting.compare(a.job.name(), b.job.name()),
        JobColumn::Project => sorting.compare(a.group.project, b.group.project),
        JobColumn::State => sorting.compare_known(state(of_a), state(of_b)),
        JobColumn::LastExecution => sorting.compare_known(of_a.last_execution, of_b.last_execution),
        JobColumn::Streak => {
            sorting.compare(&of_a.consecutive_failures, &of_b.consecutive_failures)
        }
        JobColumn::Ratio if sorting.descending => ratio().reverse(),
        JobColumn::Ratio => ratio(),
        JobColumn::Since => sorting.compare_known(of_a.since(), of_b.since()),
        JobColumn::Reason => sorting.compare_known(of_a.failure_reason(), of_b.failure_reason()),
        JobColumn::Team => sorting.compare_known(a.job.team(), b.job.team()),
    };
    let streak = || of_b.consecutive_failures.cmp(&of_a.consecutive_failures);
    let names = || names_of(a).cmp(&names_of(b));
    by_column
        .then_with(streak)
        .then_with(|| ratio().reverse())
        .then_with(names)
}

/// What tells two jobs apart.
fn names_of<'a, R: ListedJob, T>(
    it: &Match<'a, R, T>,
) -> (&'a str, &'a str, &'a str, Option<&'a str>) {
    let group = it.group;
    (group.project, it.job.name(), group.ref_name, group.track)
}

#[cfg(test)]
mod tests;
