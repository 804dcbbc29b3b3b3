//! What is in a state directory: the folders of projects with their documents, the attic, and what is somebody else's.

use std::io;
use std::path::{Path, PathBuf};

use super::files::{self, Entry};
use super::layout::{ATTIC, LOCK_FILE, PROJECT_FILE, REMEDIATION, SIGHTS_FILE, project_of_folder};

const DOCUMENT_SUFFIX: &str = ".json";

/// Made by the file system itself.
const LOST_AND_FOUND: &str = "lost+found";

/// Names that a warning repeats.
const NAMED: usize = 5;

/// What a state directory holds. Nothing in it is behind a link.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The folders of the projects.
    pub(super) projects: Vec<(u64, PathBuf)>,
    /// The attic, if there is one.
    attic: Option<PathBuf>,
    /// Links and files in the place of a folder of ours.
    misplaced: Vec<PathBuf>,
    /// Folders that are not ours.
    foreign: Vec<PathBuf>,
    /// Whether something else than ours is in it.
    is_shared: bool,
}

impl Contents {
    /// Lists a state directory.
    pub(super) fn of(root: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        for entry in files::entries(root)? {
            found.add(entry);
        }
        Ok(found)
    }

    fn add(&mut self, entry: Entry) {
        let project = project_of_folder(entry.name());
        let is_attic = entry.name() == ATTIC;
        match project {
            Some(id) if entry.is_folder() => self.projects.push((id, entry.path)),
            None if is_attic && entry.is_folder() => self.attic = Some(entry.path),
            None if !is_attic => {
                self.is_shared |= ![LOCK_FILE, REMEDIATION].contains(&entry.name());
                let is_usual = entry.name().starts_with('.') || entry.name() == LOST_AND_FOUND;
                if entry.is_folder() && !is_usual {
                    self.foreign.push(entry.path);
                }
            }
            _ => self.misplaced.push(entry.path),
        }
    }

    /// The folders of the projects in the attic.
    pub(super) fn in_attic(&self) -> io::Result<Vec<PathBuf>> {
        let Some(attic) = &self.attic else {
            return Ok(Vec::new());
        };
        let mut entries = files::entries(attic)?;
        entries.retain(|entry| entry.is_folder() && project_of_folder(entry.name()).is_some());
        Ok(entries.into_iter().map(|entry| entry.path).collect())
    }

    /// All folders of ours that can be listed, but for the state directory itself.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let mut folders = self.in_attic().unwrap_or_default();
        folders.extend(self.projects.iter().map(|(_, folder)| folder.clone()));
        folders.extend(self.attic.clone());
        folders
    }

    /// Whether something else than ours is in the state directory.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Warns of what is left alone.
    pub(super) fn warn(&self, root: &Path) {
        let root = root.display();
        if !self.misplaced.is_empty() {
            tracing::warn!(
                "in the state directory {root} a link or a file is in the place of a folder of the exporter: {}. \
                 Links are not followed, and what is behind them is neither read nor changed: put the folder there \
                 instead, or remove the link",
                names(&self.misplaced)
            );
        }
        if !self.foreign.is_empty() {
            tracing::warn!(
                "in the state directory {root} are folders that are not named by the id of a project: {}. They are \
                 left alone; give the exporter a directory of its own",
                names(&self.foreign)
            );
        }
    }
}

/// The documents in the folder of a project.
pub(super) fn documents(folder: &Path) -> io::Result<Vec<PathBuf>> {
    files_in(folder, |name| {
        let is_timeline = name.ends_with(DOCUMENT_SUFFIX) && !name.starts_with('.');
        is_timeline || [PROJECT_FILE, SIGHTS_FILE].contains(&name)
    })
}

/// What is no folder in a folder, and has a wanted name: files, links, pipes.
pub(super) fn files_in(folder: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let entries = files::entries(folder)?.into_iter();
    let files = entries.filter(|entry| !entry.is_folder() && wanted(entry.name()));
    Ok(files.map(|entry| entry.path).collect())
}

fn names(paths: &[PathBuf]) -> String {
    let named = paths.iter().take(NAMED);
    let named: Vec<_> = named.map(|path| path.display().to_string()).collect();
    let more = paths.len().saturating_sub(NAMED);
    let named = named.join(", ");
    if more == 0 {
        named
    } else {
        format!("{named} and {more} more")
    }
}
