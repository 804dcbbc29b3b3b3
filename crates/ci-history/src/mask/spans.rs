//! Places of a text that are to be masked.

use std::ops::Range;

/// Replacement of a secret.
pub(crate) const MASKED: &str = "[masked]";

/// Byte ranges of one text, in any order, which may overlap.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<Range<usize>>);

impl Spans {
    /// Adds a range unless it is empty.
    pub(super) fn add(&mut self, span: Range<usize>) {
        if !span.is_empty() {
            self.0.push(span);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges in their order, without overlaps and neither beginning nor ending within a character.
    pub(super) fn merged(&self, text: &str) -> Vec<Range<usize>> {
        let mut sorted: Vec<_> = self.0.iter().map(|span| widened(text, span)).collect();
        sorted.sort_unstable_by_key(|span| (span.start, span.end));
        let mut merged: Vec<Range<usize>> = Vec::new();
        for span in sorted {
            match merged.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        merged
    }

    /// The text with every range replaced.
    pub(super) fn replace(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut done = 0;
        for span in self.merged(text) {
            masked.push_str(&text[done..span.start]);
            masked.push_str(MASKED);
            done = span.end;
        }
        masked.push_str(&text[done..]);
        masked
    }
}

fn widened(text: &str, span: &Range<usize>) -> Range<usize> {
    text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_ranges_are_replaced_once_and_characters_stay_whole() {
        let mut spans = Spans::default();
        for span in [4..6, 0..2, 1..3, 8..8, 6..7] {
            spans.add(span);
        }
        assert_eq!(spans.replace("abcdéfghi"), "[masked]d[masked]ghi");
        assert_eq!(Spans::default().replace("abc"), "abc");
    }
}
