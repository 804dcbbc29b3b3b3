//! Webhooks that lie, made of true ones, by somebody who knows the secrets.

use ci_history::Timeline;
use fastrand::Rng;
use gitlab_simulator::Hook;
use serde_json::{Value, json};

use super::Chaos;

/// Every invented name begins so.
const MARK: &str = "forged-";

/// Above every id that the simulated GitLab gives.
const INVENTED_IDS: u64 = 900_000_000;

/// True webhooks that are remembered.
const REMEMBERED: usize = 64;

/// Makes lies of what it has seen.
#[derive(Default)]
pub(crate) struct Forger {
    seen: Vec<Hook>,
    invented: u64,
}

impl Forger {
    pub(crate) fn remember(&mut self, hook: &Hook, random: &mut Rng) {
        if self.seen.len() < REMEMBERED {
            self.seen.push(hook.clone());
        } else {
            let place = random.usize(..self.seen.len());
            self.seen[place] = hook.clone();
        }
    }

    /// A lie, or an old truth.
    pub(crate) fn forge(&mut self, random: &mut Rng) -> Option<Hook> {
        let known = random.choice(&self.seen)?;
        let (event, mut body) = (known.event, known.body.clone());
        match random.u32(..6) {
            0 => {}
            1 => self.invent_project(&mut body),
            _ if body["object_kind"] == "build" => self.lie_about_job(&mut body, random),
            _ => self.lie_about_pipeline(&mut body, random),
        }
        Some(Hook { event, body })
    }

    fn invented_id(&mut self) -> u64 {
        self.invented += 1;
        INVENTED_IDS + self.invented
    }

    fn invent_project(&mut self, body: &mut Value) {
        let id = self.invented_id();
        body["project_id"] = json!(id);
        body["project"] = json!({"id": id, "path_with_namespace": format!("{MARK}{id}")});
    }

    fn lie_about_job(&mut self, body: &mut Value, random: &mut Rng) {
        body["build_status"] = json!(a_status(random));
        if random.bool() {
            body["build_id"] = json!(self.invented_id());
        }
        if random.bool() {
            body["build_name"] = json!(format!("{MARK}{}", self.invented_id()));
        }
        if random.u32(..4) == 0 {
            body["pipeline_id"] = json!(self.invented_id());
        }
    }

    fn lie_about_pipeline(&mut self, body: &mut Value, random: &mut Rng) {
        let status = a_status(random);
        body["object_attributes"]["status"] = json!(status);
        if random.u32(..4) == 0 {
            body["object_attributes"]["id"] = json!(self.invented_id());
        }
        for build in body["builds"].as_array_mut().into_iter().flatten() {
            build["status"] = json!(status);
        }
        let id = self.invented_id();
        let name = format!("{MARK}{id}");
        if let Some(builds) = body["builds"].as_array_mut() {
            builds.push(json!({"id": id, "name": name, "stage": "test", "status": status}));
        }
    }
}

fn a_status(random: &mut Rng) -> &'static str {
    let all = [
        "success", "failed", "canceled", "running", "pending", "created",
    ];
    random.choice(all).unwrap_or("success")
}

impl Chaos {
    /// Counts what was forged and is served. The documents are counted when they are compared.
    pub(crate) async fn count_forged(&mut self) {
        for exporter in &self.exporters {
            let Some(daemon) = &exporter.running else {
                continue;
            };
            for page in ["/metrics", "/", "/api/v1/jobs"] {
                let (_, text) = daemon.get(page).await;
                let lines = text.lines().filter(|line| line.contains(MARK));
                let found = lines.count();
                if found > 0 {
                    println!("{}: {found} forged lines on {page}", exporter.name);
                }
                self.report.forged += found;
            }
        }
    }

    /// Counts what was forged and is saved, and what was taken for forged and is not.
    pub(crate) fn count_forged_in(&mut self, saved: &[Timeline]) {
        for timeline in saved {
            for (name, job) in &timeline.jobs {
                let attempts = job.history.kept.iter().flat_map(|it| &it.attempts);
                let invented = attempts.clone().filter(|it| it.id > INVENTED_IDS).count();
                let forged = invented + usize::from(name.starts_with(MARK));
                let withdrawn = attempts.filter(|it| it.withdrawals > 0).count();
                if forged + withdrawn > 0 {
                    println!(
                        "{} {name}: {forged} forged, {withdrawn} withdrawn",
                        timeline.project
                    );
                }
                self.report.forged += forged;
                self.report.losses += withdrawn as u64;
            }
        }
    }
}
