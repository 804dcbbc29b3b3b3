//! Compares metrics and documents with the truth of the simulated GitLab.

use std::path::{Path, PathBuf};

use ci_history::{Outcome, Rules, Shard, Timeline};
use gitlab_simulator::Handle;
use gitlab_simulator::truth::JobTruth;

use testkit::truth;

use super::{Chaos, FAULT_SHARE};

impl Chaos {
    /// Waits until all metrics are true, then compares every document.
    pub(crate) async fn compare_all(&mut self) {
        self.gitlab.faults(|faults| faults.probability = 0.0);
        let truths = self.gitlab.truth();
        for exporter in &self.exporters {
            let own = own(&self.gitlab, &truths, exporter.shard);
            let found = exporter.becomes_true(&own).await;
            self.report.wrong_series += found;
        }
        self.count_forged().await;
        for which in 0..self.exporters.len() {
            if self.exporters[which].on_disk {
                let saved = self.check_directory(which);
                let own = own(&self.gitlab, &truths, self.exporters[which].shard);
                self.compare(&saved, &own);
            }
        }
        let saved = self.check_bucket().await;
        self.compare(&saved, &truths);
        self.gitlab
            .faults(|faults| faults.probability = FAULT_SHARE);
    }

    /// Reads the documents of an exporter's directory. None may be broken or older than before.
    pub(crate) fn check_directory(&mut self, which: usize) -> Vec<Timeline> {
        let exporter = &mut self.exporters[which];
        let mut timelines = Vec::new();
        for project in entries(&exporter.place.state()) {
            for document in entries(&project) {
                let name = document.to_string_lossy().into_owned();
                // Temporary files of interrupted saves stay until the next start.
                if is_document(&name) {
                    let text = std::fs::read(&document).unwrap();
                    timelines.extend(self.report.read(&name, &text));
                } else if name.contains(".broken") {
                    println!("{}: {name}", exporter.name);
                    self.report.broken += 1;
                }
            }
        }
        for timeline in &timelines {
            let key = (timeline.key.project_id, timeline.key.ref_name.to_string());
            let newest = timeline.newest_finished();
            let known = exporter.saved.insert(key, newest).unwrap_or(0);
            if newest < known {
                println!("{}: {:?} is older than before", exporter.name, timeline.key);
                self.report.losses += 1;
            }
        }
        timelines
    }

    async fn check_bucket(&mut self) -> Vec<Timeline> {
        let mut timelines = Vec::new();
        for key in self.bucket.keys().await {
            if key.contains(".broken") {
                println!("bucket: {key}");
                self.report.broken += 1;
            } else if is_document(&key) && !key.contains("probe") {
                let text = self.bucket.get(&key).await.unwrap();
                timelines.extend(self.report.read(&key, &text));
            }
        }
        timelines
    }

    /// Compares the counters and windows of documents with the truth.
    fn compare(&mut self, saved: &[Timeline], truths: &[JobTruth]) {
        self.count_forged_in(saved);
        let rules = Rules::default();
        for job in truths {
            let name = format!("{} {}", job.project, job.job_name);
            let timeline = saved.iter().find(|it| *it.project == *job.project);
            let row = timeline.and_then(|timeline| timeline.row(&job.job_name, &rules));
            let (retries, passed) = truth::counters(&self.gitlab, job);
            let Some(row) = row else {
                self.report.losses += job.window.len() as u64;
                continue;
            };
            let figures = row.figures;
            // For jobs of child pipelines the truth has windows, but no counters.
            if !job.job_name.contains(" / ") {
                let found = figures.executions.get(Outcome::Passed);
                self.report.count(&format!("{name}: passed"), found, passed);
                self.report
                    .count(&format!("{name}: retries"), figures.retries, retries);
            }
            let (found, wanted) = (figures.window.len() as u64, job.window.len() as u64);
            self.report.count(&format!("{name}: window"), found, wanted);
        }
    }
}

/// The truths of a shard's projects.
fn own(gitlab: &Handle, truths: &[JobTruth], shard: Shard) -> Vec<JobTruth> {
    let id = |job: &JobTruth| gitlab.with(|world| world.project_by_path(&job.project).unwrap().id);
    let own = truths.iter().filter(|job| shard.owns(id(job)));
    own.cloned().collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

fn is_document(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending == "json")
}
