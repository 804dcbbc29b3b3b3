//! What messages say of texts from outside: an excerpt without tokens, and a hint at variables.

/// A text from outside for a message: on one line, cut at 80 characters, without tokens.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.split(|c| !token_sign(c)).any(token_of_gitlab) {
        return "<redacted>".to_owned();
    }
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push_str("..");
    }
    shown
}

/// Whether a text looks like a token given in place of the path of its file.
pub(super) fn token_like(text: &str) -> bool {
    let text = text.trim();
    let name_without_dot = text.len() >= SHORTEST_TOKEN && !text.contains('.');
    text.chars().all(token_sign) && (name_without_dot || token_of_gitlab(text))
}

/// GitLab's tokens begin with their kind: `glpat-`, `gldt-`, `glcbt-`, ..
fn token_of_gitlab(text: &str) -> bool {
    let kind = text
        .strip_prefix("gl")
        .and_then(|rest| rest.split_once('-'));
    text.len() >= SHORTEST_TOKEN
        && kind.is_some_and(|(kind, _)| kind.chars().all(|c| c.is_ascii_lowercase()))
}

fn token_sign(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// GitLab issues no shorter tokens.
const SHORTEST_TOKEN: usize = 16;

/// A hint where a text holds `${NAME}`, which other programs replace by an environment variable.
pub(super) fn variable_hint(text: &str) -> Option<&'static str> {
    let name = |c: char| c.is_ascii_alphabetic() || c == '_';
    let mut rest = text.split("${").skip(1);
    rest.any(|rest| rest.starts_with(name)).then_some(
        "environment variables are not expanded: write the value itself, name a file as \
         `gitlab.token_file` does, or run the file through `envsubst` before",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_stays_on_one_line_and_is_cut() {
        assert_eq!(excerpt("a\nb\u{202e}"), "a\\nb\\u{202e}");
        assert_eq!(excerpt(&"x".repeat(100)), format!("{}..", "x".repeat(80)));
    }

    #[test]
    fn a_token_is_not_shown_wherever_it_was_put() {
        assert_eq!(excerpt("glpat-0123456789abcdef"), "<redacted>");
        assert_eq!(excerpt("Bearer glcbt-64_abcdefghijk.01.z"), "<redacted>");
        assert_eq!(excerpt("glad-to-see"), "glad-to-see");
        assert!(token_like("0123456789abcdef0123 "));
        assert!(!token_like("/run/secrets/gitlab-token"));
        assert!(!token_like("gitlab-token.txt"));
    }

    #[test]
    fn only_a_variable_gets_the_hint_about_variables() {
        assert!(variable_hint("https://${HOST}/gitlab").is_some());
        assert!(variable_hint("${TOKEN:-none}").is_some());
        assert_eq!(variable_hint("^release-[0-9]+$"), None);
        assert_eq!(variable_hint("a${2}"), None);
    }
}
