//! Writes files into a directory without losing what somebody edited there.
//!
//! A list of digests beside the files tells an edited file from one that an earlier version or other options wrote.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use super::file::File;

/// Digests of the written files, by kind and path. It has no ending, so no program that reads `*.yml` or `*.json`
/// takes it for one of them.
const LIST: &str = ".job-failure-exporter-assets";

/// Digests by path, by kind.
type List = BTreeMap<String, BTreeMap<String, String>>;

/// A directory to write to.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    list: List,
}

/// What was done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did not exist.
    New,
    /// It was as an earlier run wrote it.
    Updated,
    /// It had been edited, and was overwritten by force.
    Overwritten,
    /// It had this content already.
    Unchanged,
}

/// What was done.
#[derive(Debug)]
pub struct Written {
    /// Every file with what was done.
    pub files: Vec<(PathBuf, Outcome)>,
    /// Files that an earlier version wrote and this one does not know.
    pub obsolete: Vec<PathBuf>,
}

impl Directory {
    /// Creates the directory if it is missing.
    ///
    /// # Errors
    ///
    /// It cannot be created or read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path)
            .with_context(|| format!("cannot create the directory {}", path.display()))?;
        let list = match read(&path.join(LIST))? {
            None => List::new(),
            Some(text) => serde_json::from_slice(&text).with_context(|| {
                let list = path.join(LIST);
                format!(
                    "{} is damaged; delete it, and use --force once",
                    list.display()
                )
            })?,
        };
        Ok(Self {
            path: path.to_owned(),
            list,
        })
    }

    /// Writes the files of each kind, by its name. Each file is complete at any time.
    ///
    /// # Errors
    ///
    /// Files were edited and `force` is not set: nothing is written then. Or a file cannot be written.
    pub fn write(
        mut self,
        kinds: &[(&str, Vec<File>)],
        whole: bool,
        force: bool,
    ) -> anyhow::Result<Written> {
        let mut plan = Vec::new();
        for (kind, files) in kinds {
            for file in files {
                plan.push((*kind, file, self.outcome(kind, file)?));
            }
        }
        let edited = plan
            .iter()
            .filter(|(_, _, outcome)| *outcome == Outcome::Overwritten);
        let edited: Vec<_> = edited
            .map(|(_, file, _)| self.path.join(&file.path))
            .collect();
        if !edited.is_empty() && !force {
            bail!(refusal(&edited));
        }
        let obsolete = if whole {
            self.obsolete(kinds)
        } else {
            Vec::new()
        };
        let mut files = Vec::new();
        for (kind, file, outcome) in plan {
            let path = self.path.join(&file.path);
            if outcome != Outcome::Unchanged {
                write(&path, file.text.as_bytes())?;
            }
            let of_kind = self.list.entry(kind.to_owned()).or_default();
            of_kind.insert(file.path.clone(), digest(file.text.as_bytes()));
            files.push((path, outcome));
        }
        let list = serde_json::to_string_pretty(&self.list)? + "\n";
        write(&self.path.join(LIST), list.as_bytes())?;
        Ok(Written { files, obsolete })
    }

    fn outcome(&self, kind: &str, file: &File) -> anyhow::Result<Outcome> {
        let Some(there) = read(&self.path.join(&file.path))? else {
            return Ok(Outcome::New);
        };
        if there == file.text.as_bytes() {
            return Ok(Outcome::Unchanged);
        }
        let written = self.list.get(kind).and_then(|files| files.get(&file.path));
        Ok(if written == Some(&digest(&there)) {
            Outcome::Updated
        } else {
            Outcome::Overwritten
        })
    }

    /// Forgets files that are gone.
    fn obsolete(&mut self, kinds: &[(&str, Vec<File>)]) -> Vec<PathBuf> {
        let mut obsolete = Vec::new();
        for (kind, files) in kinds {
            let Some(listed) = self.list.get_mut(*kind) else {
                continue;
            };
            listed.retain(|path, _| {
                let known = files.iter().any(|file| file.path == *path);
                let path = self.path.join(path);
                let exists = path.exists();
                if !known && exists {
                    obsolete.push(path);
                }
                known || exists
            });
        }
        obsolete
    }
}

fn refusal(edited: &[PathBuf]) -> String {
    let (what, were) = match edited.len() {
        1 => ("1 file".to_owned(), "was"),
        count => (format!("{count} files"), "were"),
    };
    let names: Vec<_> = edited
        .iter()
        .map(|path| format!("\n  {}", path.display()))
        .collect();
    format!(
        "{what} {were} edited or not written by this command, so nothing was written:{}\n\
         Give what you changed as options (--thresholds, --rule-label, ..), or keep it in a file of another name. \
         --force overwrites.",
        names.concat()
    )
}

fn digest(content: &[u8]) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(content) {
        // Writing into a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// `None` for a file that does not exist.
fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Writes a temporary file and renames it. A link stays one, and a file keeps its permissions.
fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let there = fs::metadata(&target).ok();
    let parent = target.parent().context("the path has no directory")?;
    let written = fs::create_dir_all(parent).and_then(|()| {
        // Servers that run as other users have to read it.
        let mode = there.map_or(fs::Permissions::from_mode(0o666), |it| it.permissions());
        let mut file = tempfile::Builder::new()
            .permissions(mode)
            .tempfile_in(parent)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(&target)?;
        Ok(())
    });
    written.with_context(|| format!("cannot write {}", path.display()))
}
