//! The table that `replay` prints: the streak and ratio of each job, and the crossed thresholds.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

use ci_history::{Figures, JobRow, PipelineObservation, TimelineRows};

use super::super::table::{
    LEGEND, counted, executions, print_aligned, printable, ratio, worst_first,
};
use super::thresholds::Thresholds;

/// The streaks and ratios while the pipelines are counted.
pub(super) struct Table {
    pipelines: usize,
    left_out: usize,
    thresholds: Thresholds,
    /// Ref and job, and the number of each reached threshold.
    reached: BTreeSet<(Arc<str>, Arc<str>, usize)>,
    crossings: Vec<Crossing>,
}

/// A job that reached a threshold, or came back.
struct Crossing {
    pipeline_id: u64,
    ref_name: Arc<str>,
    job: Arc<str>,
    words: String,
}

impl Table {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            pipelines: 0,
            left_out: 0,
            thresholds: Thresholds::shipped()?,
            reached: BTreeSet::new(),
            crossings: Vec::new(),
        })
    }

    /// Notes the thresholds that jobs crossed with this pipeline.
    pub(super) fn note(
        &mut self,
        pipeline: &PipelineObservation,
        counted: bool,
        rows: &TimelineRows,
    ) {
        self.pipelines += 1;
        self.left_out += usize::from(!counted);
        for row in &rows.jobs {
            for (number, it) in self.thresholds.compare(&row.figures).enumerate() {
                let place = (rows.ref_name.clone(), row.name.clone(), number);
                let has_changed = if it.is_reached {
                    self.reached.insert(place)
                } else {
                    self.reached.remove(&place)
                };
                if !has_changed {
                    continue;
                }
                let change = if it.is_reached { "fires" } else { "ends" };
                self.crossings.push(Crossing {
                    pipeline_id: pipeline.id,
                    ref_name: rows.ref_name.clone(),
                    job: row.name.clone(),
                    words: format!("{} {change}: {}", it.alert, it.words),
                });
            }
        }
    }

    /// Prints the jobs, the worst first, and the crossings in order.
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
            let job = named(&crossing.job, &crossing.ref_name, with_ref);
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
        named(&job.name, &rows.ref_name, with_ref),
    ]
}

fn named(job: &str, ref_name: &str, with_ref: bool) -> String {
    if with_ref {
        printable(&format!("{job} ({ref_name})"))
    } else {
        printable(job)
    }
}
