//! Columns, and the cells that commands share: names, times, ratios, the last executions.

use std::cmp::Ordering;
use std::io::{self, Write};

use ci_history::{Figures, Outcome, Timestamp};

use crate::base::human;

/// Explains the signs of [`executions`].
pub(super) const LEGEND: &str =
    "Last executions, oldest first: + passed, x failed, a allowed failure, f flaky.";

/// The window, a sign an execution.
pub(super) fn executions(figures: &Figures) -> String {
    let signs = figures.window.iter().map(|entry| match entry.outcome {
        Outcome::Failed => 'x',
        Outcome::AllowedFailure => 'a',
        _ if entry.flaky => 'f',
        _ => '+',
    });
    signs.collect()
}

/// Failing share of the window, and the failures of its executions.
pub(super) fn ratio(figures: &Figures) -> [String; 2] {
    [
        format!("{:.2}", figures.failure_ratio()),
        format!("{}/{}", figures.window_failures, figures.window_executions),
    ]
}

/// Longest streak first, then highest ratio.
pub(super) fn worst_first(a: &Figures, b: &Figures) -> Ordering {
    let streaks = b.consecutive_failures.cmp(&a.consecutive_failures);
    streaks.then_with(|| b.failure_ratio().total_cmp(&a.failure_ratio()))
}

/// `1 job`, `2 jobs`.
pub(super) fn counted(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// A name that cannot move the cursor or break the line.
pub(super) fn printable(name: &str) -> String {
    let printable = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    name.chars().map(printable).collect()
}

/// To the minute, UTC; `-` for none.
pub(super) fn minute(time: Option<Timestamp>) -> String {
    time.map_or("-".to_owned(), |time| human::minute(time.unix()))
}

/// Pads all columns but the last.
pub(super) fn print_aligned<const N: usize>(
    lines: &[[String; N]],
    out: &mut dyn Write,
) -> io::Result<()> {
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    for line in lines {
        let mut cells = line.iter().zip(widths).peekable();
        while let Some((cell, width)) = cells.next() {
            if cells.peek().is_some() {
                write!(out, "{cell:<width$}  ")?;
            } else {
                writeln!(out, "{cell}")?;
            }
        }
    }
    Ok(())
}
