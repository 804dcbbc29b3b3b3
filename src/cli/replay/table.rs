//! The table that `replay` prints: where each job stands, and where a threshold was crossed.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

use super::super::alerts::{Job, Reading, Verdict};
use super::super::table::{
    LEGEND, counted, executions, print_aligned, printable, ratio, worst_first,
};
use super::super::thresholds::{Subject, Thresholds};
use crate::model::{Figures, JobRow, PipelineObservation, TimelineRows, Timestamp};

/// What happened while the pipelines were counted.
#[derive(Default)]
pub(super) struct Table {
    pipelines: usize,
    left_out: usize,
    thresholds: Option<Thresholds>,
    /// Which job is over which threshold by now.
    over: BTreeSet<(Arc<str>, Arc<str>, usize)>,
    crossings: Vec<Crossing>,
}

/// A job that went over a threshold, or came back.
struct Crossing {
    pipeline_id: u64,
    ref_name: Arc<str>,
    job: Arc<str>,
    words: String,
}

impl Table {
    /// Takes note of where every job stands after a pipeline.
    pub(super) fn note(
        &mut self,
        pipeline: &PipelineObservation,
        counted: bool,
        rows: &TimelineRows,
    ) -> anyhow::Result<()> {
        let thresholds = match self.thresholds.take() {
            Some(thresholds) => thresholds,
            None => Thresholds::read(&[])?,
        };
        self.pipelines += 1;
        self.left_out += usize::from(!counted);
        for row in &rows.jobs {
            let job = Job {
                row,
                subject: Subject {
                    project: &rows.project,
                    job: &row.name,
                    team: "",
                },
                thresholds: &thresholds,
                now: pipeline.updated_at.unwrap_or(Timestamp::of_clock(0)),
            };
            for (index, reading) in job.of_the_window().enumerate() {
                let Reading {
                    alert,
                    severity,
                    verdict,
                    words,
                } = reading;
                let place = (rows.ref_name.clone(), row.name.clone(), index);
                let reached = verdict == Verdict::Fires;
                let was_over = if reached {
                    !self.over.insert(place)
                } else {
                    self.over.remove(&place)
                };
                if was_over == reached {
                    continue;
                }
                let fires = if reached { "fires" } else { "ends" };
                self.crossings.push(Crossing {
                    pipeline_id: pipeline.id,
                    ref_name: rows.ref_name.clone(),
                    job: row.name.clone(),
                    words: format!("{alert} ({severity}) {fires}: {words}"),
                });
            }
        }
        self.thresholds = Some(thresholds);
        Ok(())
    }

    /// Prints where the jobs stand, and the crossings in order.
    pub(super) fn print(&self, timelines: &[TimelineRows], out: &mut dyn Write) -> io::Result<()> {
        let jobs: usize = timelines.iter().map(|rows| rows.jobs.len()).sum();
        write!(
            out,
            "{}, {}",
            counted(self.pipelines, "pipeline"),
            counted(jobs, "job")
        )?;
        if self.left_out > 0 {
            let left_out = self.left_out;
            write!(out, "; {left_out} left out by the counting rules")?;
        }
        writeln!(out, "\n")?;
        let with_ref = timelines.len() > 1;
        let mut lines: Vec<(&Figures, [String; 6])> = timelines
            .iter()
            .flat_map(|rows| rows.jobs.iter().map(move |job| (rows, job)))
            .map(|(rows, job)| (&job.figures, line(rows, job, with_ref)))
            .collect();
        lines.sort_by(|(a, one), (b, other)| worst_first(a, b).then_with(|| one[5].cmp(&other[5])));
        let heads = [
            "STREAK",
            "RATIO",
            "FAILED",
            "FLAKY",
            "LAST EXECUTIONS",
            "JOB",
        ];
        let mut cells = vec![heads.map(str::to_owned)];
        cells.extend(lines.into_iter().map(|(_, line)| line));
        print_aligned(&cells, out)?;
        writeln!(out, "\n{LEGEND}")?;
        self.print_crossings(with_ref, out)
    }

    fn print_crossings(&self, with_ref: bool, out: &mut dyn Write) -> io::Result<()> {
        if self.crossings.is_empty() {
            return writeln!(out, "\nNo shipped threshold was crossed.");
        }
        writeln!(out, "\nShipped thresholds crossed:")?;
        for crossing in &self.crossings {
            let job = shown(&crossing.job, &crossing.ref_name, with_ref);
            let (pipeline, words) = (crossing.pipeline_id, &crossing.words);
            writeln!(out, "  pipeline {pipeline}: {job}: {words}")?;
        }
        Ok(())
    }
}

fn line(rows: &TimelineRows, job: &JobRow, with_ref: bool) -> [String; 6] {
    let figures = &job.figures;
    let [ratio, failed] = ratio(figures);
    [
        figures.consecutive_failures.to_string(),
        ratio,
        failed,
        figures.window_flaky.to_string(),
        executions(figures),
        shown(&job.name, &rows.ref_name, with_ref),
    ]
}

fn shown(job: &str, ref_name: &str, with_ref: bool) -> String {
    if with_ref {
        printable(&format!("{job} ({ref_name})"))
    } else {
        printable(job)
    }
}
