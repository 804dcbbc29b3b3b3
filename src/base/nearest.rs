//! "Did you mean ..?".

/// Jaro-Winkler similarity from which on a word counts as a misspelling of another.
const SIMILAR: f64 = 0.8;

/// The candidate that `word` was probably meant to be, whatever its case and its dashes.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let word = plain(word);
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &plain(candidate)), *candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_if_it_is_near_enough() {
        let words = ["interval", "idle_interval", "projects"];
        assert_eq!(nearest("intervall", &words), Some("interval"));
        assert_eq!(nearest("Idle-Interval", &words), Some("idle_interval"));
        assert_eq!(nearest("project", &words), Some("projects"));
        assert_eq!(nearest("s3", &words), None);
    }
}
