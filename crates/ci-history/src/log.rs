//! The end of a job's log: as people read it, and as an excerpt without secrets.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::FailureClass;
use super::mask::masked;

/// Lines of an excerpt.
const EXCERPT_LINES: usize = 20;

/// Bytes of an excerpt at most.
const EXCERPT_BYTES: usize = 2048;

/// Colours, cursor movements, titles: ECMA-48 control sequences and operating system commands.
static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[PX^_][^\x1b\n]*(?:\x1b\\)?|[ -/]*[0-~])",
    )
});

/// GitLab's markers of sections that fold.
static SECTIONS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"section_(?:start|end):[0-9]+:[^\s\r\n\x1b]*(?:\r|\x1b\[0K|$)*"));

/// What a runner writes before each line where it tells the time: time, stream, and `+` where the line goes
/// on with the one before.
static TIMES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+Z [0-9a-f]{2}[OE]([+ ]?)",
    )
});

#[expect(
    clippy::expect_used,
    reason = "constant patterns, compiled by the tests"
)]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

/// The end of a log without colours, section markers and times. It may hold secrets: nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct LogText(String);

/// The last lines of a failed attempt's log, secrets masked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogExcerpt {
    /// The attempt.
    pub job_id: u64,
    /// Its lines.
    pub text: Arc<str>,
}

/// What a look at the log of a failed attempt brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFinding {
    /// Pipeline of the attempt.
    pub pipeline_id: u64,
    /// The attempt.
    pub job_id: u64,
    /// What the failure is, by reason and log.
    pub class: FailureClass,
    /// Its last lines, if there are any.
    pub excerpt: Option<Arc<str>>,
}

impl LogText {
    /// Reads the last bytes of a log. `whole` if nothing lies before them; else the first line, which may be
    /// the rest of one, is left out.
    pub fn read(bytes: &[u8], whole: bool) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let text = match text.split_once('\n') {
            Some((_, rest)) if !whole => rest,
            _ => &text,
        };
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            let time = TIMES.captures(line);
            let goes_on = time.as_ref().is_some_and(|time| &time[1] == "+");
            let line = time.map_or(line, |time| &line[time[0].len()..]);
            let line = plain(line);
            match lines.last_mut() {
                Some(last) if goes_on => last.push_str(&line),
                _ => lines.push(line),
            }
        }
        Self(lines.join("\n"))
    }

    /// The text, for rules only.
    pub fn unmasked(&self) -> &str {
        &self.0
    }

    /// The last lines without secrets; `None` where nothing is written in them.
    pub fn excerpt(&self) -> Option<Arc<str>> {
        // First the secrets: half of one would not be known for what it is.
        let text = masked(&self.0);
        let written = text.lines().filter(|line| !line.trim().is_empty());
        let mut lines: Vec<&str> = Vec::new();
        let mut room = EXCERPT_BYTES;
        for line in written.rev().take(EXCERPT_LINES) {
            let line = beginning(line.trim_end(), room);
            if line.is_empty() {
                break;
            }
            room = room.saturating_sub(line.len() + 1);
            lines.push(line);
        }
        lines.reverse();
        (!lines.is_empty()).then(|| lines.join("\n").into())
    }
}

impl std::fmt::Debug for LogText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogText({} bytes)", self.0.len())
    }
}

/// A line as a terminal shows it at last.
fn plain(line: &str) -> String {
    let line = SECTIONS.replace_all(line, "\r");
    let line = ESCAPES.replace_all(&line, "");
    // What comes after a carriage return is written over what was there.
    let shown = line.trim_end_matches('\r').rsplit('\r').next();
    let is_kept = |c: &char| *c == '\t' || !(c.is_control() || is_direction(*c));
    shown.unwrap_or_default().chars().filter(is_kept).collect()
}

/// Marks that turn the direction of writing around.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// As much of a line as there is room for.
fn beginning(line: &str, room: usize) -> &str {
    let mut end = line.len().min(room);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(log: &str) -> LogText {
        LogText::read(log.as_bytes(), true)
    }

    #[test]
    fn colours_sections_times_and_overwritten_text_are_gone() {
        let log = "section_start:1700000000:step_script[collapsed=true]\r\x1b[0K\x1b[36;1mRunning\x1b[0;m\r\n\
                   10 %\r100 %\n\x1b]0;title\x07done\u{202e}\u{0}\n\
                   2024-05-14T13:37:00.123456Z 01O one \n2024-05-14T13:37:00.123457Z 01O+two\n\
                   section_end:1700000001:step_script\r\x1b[0Ksection_start:1700000001:after\r\x1b[0K\x1b[31;1mERROR: Job failed: exit code 1\n";
        assert_eq!(
            read(log).unmasked(),
            "Running\n100 %\ndone\none two\nERROR: Job failed: exit code 1"
        );
    }

    #[test]
    fn an_excerpt_is_the_last_twenty_lines_that_say_something() {
        let lines: Vec<_> = (1..=30).map(|n| format!("line {n}")).collect();
        let log = lines.join("\n\n");
        let excerpt = read(&log).excerpt().unwrap();
        assert!(
            excerpt.starts_with("line 11\n") && excerpt.ends_with("\nline 30"),
            "{excerpt}"
        );
        assert_eq!(read(" \n\x1b[0;m\n").excerpt(), None);
    }

    #[test]
    fn the_rest_of_a_line_that_began_before_is_left_out() {
        assert_eq!(
            LogText::read(b"ord=hunter2\nnext", false).unmasked(),
            "next"
        );
    }

    #[test]
    fn the_text_is_not_printed() {
        assert_eq!(format!("{:?}", read("hunter2")), "LogText(7 bytes)");
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_short_excerpt(bytes in prop::collection::vec(any::<u8>(), 0..600), whole: bool) {
            if let Some(excerpt) = LogText::read(&bytes, whole).excerpt() {
                prop_assert!(excerpt.len() <= EXCERPT_BYTES && excerpt.lines().count() <= EXCERPT_LINES);
                prop_assert!(!excerpt.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            }
        }
    }
}
