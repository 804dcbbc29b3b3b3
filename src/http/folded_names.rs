//! Names of jobs as searches read them.

use memchr::memmem::Finder;

/// The names of the jobs of a timeline in lower case, side by side, so that a search reads memory in order and goes through
/// all of them at once.
#[derive(Debug, Clone, Default)]
pub struct FoldedNames {
    /// Each name with [`END`] behind it.
    text: String,
    /// Where the next name begins.
    ends: Vec<usize>,
}

/// No word of a search has it, so that none is found across two names.
const END: char = '\n';

impl FoldedNames {
    /// Folds names, which are counted from 0 in this order.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut folded = Self::default();
        for name in names {
            fold(name, &mut folded.text);
            folded.text.push(END);
            folded.ends.push(folded.text.len());
        }
        folded.text.shrink_to_fit();
        folded.ends.shrink_to_fit();
        folded
    }

    /// Tells the number of each name that contains the word, in order.
    pub(super) fn each_with(&self, word: &Finder<'_>, mut found: impl FnMut(usize)) {
        let text = self.text.as_bytes();
        let (mut from, mut number) = (0, 0);
        while let Some(at) = word.find(&text[from..]) {
            let at = from + at;
            number += self.ends[number..].partition_point(|end| *end <= at);
            found(number);
            from = self.ends[number];
        }
    }
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
    use super::*;

    fn with(names: &[&str], word: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let names = FoldedNames::of(names.iter().copied());
        names.each_with(&Finder::new(word), |number| found.push(number));
        found
    }

    #[test]
    fn each_name_with_the_word_is_told_once_and_in_order() {
        let names = ["Unit", "unit: [unit]", "lint", "", "ÄÖ Unit"];
        assert_eq!(with(&names, "unit"), [0, 1, 4]);
        assert_eq!(with(&names, "int"), [2]);
        assert_eq!(with(&names, "äö"), [4]);
        assert_eq!(with(&names, "t"), [0, 1, 2, 4]);
    }

    #[test]
    fn a_word_is_not_found_across_two_names() {
        assert!(with(&["ab", "cd"], "bc").is_empty());
        // A name may have what stands between names.
        assert_eq!(with(&["a\nb", "b"], "b"), [0, 1]);
        assert!(with(&[], "a").is_empty());
    }
}
