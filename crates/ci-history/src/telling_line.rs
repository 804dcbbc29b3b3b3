//! The line of a log that tells most about a failure: what a person would look for first.
//!
//! 1. The runner's verdict, unless it only repeats the exit code: the job was killed, timed out or never started.
//! 2. Of the last command's output, the line of the best rank: a failed test before a compiler's error before an exception
//!    before anything that looks like an error before a summary.
//! 3. The last line of its output, else the command itself.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::line::{shortened, visible_line};
use super::pattern::{pattern, patterns};

/// Most characters of the line.
const LINE_CHARS: usize = 200;

/// Most bytes of the line: as many as a label may have.
const LINE_BYTES: usize = 512;

/// Lines before the verdict that are looked at.
const LOOKED_AT: usize = 5_000;

/// What a runner says at last, with what it says about the failure.
static VERDICT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^ERROR: Job failed(?: \(system failure\))?: *(.*)$"));

/// A verdict that only repeats that the script failed.
static EXIT_CODE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:(?:command terminated with )?exit (?:code|status) [0-9]+|exit_code=.*)?$")
});

/// What follows the script whether it failed or not.
static AFTERWARDS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:Running after[ _]script|Uploading artifacts for failed job|Saving cache for failed job|Cleaning up (?:project directory and )?file based variables)",
    )
});

/// What tools put before their own lines: a step of a Docker build, a container of Compose, a frame.
static PREFIX: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:#[0-9]+ )?(?:[0-9]+\.[0-9]+ )?(?:[│╷╵┃|]\s+)*"));

/// Lines that look like errors and tell nothing.
static NOISE: LazyLock<RegexSet> = LazyLock::new(|| {
    patterns(&[
        r"^[\W_]*$",
        r"(?i)^\W*warn(?:ing)?\b",
        r"(?i)^\W*(?:note|hint|help|info|debug)\b[\]:]",
        r"^error: aborting due to|^For more information about this error",
        r"^npm (?:ERR!|error)(?: +(?:code|errno|syscall|path|cwd|dest|command|workspace|location|node|npm|os|signal|file|stack)\b.*)?$",
        r"^npm (?:ERR!|error) +(?:A complete log of this run|.*-debug(?:-[0-9]+)?\.log$|Fix the upstream|this command with)",
        r"^\[ERROR\]\s*(?:->|To see the full stack|Re-run Maven|For more information|After correcting|\[Help|mvn |Please refer to|Failures: *$|Errors: *$|$)",
        r"^\* (?:Try|Get more help)|^> (?:Run with|Get more help)",
        r"(?i)^(?:\$ )?[\w./-]+=\S*(?:error|fail)\S*$",
        r"^ERROR: Job failed",
        r"(?i)no files to upload|no matching files",
        r"^\s*at (?:\S+ \()?\S+:[0-9]+(?::[0-9]+)?\)?$|^\s*at [\w.$/<>]+\(.*\)$",
        r"(?i)^\W*(?:0|no) (?:errors?|failures?)\b",
    ])
});

/// Names of failed tests. The first one is taken.
const TESTS: &[&str] = &[
    // pytest
    r"^(?:FAILED|ERROR) \S+(?:::|\.py)",
    // unittest
    r"^(?:FAIL|ERROR): \w+ \(",
    // go test
    r"^\s*--- FAIL: ",
    // Rust
    r"^thread '.*' (?:\([0-9]+\) )?panicked at ",
    // Jest and Vitest
    r"^\s*● .+ › |^ ?FAIL .+ > ",
    // Gradle and JUnit
    r"^\S.* > .+ FAILED$",
    r"^\[ERROR\]\s+[\w.$]+(?:\.[\w$]+|:[0-9]+)[^:]*:[0-9]+ |^\[ERROR\]\s+\S+:\[[0-9]+,[0-9]+\]",
    // RSpec
    r"^rspec \./\S+",
    // PHPUnit
    r"^[0-9]+\) [\w\\]+::\w+",
    // .NET
    r"^\s*Failed \S+ \[[0-9<]",
    // CTest
    r"^\s*[0-9]+ - \S+ \((?:Failed|Timeout|SEGFAULT)\)",
    // TAP
    r"^\s*not ok [0-9]+",
    // Playwright
    r"^\s*[0-9]+\) \[\w+\] › ",
];

/// Errors of compilers and linters. The first one is taken.
const COMPILERS: &[&str] = &[
    r"^error\[E[0-9]+\]: ",
    r"^\S*[^\s:]:[0-9]+:(?:[0-9]+:)? (?:fatal )?error\b",
    r"^\S+[(:][0-9]+[,:][0-9]+\)?(?::| -) (?:fatal )?error\b",
    r"^\S+\.go:[0-9]+:[0-9]+: ",
    r"\berror (?:TS|CS|MSB|NU|FS|C|LNK)[0-9]+:",
    r"^e: \S+",
    r"^\s*[0-9]+:[0-9]+\s+error\s",
    r"undefined reference to|cannot find -l",
    r"^CMake Error\b",
    r"^error: (?:unused|cannot|expected|mismatched|no |unresolved|failed to (?:select|parse|resolve|get))",
    r"^would reformat ",
    r"^npm (?:ERR!|error) ",
    r"^\s*● .+",
];

/// Exceptions, panics, and what the system says to a program. The last one is taken.
const EXCEPTIONS: &[&str] = &[
    r"^(?:panic|fatal error): ",
    r#"^\s*(?:Exception in thread "[^"]*" |Caused by: |Uncaught )?(?:[\w$]+[.$:])*[A-Z]\w*(?:Error|Exception|Exit|Interrupt)\b(?::|$)"#,
    r"^E   +\S",
    r"(?i)\bout of memory\b|OutOfMemory|Cannot allocate memory|signal: killed|^Killed$|\bOOMKilled\b",
    r"No space left on device|Disk quota exceeded",
    r"Segmentation fault|core dumped|stack smashing|AddressSanitizer",
    r": command not found$|: not found$|: Permission denied|: No such file or directory",
    r"^Error response from daemon: |^Error from server",
    r"^fatal: |\[(?:remote )?rejected\]",
    r"^Execution failed for task ",
];

/// Anything that looks like an error. The last one is taken.
const ERRORS: &[&str] = &[
    r"(?i)^\W*(?:[\w.-]+: )?(?:error|fatal|critical|severe|failure|failed|panic|abort(?:ed)?|denied)\b",
    r"(?i)\b(?:error|errors|failed|failure|failures|fatal|exception|denied|refused|rejected|unauthorized|forbidden|timed? ?out|deadline exceeded|cannot|could not|couldn't|can't|unable to|not found|not exist|missing|invalid|unexpected|conflict|mismatch|expired)\b",
];

/// Summaries, which tell that something failed and not what.
static SUMMARIES: LazyLock<RegexSet> = LazyLock::new(|| {
    patterns(&[
        r"^error: (?:failed to push some refs|could not compile|test failed, to rerun|\d+ targets? failed|build failed)",
        r"^test result: |^=+ .*\b(?:failed|errors?)\b.* =+$|^FAIL(?:ED)?$|^FAIL\s+\S+\s+[0-9.]+s$|^FAILED \(",
        r"^g?make(?:\[[0-9]+\])?: \*\*\*|^ninja: build stopped|ld returned [0-9]+ exit status",
        r"(?i)^(?:exit status|exited with(?: code)?|command failed with exit code|exit code:?) [0-9]+",
        r"^BUILD FAILED|^FAILURE: Build failed|^\[INFO\] BUILD FAILURE|^\[ERROR\] (?:Tests run|Failed to execute goal)|<<< (?:FAILURE|ERROR)!",
        r"^(?:Tests|Test Suites|Test Files|Tests run|Total tests): |^[0-9]+ (?:tests|examples|passing|failing)\b|^[0-9]+ tests completed",
        r"^error Command failed with exit code|^npm (?:ERR!|error) (?:Lifecycle script|code ELIFECYCLE|Exit status|Error: command failed|command failed|Failed at the)|ELIFECYCLE",
        r"^> There were failing tests|^There were failing tests|^failures:$|^Failed tests:",
        r"^> Task \S+ FAILED$|^\* What went wrong|^Traceback \(most recent call last\)",
        r"^ERROR: failed to solve: process|^ERROR: Service .* failed to build",
        r"^(?i)process .* did not complete successfully",
    ])
});

struct Rank {
    patterns: RegexSet,
    /// Whether the first of several lines tells most, and not the last.
    first: bool,
}

/// The ranks, the most telling one first.
static RANKS: LazyLock<[Rank; 4]> = LazyLock::new(|| {
    let rank = |texts: &[&str], first| Rank {
        patterns: patterns(texts),
        first,
    };
    [
        rank(TESTS, true),
        rank(COMPILERS, true),
        rank(EXCEPTIONS, false),
        rank(ERRORS, false),
    ]
});

/// The most telling line of a masked log: one short line; `None` if all lines are blank.
///
/// `rule` is the pattern of the log rule that decided the class. The line it matches comes before any other.
pub(crate) fn telling_line(masked: &str, rule: Option<&Regex>) -> Option<String> {
    let lines: Vec<&str> = masked
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.trim().is_empty())
        .collect();
    let lines = &lines[lines.len().saturating_sub(LOOKED_AT)..];
    let of_rule = rule.and_then(|rule| matched_line(masked, rule));
    let line = of_rule
        .or_else(|| verdict(lines))
        .or_else(|| in_script(lines))
        .or_else(|| lines.last().copied())?;
    let line = visible_line(bare(line));
    Some(shortened(&line, LINE_CHARS, LINE_BYTES)).filter(|line| !line.is_empty())
}

/// The line in which the last match of a rule begins.
fn matched_line<'a>(text: &'a str, rule: &Regex) -> Option<&'a str> {
    let matches = rule.find_iter(text).filter(|it| !it.is_empty());
    let found = matches.last()?;
    let within = text[found.range()].len() - text[found.range()].trim_start().len();
    let at = found.start() + within;
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    text[start..]
        .lines()
        .next()
        .filter(|line| !line.trim().is_empty())
}

/// The line without what tools put before it.
fn bare(line: &str) -> &str {
    let prefix = PREFIX.find(line).map_or(0, |found| found.end());
    match &line[prefix..] {
        "" => line,
        rest => rest,
    }
}

/// The runner's last word, if it says more than that the script failed.
fn verdict<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let last = lines.iter().rev().take(5);
    let mut verdicts = last.filter_map(|line| Some((*line, VERDICT.captures(line)?)));
    let (line, said) = verdicts.next()?;
    (!EXIT_CODE.is_match(said[1].trim())).then_some(line)
}

/// The most telling line of the script's output: of its last command, else of all of it.
fn in_script<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let is_end = |line: &&str| AFTERWARDS.is_match(line) || VERDICT.is_match(line);
    let end = lines.iter().position(is_end).unwrap_or(lines.len());
    let script = &lines[..end];
    let command = script.iter().rposition(|line| is_command(line));
    let output = &script[command.map_or(0, |at| at + 1)..];
    let summary = || output.iter().find(|line| SUMMARIES.is_match(bare(line)));
    let last = || output.iter().rev().find(|line| !NOISE.is_match(bare(line)));
    best(output)
        .or_else(|| summary().copied())
        .or_else(|| last().copied())
        .or_else(|| command.map(|at| script[at]))
}

/// How a runner shows the command that it runs.
fn is_command(line: &str) -> bool {
    line.starts_with("$ ")
}

fn best<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let told: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (*line, bare(line)))
        .filter(|(line, bare)| {
            !is_command(line) && !NOISE.is_match(bare) && !SUMMARIES.is_match(bare)
        })
        .collect();
    RANKS.iter().find_map(|rank| {
        let mut found = told.iter().filter(|(_, bare)| rank.patterns.is_match(bare));
        let line = if rank.first {
            found.next()
        } else {
            found.next_back()
        };
        line.map(|(line, _)| *line)
    })
}
