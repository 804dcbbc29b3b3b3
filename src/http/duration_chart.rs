//! How long the executions of a job took, as a chart.

use ci_history::{Figures, Outcome, WindowEntry};
use maud::{Markup, html};

use super::window::sign;
use crate::base::human::span;

/// Width of an execution, and of its bar within.
const STEP: usize = 26;
const BAR: usize = 16;

/// Height of the longest bar, room for the shape above it, and for the line below.
const TALLEST: f64 = 90.0;
const ABOVE: f64 = 16.0;
const BELOW: f64 = 4.0;

/// The executions of the window, oldest left. Their table has the same durations as text. Nothing if no duration is known.
pub(super) fn duration_chart(figures: &Figures) -> Markup {
    let window = &figures.window;
    let known = window.iter().filter_map(|entry| entry.duration);
    let known: Vec<f64> = known.map(ci_history::Span::seconds).collect();
    let longest = known.iter().copied().fold(0.0, f64::max);
    let shortest = known.iter().copied().fold(longest, f64::min);
    if known.is_empty() {
        return html! {};
    }
    let usual = figures.usual_duration.map(ci_history::Span::seconds);
    let top = longest.max(usual.unwrap_or_default()).max(0.001);
    let width = (window.len() * STEP).max(2 * STEP);
    let ground = ABOVE + TALLEST;
    let height_of = |seconds: f64| (seconds / top * TALLEST).max(2.0);
    let summary = format!(
        "{} of the last {} executions, oldest left: {} to {}",
        known.len(),
        window.len(),
        span(shortest),
        span(longest),
    );
    let usually = usual.map(|usual| format!(", usually {}", span(usual)));
    html! {
        figure.chart {
            svg role="img" aria-labelledby="durations durations-summary" width=(width) height=(ground + BELOW) viewBox={ "0 0 " (width) " " (ground + BELOW) } {
                title id="durations" { "Durations" }
                desc id="durations-summary" { (summary) @if let Some(usually) = &usually { (usually) } "." }
                @for (at, entry) in window.iter().enumerate() {
                    @if let Some(took) = entry.duration {
                        (bar(entry, at * STEP, ground, height_of(took.seconds()), took.seconds()))
                    }
                }
                line.ground x1="0" x2=(width) y1=(ground) y2=(ground) {}
                @if let Some(usual) = usual {
                    @let y = rounded(ground - height_of(usual));
                    line.usual x1="0" x2=(width) y1=(y) y2=(y) {}
                }
            }
            figcaption {
                "Durations: " (summary) @if let Some(usually) = &usually { (usually) " (dashed line)" }
                ". Circle: passed, diamond: passed on a retry, cross: failed, triangle: allowed failure."
            }
        }
    }
}

/// A bar, with a shape above it that tells the outcome without its colour.
fn bar(entry: &WindowEntry, left: usize, ground: f64, height: f64, seconds: f64) -> Markup {
    let (class, _, outcome) = sign(entry.outcome, entry.flaky);
    let top = rounded(ground - height);
    let middle = left + STEP / 2;
    let pipeline = entry.pipeline_id.map(|id| format!(", pipeline {id}"));
    html! {
        g class=(class) {
            title { (outcome) ", " (span(seconds)) (pipeline.unwrap_or_default()) }
            rect x=(left + (STEP - BAR) / 2) y=(top) width=(BAR) height=(rounded(height)) {}
            (shape(entry, middle as f64, top - 8.0))
        }
    }
}

fn shape(entry: &WindowEntry, x: f64, y: f64) -> Markup {
    let at = |dx: f64, dy: f64| format!("{} {}", x + dx, rounded(y + dy));
    html! {
        @match (entry.outcome, entry.flaky) {
            (Outcome::Passed, true) => {
                path d={ "M" (at(0.0, -5.0)) "L" (at(5.0, 0.0)) "L" (at(0.0, 5.0)) "L" (at(-5.0, 0.0)) "Z" } {}
            },
            (Outcome::Passed, false) => circle cx=(x) cy=(rounded(y)) r="4" {},
            (Outcome::AllowedFailure, _) => {
                path d={ "M" (at(0.0, -5.0)) "L" (at(5.0, 4.0)) "L" (at(-5.0, 4.0)) "Z" } {}
            },
            (Outcome::Failed | Outcome::Canceled | Outcome::Skipped, _) => {
                path stroke-width="2.5" fill="none" d={ "M" (at(-4.0, -4.0)) "L" (at(4.0, 4.0)) "M" (at(-4.0, 4.0)) "L" (at(4.0, -4.0)) } {}
            },
        }
    }
}

/// To a tenth of a pixel.
fn rounded(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use ci_history::Span;

    use super::*;

    fn figures(durations: &[(Outcome, bool, Option<f64>)]) -> Figures {
        let entry = |(outcome, flaky, seconds): &(Outcome, bool, Option<f64>)| WindowEntry {
            outcome: *outcome,
            flaky: *flaky,
            job_id: None,
            pipeline_id: Some(7),
            commit: None,
            own_url: None,
            finished_at: None,
            duration: seconds.and_then(Span::from_seconds),
        };
        Figures {
            window: durations.iter().map(entry).collect(),
            usual_duration: Span::from_seconds(10.0),
            ..Figures::default()
        }
    }

    #[test]
    fn a_chart_has_a_bar_and_a_shape_for_each_known_duration_and_says_so_in_words() {
        let chart = duration_chart(&figures(&[
            (Outcome::Passed, false, None),
            (Outcome::Passed, false, Some(10.0)),
            (Outcome::Passed, true, Some(0.0)),
            (Outcome::Failed, false, Some(20.0)),
            (Outcome::AllowedFailure, false, Some(1e9)),
        ]));
        let chart = chart.into_string();
        for part in [
            "<svg role=\"img\" aria-labelledby=\"durations durations-summary\" width=\"130\"",
            "4 of the last 5 executions, oldest left: 0 s to 11574 d 1 h, usually 10 s",
            "<title>failed, 20 s, pipeline 7</title>",
            "<circle cx=\"39\"",
            "<line class=\"usual\"",
        ] {
            assert!(chart.contains(part), "{part} is not in {chart}");
        }
        assert_eq!(chart.matches("<rect").count(), 4);
        assert_eq!(chart.matches("<path").count(), 3);
        assert!(!chart.contains("NaN") && !chart.contains("inf"), "{chart}");
    }

    #[test]
    fn without_any_duration_there_is_no_chart() {
        let chart = duration_chart(&figures(&[(Outcome::Failed, false, None)]));
        assert_eq!(chart.into_string(), "");
    }
}
