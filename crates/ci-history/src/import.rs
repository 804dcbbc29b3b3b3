//! Histories from documents of version 2, which know attempts and commits but no pipelines.

use std::sync::Arc;

use arcstr::ArcStr;

use super::baseline::{Baseline, Imported, ImportedWindow, StreakStart};
use super::history::History;
use super::timeline::Timeline;
use super::{Outcome, Rules};

impl Timeline {
    /// Starts a job's history from imported entries (attempt, failing, commit), oldest first.
    ///
    /// `consecutive_failures` is the streak after the last entry. All entries lie before the end of the
    /// pipeline `up_to`.
    pub fn import_job(
        &mut self,
        name: Arc<str>,
        up_to: u64,
        consecutive_failures: u64,
        entries: Vec<(Option<u64>, bool, Option<ArcStr>)>,
        rules: &Rules,
    ) {
        let imported: Vec<Imported> = entries
            .into_iter()
            .map(|(id, failing, commit)| Imported {
                id,
                failing,
                commit,
            })
            .collect();
        let mut passes = imported.iter().rev().filter(|entry| !entry.failing);
        let streak = imported.iter().rev().take_while(|entry| entry.failing);
        let start = StreakStart {
            commit: streak.last().and_then(|entry| entry.commit.clone()),
            ..StreakStart::default()
        };
        let baseline = Baseline {
            settled_through: up_to,
            idle_settled_through: up_to,
            streak: consecutive_failures,
            streak_start: start.boxed(),
            last_passing_commit: passes.find_map(|entry| entry.commit.clone()),
            ..Baseline::default()
        };
        let history = &mut self.jobs.entry(name).or_default().history;
        history.baseline = baseline;
        let length = Some(imported.len()).filter(|length| *length > rules.window);
        let imported = ImportedWindow {
            entries: imported,
            length: length.unwrap_or(0),
        };
        history.imported = imported.boxed();
    }

    /// Turns all histories into imported ones, so that the newest pipeline can be counted once more.
    ///
    /// Reproduces datadog-agent's task, which counts a pipeline again when it runs twice for it.
    pub fn reopen_newest_pipeline(&mut self, rules: &Rules) {
        let before_newest = self.newest_finished.saturating_sub(1);
        for job in self.jobs.values_mut() {
            job.history.freeze(before_newest, rules);
        }
        self.pipelines.freeze(before_newest, rules);
    }
}

impl History {
    /// Turns the kept executions into imported ones, settled through the pipeline `through`.
    fn freeze(&mut self, through: u64, rules: &Rules) {
        let entries: Vec<Imported> = self
            .window_candidates(rules)
            .map(|(execution, outcome)| {
                let failed = execution
                    .deciding(rules)
                    .filter(|_| outcome == Outcome::Failed);
                Imported {
                    id: failed.map(|attempt| attempt.id),
                    failing: outcome == Outcome::Failed,
                    commit: failed.map(|_| execution.commit.clone()),
                }
            })
            .collect();
        for execution in std::mem::take(&mut self.kept) {
            self.baseline.tally(&execution, rules);
            if let Some(outcome) = execution.outcome(rules).filter(|o| o.enters_window()) {
                self.baseline.settle(&execution, outcome, rules);
            }
        }
        self.baseline.settled_through = through;
        self.baseline.idle_settled_through = through;
        let mut imported = self.imported.take().unwrap_or_default();
        imported.entries.extend(entries);
        self.imported = imported.boxed();
        self.trim_imported(self.window(rules));
    }
}
