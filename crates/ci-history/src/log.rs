//! The end of a job's log as plain text, and its masked excerpt.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::FailureClass;
use super::line::{is_visible, without_escapes};
use super::mask::Masker;
use super::pattern::pattern;
use super::telling_line::telling_line;

/// Maximum number of lines in an excerpt.
const EXCERPT_LINES: usize = 20;

/// Maximum number of bytes in an excerpt.
const EXCERPT_BYTES: usize = 2048;

/// GitLab's markers of collapsible sections.
static SECTIONS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"section_(?:start|end):[0-9]+:[^\s\r\n\x1b]*(?:\r|\x1b\[0K|$)*"));

/// The runner's prefix of a line with `FF_TIMESTAMPS`: time, stream, and `+` if the line continues the
/// previous one.
static TIMES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+Z [0-9a-f]{2}[OE]([+ ]?)",
    )
});

/// The end of a log without colours, section markers and times. It may contain secrets and is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct LogText(String);

/// The last lines of a failed attempt's log, secrets masked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogExcerpt {
    /// Job id of the attempt.
    pub job_id: u64,
    /// Up to 20 lines and 2 KiB.
    pub text: Arc<str>,
    /// The line of the whole log that tells most: up to 200 characters.
    pub line: Arc<str>,
}

impl LogExcerpt {
    /// An excerpt whose text is all that is left of its log. The text is masked.
    pub fn of_text(job_id: u64, text: Arc<str>) -> Self {
        let line = telling_line(&text, None).unwrap_or_default().into();
        Self { job_id, text, line }
    }
}

/// Failure class and excerpt from the log of a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFinding {
    /// Pipeline of the attempt.
    pub pipeline_id: u64,
    /// Job id of the attempt.
    pub job_id: u64,
    /// Failure class by reason and log.
    pub class: FailureClass,
    /// Name of the configured pattern that decided the class.
    pub rule: Option<Arc<str>>,
    /// The last lines and the most telling one; `None` for a blank log.
    pub excerpt: Option<LogExcerpt>,
}

impl LogText {
    /// Reads the last bytes of a log. Unless they are the `whole` log, skips the first line, which may be
    /// incomplete.
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

    /// The text with its secrets, for matching only.
    pub fn unmasked(&self) -> &str {
        &self.0
    }

    /// Whether no line says anything.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// The last lines and the most telling one of a job's log, masked; `None` if all lines are blank. `rule` is the
    /// pattern that decided the class.
    pub fn excerpt(
        &self,
        job_id: u64,
        masker: &Masker,
        rule: Option<&Regex>,
    ) -> Option<LogExcerpt> {
        // Mask first: the rules would not recognize a secret that was cut.
        let masked = masker.masked(&self.0);
        let written = masked.lines().filter(|line| !line.trim().is_empty());
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
        Some(LogExcerpt {
            job_id,
            text: Some(lines.join("\n"))
                .filter(|text| !text.is_empty())?
                .into(),
            line: telling_line(&masked, rule)?.into(),
        })
    }
}

impl std::fmt::Debug for LogText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogText({} bytes)", self.0.len())
    }
}

/// A line as a terminal finally shows it.
fn plain(line: &str) -> String {
    let line = SECTIONS.replace_all(line, "\r");
    let line = without_escapes(&line);
    // Text after a carriage return overwrites the text before it.
    let shown = line.trim_end_matches('\r').rsplit('\r').next();
    let is_kept = |c: &char| *c == '\t' || is_visible(*c);
    shown.unwrap_or_default().chars().filter(is_kept).collect()
}

/// The beginning of a line, at most `room` bytes.
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

    fn excerpt(text: &LogText) -> Option<LogExcerpt> {
        text.excerpt(1, &Masker::default(), None)
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
        let text = excerpt(&read(&log)).unwrap().text;
        assert!(
            text.starts_with("line 11\n") && text.ends_with("\nline 30"),
            "{text}"
        );
        assert_eq!(excerpt(&read(" \n\x1b[0;m\n")), None);
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
            if let Some(LogExcerpt { text, line, .. }) = excerpt(&LogText::read(&bytes, whole)) {
                prop_assert!(text.len() <= EXCERPT_BYTES && text.lines().count() <= EXCERPT_LINES);
                prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
                prop_assert!(!line.is_empty() && line.len() <= 512 && line.chars().count() <= 200);
                prop_assert!(!line.chars().any(char::is_control));
            }
        }
    }
}
