//! Names of many jobs in one sentence.

use maud::{Markup, html};

/// Names that are written out.
const NAMED: usize = 10;

/// Characters of a name that are written out.
const LONGEST: usize = 80;

/// `a, b and 7 more`.
pub(super) fn job_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Markup {
    let mut names = names.into_iter();
    let named: Vec<_> = names.by_ref().take(NAMED).collect();
    let more = names.count();
    html! {
        @for (at, name) in named.iter().enumerate() {
            @if at > 0 { ", " }
            (job_name(name))
        }
        @if more > 0 { " and " (more) " more" }
    }
}

/// A name, cut if it is long.
pub(super) fn job_name(name: &str) -> Markup {
    let cut = name.char_indices().nth(LONGEST);
    html! {
        @match cut {
            None => code { bdi { (name) } },
            Some((end, _)) => code title=(name) { bdi { (name[..end]) "…" } },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_counted_and_long_ones_cut() {
        let names: Vec<_> = (0..12).map(|n| n.to_string()).collect();
        let text = job_names(names.iter().map(String::as_str)).into_string();
        assert!(
            text.starts_with("<code><bdi>0</bdi></code>, <code><bdi>1</bdi></code>"),
            "{text}"
        );
        assert!(
            text.ends_with("<code><bdi>9</bdi></code> and 2 more"),
            "{text}"
        );
        let text = job_names(["<b>", &"ü".repeat(81)]).into_string();
        assert!(
            text.starts_with("<code><bdi>&lt;b&gt;</bdi></code>, "),
            "{text}"
        );
        let shown = format!("<bdi>{}…</bdi></code>", "ü".repeat(80));
        assert!(text.ends_with(&shown), "{text}");
    }
}
