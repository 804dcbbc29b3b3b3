//! Filters, orders and pages jobs.

use std::cmp::Ordering;

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
    /// Only jobs with a streak above 0.
    pub failing_only: bool,
}

/// Words of a search at most.
const MOST_WORDS: usize = 8;

/// Bytes of a search at most.
const LONGEST_TEXT: usize = 256;

impl JobFilter {
    /// Checks the bounds of a search, which each job is compared with.
    ///
    /// # Errors
    ///
    /// What is too large, and how large it may be.
    pub(super) fn check(&self) -> Result<(), String> {
        let length = self.text.len();
        if length > LONGEST_TEXT {
            return Err(format!(
                "`q` has {length} bytes, at most {LONGEST_TEXT} are searched for"
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
    /// Streak.
    pub consecutive_failures: u64,
    /// Failing share of the window.
    pub failure_ratio: f64,
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
            tracked: self.tracked,
        }
    }
}

/// Selects a part of the matching jobs: longest streak first, then highest ratio, then by name.
///
/// Takes time proportional to all jobs, but sorts only the wanted part.
pub fn select<'a, T>(
    candidates: impl Iterator<Item = Candidate<'a, T>>,
    filter: &JobFilter,
    paging: Paging,
) -> Selection<T> {
    let words: Vec<_> = filter
        .text
        .split_whitespace()
        .map(str::to_lowercase)
        .collect();
    let (mut tracked, mut failing) = (0, 0);
    let mut names = String::new();
    let mut chosen: Vec<_> = candidates
        .inspect(|job| {
            tracked += 1;
            failing += usize::from(job.consecutive_failures > 0);
        })
        .filter(|job| !filter.failing_only || job.consecutive_failures > 0)
        .filter(|job| is_of(job, filter) && has_words(job, &words, &mut names))
        .collect();
    let matching = chosen.len();
    let end = paging.offset.saturating_add(paging.limit);
    if end < matching {
        chosen.select_nth_unstable_by(end, order);
        chosen.truncate(end);
    }
    chosen.sort_unstable_by(order);
    let part = chosen.into_iter().skip(paging.offset);
    Selection {
        items: part.map(|job| job.item).collect(),
        matching,
        failing,
        tracked,
    }
}

/// Whether the job is of the wanted project, ref and track.
fn is_of<T>(job: &Candidate<'_, T>, filter: &JobFilter) -> bool {
    let pairs = [
        (&filter.project, job.project),
        (&filter.ref_name, job.ref_name),
        (&filter.track, job.track.unwrap_or_default()),
    ];
    let mut pairs = pairs.into_iter();
    pairs.all(|(wanted, found)| wanted.as_deref().is_none_or(|wanted| wanted == found))
}

/// `names` is room for the names of the job, used again for each.
fn has_words<T>(job: &Candidate<'_, T>, words: &[String], names: &mut String) -> bool {
    if words.is_empty() {
        return true;
    }
    names.clear();
    for name in [
        job.project,
        job.ref_name,
        job.track.unwrap_or_default(),
        job.job_name,
        job.team.unwrap_or_default(),
    ] {
        names.push_str(name);
        names.push('\n');
    }
    if names.is_ascii() {
        names.make_ascii_lowercase();
    } else {
        *names = names.to_lowercase();
    }
    words.iter().all(|word| names.contains(word.as_str()))
}

fn order<T>(a: &Candidate<'_, T>, b: &Candidate<'_, T>) -> Ordering {
    let streak = b.consecutive_failures.cmp(&a.consecutive_failures);
    let ratio = || b.failure_ratio.total_cmp(&a.failure_ratio);
    let names = || {
        let of_a = (a.project, a.job_name, a.ref_name, a.track);
        of_a.cmp(&(b.project, b.job_name, b.ref_name, b.track))
    };
    streak.then_with(ratio).then_with(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &'static str, streak: u64, ratio: f64) -> Candidate<'static, &'static str> {
        Candidate {
            project: "group/app",
            ref_name: "main",
            track: None,
            job_name: name,
            team: Some("SRE"),
            consecutive_failures: streak,
            failure_ratio: ratio,
            item: name,
        }
    }

    fn selected(
        text: &str,
        failing_only: bool,
        offset: usize,
        limit: usize,
    ) -> Selection<&'static str> {
        let all = [
            candidate("passes", 0, 0.0),
            candidate("unsteady", 0, 0.5),
            candidate("twice", 2, 0.2),
            candidate("broken", 9, 0.9),
            candidate("twice more", 2, 0.4),
        ];
        let filter = JobFilter {
            text: text.to_owned(),
            failing_only,
            ..JobFilter::default()
        };
        select(all.into_iter(), &filter, Paging { offset, limit })
    }

    #[test]
    fn failing_jobs_come_first_by_streak_and_ratio() {
        let expected = ["broken", "twice more", "twice", "unsteady", "passes"];
        assert_eq!(selected("", false, 0, 100).items, expected);
        for offset in 0..6 {
            let page = selected("", false, offset, 2).items;
            assert_eq!(page, &expected[offset.min(5)..(offset + 2).min(5)]);
        }
    }

    #[test]
    fn all_words_must_occur_somewhere_whatever_their_case() {
        assert_eq!(
            selected("sre APP twice more", false, 0, 100).items,
            ["twice more"]
        );
        let none = selected("twice nothing", false, 0, 100);
        assert_eq!((none.matching, none.failing, none.tracked), (0, 3, 5));
    }

    #[test]
    fn jobs_are_selected_by_project_ref_and_track() {
        let of =
            |ref_name: &'static str, track: Option<&'static str>, item: &'static str| Candidate {
                ref_name,
                track,
                item,
                ..candidate("e2e", 1, 0.5)
            };
        let found = |filter: JobFilter| {
            let all = [
                of("main", None, "pushes"),
                of("main", Some("nightly"), "nights"),
                of("1.0", Some("tag"), "tag"),
            ];
            let paging = Paging {
                offset: 0,
                limit: 9,
            };
            select(all.into_iter(), &filter, paging).items
        };
        let filter = |ref_name: Option<&str>, track: Option<&str>| JobFilter {
            project: Some("group/app".to_owned()),
            ref_name: ref_name.map(str::to_owned),
            track: track.map(str::to_owned),
            ..JobFilter::default()
        };
        assert_eq!(found(filter(None, None)), ["tag", "pushes", "nights"]);
        assert_eq!(found(filter(Some("main"), None)), ["pushes", "nights"]);
        assert_eq!(found(filter(None, Some("nightly"))), ["nights"]);
        assert_eq!(found(filter(Some("main"), Some(""))), ["pushes"]);
        let words = JobFilter {
            text: "NIGHTLY e2e".to_owned(),
            ..JobFilter::default()
        };
        assert_eq!(found(words), ["nights"]);
    }

    #[test]
    fn only_failing_jobs_are_shown_when_asked_for() {
        let page = selected("", true, 0, 1);
        assert_eq!((page.items.len(), page.matching, page.tracked), (1, 3, 5));
    }

    #[test]
    fn a_search_is_bounded_in_words_and_bytes() {
        let check = |text: String| {
            let filter = JobFilter {
                text,
                ..JobFilter::default()
            };
            filter.check()
        };
        assert_eq!(check("j ".repeat(MOST_WORDS)), Ok(()));
        assert_eq!(check("j".repeat(LONGEST_TEXT)), Ok(()));
        let refused = check("j ".repeat(MOST_WORDS + 1)).unwrap_err();
        assert_eq!(refused, "`q` has 9 words, at most 8 are searched for");
        let refused = check("j".repeat(LONGEST_TEXT + 1)).unwrap_err();
        assert_eq!(refused, "`q` has 257 bytes, at most 256 are searched for");
    }

    #[test]
    fn a_part_beyond_the_end_is_empty() {
        assert!(selected("", false, usize::MAX, 100).items.is_empty());
    }
}
