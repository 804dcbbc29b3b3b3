//! What is to be written, and the folder of parts that lets an interrupted run go on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ci_history::{Rules, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::PastError;
use super::grid::Grid;
use super::openmetrics::{self, Written};
use super::part::{self, Part};
use super::retrace::{ProjectPast, Settings, TimelinePast};
use crate::config::Owners;

const VERSION: u32 = 1;
const PLAN: &str = "plan.json";
const PART: &str = "part";

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct PastOptions {
    /// The file to write.
    pub file: PathBuf,
    /// Time from one sample to the next, whole seconds.
    pub step: Duration,
    /// The last sample at the latest; `None` for now.
    pub until: Option<Timestamp>,
    /// Labels that Prometheus adds at a scrape.
    pub labels: Vec<(String, String)>,
}

/// What an interrupted run must have in common with the one that continues it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::daemon::backfill) struct Scope {
    /// Selection and counting rules, in words.
    pub(in crate::daemon::backfill) counting: String,
    /// How far back, in seconds.
    pub(in crate::daemon::backfill) since: u64,
    /// Whether saved histories are replaced.
    pub(in crate::daemon::backfill) rebuild: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanDocument {
    version: u32,
    scope: Scope,
    until: Option<i64>,
    grid: Grid,
}

/// A file to be written, and the parts that exist of it.
#[derive(Debug)]
pub(in crate::daemon::backfill) struct Plan {
    options: PastOptions,
    folder: PathBuf,
    settings: Arc<Settings>,
}

impl Plan {
    /// Begins, or goes on where a run with the same options was interrupted. `reach`: from when on and until when
    /// samples are written, if the options do not say.
    pub(in crate::daemon::backfill) fn begin(
        options: PastOptions,
        scope: Scope,
        (from, now): (Timestamp, Timestamp),
        (rules, owners, retention): (Rules, Owners, Duration),
    ) -> Result<Self, PastError> {
        openmetrics::must_not_exist(&options.file)?;
        let mut folder = options.file.clone().into_os_string();
        folder.push(".parts");
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder).map_err(PastError::at("create", &folder))?;
        let mut wanted = PlanDocument {
            version: VERSION,
            scope,
            until: options.until.map(Timestamp::unix),
            grid: Grid {
                step: i64::try_from(options.step.as_secs())
                    .unwrap_or(i64::MAX)
                    .max(1),
                from: from.unix(),
                until: options.until.unwrap_or(now).unix(),
            },
        };
        match read(&folder) {
            Some(found) if is_continued(&found, &wanted) => {
                tracing::info!(folder = %folder.display(), "going on with the parts of an earlier run");
                wanted.grid = found.grid;
            }
            _ => {
                remove_parts(&folder)?;
                write(&folder, &wanted)?;
            }
        }
        Ok(Self {
            settings: Arc::new(Settings {
                grid: wanted.grid,
                rules,
                owners,
                retention,
            }),
            options,
            folder,
        })
    }

    /// A project whose pipelines are going to be read.
    pub(in crate::daemon::backfill) fn project(&self) -> ProjectPast {
        ProjectPast::new(self.settings.clone())
    }

    /// Whether an earlier run has read a project.
    pub(in crate::daemon::backfill) fn has(&self, project: u64) -> bool {
        self.part(project).exists()
    }

    /// Saves the past of a project.
    pub(in crate::daemon::backfill) fn save<'a>(
        &self,
        project: u64,
        timelines: impl Iterator<Item = &'a TimelinePast>,
    ) -> Result<(), PastError> {
        part::write(&self.part(project), self.settings.grid, timelines)
    }

    /// Writes the file from the parts of these projects and removes the parts. `None` if `is_stopped` said so.
    pub(in crate::daemon::backfill) fn write(
        &self,
        projects: impl Iterator<Item = u64>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Written>, PastError> {
        let parts: Vec<Part> = projects
            .map(|project| Part::open(self.part(project)))
            .collect::<Result<_, _>>()?;
        let PastOptions { file, labels, .. } = &self.options;
        let written = openmetrics::write(file, &parts, self.settings.grid, labels, is_stopped)?;
        if written.is_some() {
            remove_parts(&self.folder)?;
            let removed = fs::remove_dir(&self.folder);
            removed.map_err(PastError::at("remove", &self.folder))?;
        }
        Ok(written)
    }

    fn part(&self, project: u64) -> PathBuf {
        self.folder.join(format!("{project}.{PART}"))
    }
}

fn read(folder: &Path) -> Option<PlanDocument> {
    serde_json::from_slice(&fs::read(folder.join(PLAN)).ok()?).ok()
}

fn write(folder: &Path, plan: &PlanDocument) -> Result<(), PastError> {
    let path = folder.join(PLAN);
    let text = serde_json::to_vec(plan).map_err(io::Error::other);
    let written = text.and_then(|text| fs::write(&path, text));
    written.map_err(PastError::at("write", &path))
}

fn is_continued(found: &PlanDocument, wanted: &PlanDocument) -> bool {
    let choice =
        |plan: &PlanDocument| (plan.version, plan.scope.clone(), plan.until, plan.grid.step);
    choice(found) == choice(wanted)
}

/// Removes what this program wrote into the folder, and nothing else.
fn remove_parts(folder: &Path) -> Result<(), PastError> {
    let entries = fs::read_dir(folder).map_err(PastError::at("read", folder))?;
    for entry in entries {
        let path = entry.map_err(PastError::at("read", folder))?.path();
        let is_part = path.extension().is_some_and(|ending| ending == PART);
        if is_part || path.file_name().is_some_and(|name| name == PLAN) {
            fs::remove_file(&path).map_err(PastError::at("remove", &path))?;
        }
    }
    Ok(())
}
