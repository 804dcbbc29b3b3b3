//! Names of jobs as searches read them.

use memchr::memmem::Finder;

use super::listed_job::ListedJob;

/// The names of the jobs of a timeline and of their teams in lower case, side by side, so that a search reads memory in order
/// and goes through all of them at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoldedNames {
    /// For each job its name and its team, [`END`] behind both.
    text: String,
    /// Where the next job begins.
    ends: Vec<u32>,
}

/// No word of a search has it, so that none is found across two names.
const END: char = '\n';

impl FoldedNames {
    /// Folds the names of jobs, which are counted from 0 in this order.
    pub fn of<'a, J: ListedJob + 'a>(jobs: impl IntoIterator<Item = &'a J>) -> Self {
        let mut folded = Self::default();
        for job in jobs {
            fold(job.name(), &mut folded.text);
            folded.text.push(END);
            fold(job.team().unwrap_or_default(), &mut folded.text);
            folded.text.push(END);
            folded.ends.push(bounded(folded.text.len()));
        }
        folded.text.shrink_to_fit();
        folded.ends.shrink_to_fit();
        folded
    }

    /// Tells the number of each job that has the word in its name or team, in order.
    pub(super) fn each_with(&self, word: &Finder<'_>, mut found: impl FnMut(usize)) {
        let text = self.text.as_bytes();
        let (mut from, mut number) = (0, 0);
        while let Some(at) = word.find(&text[from..]) {
            let at = from + at;
            number += self.ends[number..].partition_point(|end| *end as usize <= at);
            found(number);
            from = self.ends[number] as usize;
        }
    }
}

fn bounded(len: usize) -> u32 {
    u32::try_from(len).expect("the names of a timeline stay below 4 GiB")
}

/// Adds a text in lower case.
pub(super) fn fold(text: &str, folded: &mut String) {
    if text.is_ascii() {
        let start = folded.len();
        folded.push_str(text);
        folded[start..].make_ascii_lowercase();
    } else {
        folded.push_str(&text.to_lowercase());
    }
}

#[cfg(test)]
mod tests {
    use super::super::job_state::JobFacts;
    use super::*;

    struct Named(&'static str, Option<&'static str>, JobFacts);

    impl ListedJob for Named {
        fn name(&self) -> &str {
            self.0
        }

        fn team(&self) -> Option<&str> {
            self.1
        }

        fn facts(&self) -> &JobFacts {
            &self.2
        }
    }

    fn with(names: &[(&'static str, Option<&'static str>)], word: &str) -> Vec<usize> {
        let jobs = names
            .iter()
            .map(|(name, team)| Named(name, *team, JobFacts::default()));
        let jobs: Vec<Named> = jobs.collect();
        let mut found = Vec::new();
        FoldedNames::of(&jobs).each_with(&Finder::new(word), |number| found.push(number));
        found
    }

    #[test]
    fn each_job_with_the_word_is_told_once_and_in_order() {
        let names = [
            ("Unit", None),
            ("unit: [unit]", Some("Units")),
            ("lint", Some("ÄÖ")),
            ("", None),
            ("ÄÖ Unit", Some("T")),
        ];
        assert_eq!(with(&names, "unit"), [0, 1, 4]);
        assert_eq!(with(&names, "units"), [1]);
        assert_eq!(with(&names, "int"), [2]);
        assert_eq!(with(&names, "äö"), [2, 4]);
        assert_eq!(with(&names, "t"), [0, 1, 2, 4]);
    }

    #[test]
    fn a_word_is_not_found_across_two_names() {
        assert!(with(&[("ab", None), ("cd", None)], "bc").is_empty());
        assert!(with(&[("ab", Some("cd"))], "bc").is_empty());
        // A name may have what stands between names.
        assert_eq!(with(&[("a\nb", None), ("b", None)], "b"), [0, 1]);
        assert!(with(&[], "a").is_empty());
    }
}
