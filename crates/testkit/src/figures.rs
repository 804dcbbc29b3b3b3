//! Figures for the table that `make bench` writes.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Reports a figure of this exporter. `budget` is `-` where it has none.
pub fn figure(what: &str, measured: impl Display, budget: impl Display) {
    figure_of("now", what, measured, budget);
}

/// Reports a figure of this exporter or another one.
#[expect(clippy::print_stderr, reason = "for the terminal and for `make bench`")]
pub fn figure_of(exporter: &str, what: &str, measured: impl Display, budget: impl Display) {
    eprintln!("figure: | {what} | {exporter} | {measured} | {budget} |");
}

/// The middle one of the measured figures.
pub fn median<T: Copy + PartialOrd>(mut figures: Vec<T>) -> T {
    figures.sort_by(|a, b| a.partial_cmp(b).unwrap());
    figures[figures.len() / 2]
}

/// The median times of two works that are done in turn, so that both have the same machine.
pub fn in_turn(turns: usize, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> [Duration; 2] {
    let (mut of_ours, mut of_theirs) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        of_ours.push(time_of(&mut ours));
        of_theirs.push(time_of(&mut theirs));
    }
    [median(of_ours), median(of_theirs)]
}

fn time_of(work: &mut impl FnMut()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// How many times as long.
pub fn ratio([ours, theirs]: [Duration; 2]) -> f64 {
    ours.as_secs_f64() / theirs.as_secs_f64()
}
