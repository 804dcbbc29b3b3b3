//! The lines of owners files: section heads, and patterns with their owners.

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `[Name] @owner`, also `^[Name][2]`: the section begins, with its default owner.
    Section(Option<&'a str>),
    /// `pattern @owner`.
    Pattern(String, Option<&'a str>),
    /// `!pattern`: the section does not apply to these jobs.
    Exclusion(String),
}

impl<'a> Line<'a> {
    /// `None` for blank lines and comments.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        if let Some(owners) = after_section_head(line) {
            return Some(Self::Section(first_owner(owners)));
        }
        if let Some(line) = line.strip_prefix('!') {
            return Some(Self::Exclusion(split(line).0));
        }
        let (pattern, owners) = split(line);
        Some(Self::Pattern(pattern, first_owner(owners)))
    }
}

/// What follows `[Name]` with its marks `^` (optional) and `[2]` (approvals); `None` if the line is no section
/// head, for example `[ab]-test @team`.
fn after_section_head(line: &str) -> Option<&str> {
    let line = line.strip_prefix('^').unwrap_or(line);
    let (name, rest) = line.strip_prefix('[')?.split_once(']')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((approvals, rest)) if digits(approvals) => rest,
        _ => rest,
    };
    let ends = rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '@');
    (ends && !name.trim().is_empty()).then_some(rest)
}

/// The first owner without its `@`, before any comment.
fn first_owner(words: &str) -> Option<&str> {
    let word = words.split_whitespace().next()?;
    let owner = word.trim_start_matches('@');
    (!word.starts_with('#') && !owner.is_empty()).then_some(owner)
}

/// The pattern of a line, and what follows it. Blanks and `#` of a name are escaped by a backslash.
fn split(line: &str) -> (String, &str) {
    let mut pattern = String::new();
    let mut rest = line.strip_prefix('/').unwrap_or(line).chars();
    loop {
        match rest.next() {
            None => return (pattern, ""),
            Some('\\') => match rest.next() {
                Some(escaped @ (' ' | '#' | '!')) => pattern.push(escaped),
                Some(escaped) => pattern.extend(['\\', escaped]),
                None => pattern.push('\\'),
            },
            Some(c) if c.is_whitespace() => return (pattern, rest.as_str()),
            Some(c) => pattern.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_heads_are_told_from_patterns() {
        for (line, wanted) in [
            ("[Backend]", Line::Section(None)),
            (" [Back end] @backend @b ", Line::Section(Some("backend"))),
            ("^[Optional][2] @a/b", Line::Section(Some("a/b"))),
            (
                "[Optional][]@@maintainer",
                Line::Section(Some("maintainer")),
            ),
            ("[Backend] # @nobody", Line::Section(None)),
            ("[ab]-test @x", Line::Pattern("[ab]-test".into(), Some("x"))),
            ("[open @x", Line::Pattern("[open".into(), Some("x"))),
            ("\\[a] @x", Line::Pattern("\\[a]".into(), Some("x"))),
            ("/a\\ b\\#", Line::Pattern("a b#".into(), None)),
            ("a @x # c", Line::Pattern("a".into(), Some("x"))),
            ("a # @x", Line::Pattern("a".into(), None)),
            ("\\!a x@y.z", Line::Pattern("!a".into(), Some("x@y.z"))),
            ("!a* @x", Line::Exclusion("a*".into())),
        ] {
            assert_eq!(Line::parse(line), Some(wanted), "{line}");
        }
        assert_eq!(Line::parse("  "), None);
        assert_eq!(Line::parse(" # [a] @b"), None);
    }
}
