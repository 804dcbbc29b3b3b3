//! The names of a query's parameters: unknown ones are refused.

use url::form_urlencoded;

use super::listing::cut;

/// Checks that a query has only known parameters.
///
/// # Errors
///
/// What was found, and what is known.
pub(super) fn check(query: &str, known: &[&str]) -> Result<(), String> {
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    let Some(unknown) = names.find(|name| !known.contains(&&**name)) else {
        return Ok(());
    };
    Err(self::unknown(&unknown, &[known]))
}

/// The message about an unknown parameter.
pub(super) fn unknown(key: &str, known: &[&[&str]]) -> String {
    let known = known.concat();
    let wanted = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    format!("found the parameter `{}`, wanted {wanted}", cut(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_parameter_is_refused_with_the_known_ones() {
        assert_eq!(check("", &[]), Ok(()));
        assert_eq!(check("q=a&q=b&page=2", &["q", "page"]), Ok(()));
        for (query, known, found) in [
            (
                "Q=a",
                &["q", "page"][..],
                "found the parameter `Q`, wanted q, page",
            ),
            (
                "q&falling=1",
                &["q"],
                "found the parameter `falling`, wanted q",
            ),
            ("x", &[], "found the parameter `x`, wanted none"),
            ("=1", &["q"], "found the parameter ``, wanted q"),
        ] {
            assert_eq!(check(query, known).unwrap_err(), found);
        }
        let long = check(&"ü".repeat(5000), &["q"]).unwrap_err();
        assert!(long.len() < 300, "{long}");
    }
}
