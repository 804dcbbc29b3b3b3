//! Documents in a directory of the local disk.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ci_history::{Shard, TimelineKey};

use super::attic::AtticName;
use super::envelope::{self, seal};
use super::files::{self, Owner, sync};
use super::layout::{ATTIC, PROJECT_FILE, REMEDIATION, document_path};
use super::outcome::{Loaded, Quarantined, ReadError};

const LOCK_FILE: &str = ".lock";
const DOCUMENT_SUFFIX: &str = ".json";

/// The state directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the state directory {directory} is in use by {holder}: stop that process, or choose another \
         directory with --store.directory",
        directory = .directory.display()
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// The process in the lock file.
        holder: String,
    },
    /// It does not exist.
    #[error(
        "there is no state directory {directory}: nothing was saved there yet, or it is another one, which \
         --config.file or --store.directory says",
        directory = .directory.display()
    )]
    Missing {
        /// The directory.
        directory: PathBuf,
    },
    /// It exists and cannot be read.
    #[error(
        "cannot read the state directory {directory}: {source}",
        directory = .directory.display()
    )]
    Unreadable {
        /// The directory.
        directory: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Something about the directory failed.
    #[error(
        "cannot use the state directory {directory}: {action}: {source}; it must be writable, or \
         another one chosen with --store.directory",
        directory = .directory.display()
    )]
    Io {
        /// The directory.
        directory: PathBuf,
        /// The step that failed.
        action: &'static str,
        /// The error of the system.
        source: io::Error,
    },
}

/// A document could not be saved. The one saved before is still whole.
#[derive(Debug, thiserror::Error)]
#[error("cannot save {path}: {action}: {source}", path = .path.display())]
pub struct SaveError {
    path: PathBuf,
    action: &'static str,
    source: io::Error,
}

/// A state directory, locked against other processes as long as this lives.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    owner: Owner,
    /// The GitLab of the documents, if it is known.
    instance: Option<Arc<str>>,
    _lock: File,
}

impl Directory {
    /// Creates the directory where it is missing, locks it, and removes the leftovers of an interrupted save.
    pub fn open(root: &Path) -> Result<Self, OpenError> {
        let failed = |action| {
            move |source| OpenError::Io {
                directory: root.to_owned(),
                action,
                source,
            }
        };
        files::create_root(root).map_err(failed("creating it"))?;
        let owner = Owner::of(root).map_err(failed("reading its owner"))?;
        let lock = files::open_lock(&root.join(LOCK_FILE));
        let mut lock = lock.map_err(failed("opening its file `.lock`"))?;
        owner
            .take(&lock)
            .map_err(failed("giving its lock file to its owner"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                let holder = holder.trim();
                return Err(OpenError::Locked {
                    directory: root.to_owned(),
                    holder: if holder.is_empty() {
                        "another process".to_owned()
                    } else {
                        format!("process {holder}")
                    },
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed("locking it")(source)),
        }
        write_holder(&mut lock).map_err(failed("writing its lock file"))?;
        let directory = Self {
            root: root.to_owned(),
            owner,
            instance: None,
            _lock: lock,
        };
        directory.tidy();
        Ok(directory)
    }

    /// The documents are of this GitLab.
    #[must_use]
    pub fn of_instance(mut self, instance: Option<String>) -> Self {
        self.instance = instance.map(Arc::from);
        self
    }

    /// Removes leftovers, and takes the permissions of other users from everything that an exporter writes. From the
    /// state directory itself only if nothing else is in it.
    fn tidy(&self) {
        for folder in project_folders(&self.root) {
            for leftover in files::files_in(&folder, files::is_temporary) {
                let _ = fs::remove_file(leftover);
            }
            for file in files::files_in(&folder, |_| true) {
                files::tighten(&file);
            }
            files::tighten(&folder);
        }
        let is_ours = |path: PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| {
                [LOCK_FILE, ATTIC, REMEDIATION].contains(&name)
                    || name.bytes().all(|it| it.is_ascii_digit())
            })
        };
        if files::entries(&self.root).all(is_ours) {
            files::tighten(&self.root);
        }
    }

    /// Reads the documents of a shard. One that cannot be read is moved aside, never deleted, and the others go on.
    /// Where one is of a newer version, nothing is moved.
    pub fn load_shard(&self, shard: Shard) -> Loaded {
        read_all(&self.root, shard, self.instance.as_deref(), |path| {
            quarantine(path).ok()
        })
    }

    /// Replaces a timeline's document; the former one stays whole until the new one is safely on disk.
    pub fn save(&self, key: &TimelineKey, text: &[u8]) -> Result<(), SaveError> {
        let text = seal(text.to_vec(), self.instance.as_deref());
        self.write(&document_path(key), &text)
    }

    /// The GitLab of the documents, if it is known.
    pub(super) fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    pub(super) fn write(&self, name: &str, text: &[u8]) -> Result<(), SaveError> {
        let path = &self.root.join(name);
        let failed = |action| {
            move |source| SaveError {
                path: path.to_owned(),
                action,
                source,
            }
        };
        let folder = path.parent().unwrap_or(&self.root);
        self.create_folder(folder)
            .map_err(failed("creating its folder"))?;
        let temp = self.owner.write_temporary(folder, text);
        let temp = temp.map_err(|(action, source)| failed(action)(source))?;
        temp.persist(path)
            .map_err(|error| failed("renaming into place")(error.error))?;
        sync(folder).map_err(failed("syncing its folder"))
    }

    /// Creates a folder below the state directory, and those between.
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root {
            return Ok(());
        }
        let parent = folder.parent().unwrap_or(&self.root);
        self.create_folder(parent)?;
        let is_new = !folder.exists();
        self.owner.create_folder(folder)?;
        if is_new { sync(parent) } else { Ok(()) }
    }

    /// A file; `None` if there is none.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match files::read(&self.root.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// Moves a document into the attic, if there is one.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), SaveError> {
        let (from, to) = (self.root.join(from), self.root.join(to));
        let failed = |action| {
            let path = from.clone();
            move |source| SaveError {
                path,
                action,
                source,
            }
        };
        let folder = to.parent().unwrap_or(&self.root);
        self.create_folder(folder)
            .map_err(failed("creating the attic"))?;
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("moving it into the attic")(error)),
            Ok(()) => sync(folder).map_err(failed("syncing the attic")),
        }
    }

    /// Copies a document into the attic, if there is one.
    pub(super) fn copy(&self, from: &str, to: &str) -> Result<(), SaveError> {
        let text = self.read(from).map_err(|source| SaveError {
            path: self.root.join(from),
            action: "reading it",
            source,
        })?;
        text.map_or(Ok(()), |text| self.write(to, &text))
    }

    /// The documents in the attic.
    pub(super) fn attic(&self) -> Vec<AtticName> {
        let folders = files::folders_in(&self.root.join(ATTIC)).into_iter();
        let paths = folders.flat_map(|folder| files::files_in(&folder, |_| true));
        let name = |path: PathBuf| {
            let name = path.strip_prefix(&self.root).ok()?;
            AtticName::parse(name.to_str()?)
        };
        paths.filter_map(name).collect()
    }

    /// Removes a file, if there is one.
    pub(super) fn remove(&self, name: &str) -> Result<(), SaveError> {
        let path = self.root.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(SaveError {
                path,
                action: "removing",
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Reads all documents of a directory that may be in use, and changes nothing. What cannot be read is
    /// told and stays where it is.
    pub fn look(root: &Path) -> Result<Loaded, OpenError> {
        let directory = || root.to_owned();
        fs::read_dir(root).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => OpenError::Missing {
                directory: directory(),
            },
            _ => OpenError::Unreadable {
                directory: directory(),
                source,
            },
        })?;
        Ok(read_all(root, Shard::WHOLE, None, |_| None))
    }
}

/// Reads the documents of a shard below a directory; `move_aside` moves one that cannot be read.
fn read_all(
    root: &Path,
    shard: Shard,
    instance: Option<&str>,
    move_aside: impl Fn(&Path) -> Option<PathBuf>,
) -> Loaded {
    let mut loaded = Loaded::default();
    for path in document_files(root) {
        // A folder that is no project's is for nobody to leave out.
        if project_of(&path).is_some_and(|id| !shard.owns(id)) {
            continue;
        }
        match read_document(root, &path, instance) {
            Ok(opened) => loaded.push(opened),
            Err(error) => loaded.quarantined.push(Quarantined {
                path,
                moved_to: None,
                error,
            }),
        }
    }
    if !loaded.quarantined.iter().any(Quarantined::is_refused) {
        for aside in &mut loaded.quarantined {
            aside.moved_to = move_aside(&aside.path);
        }
    }
    loaded
}

fn read_document(
    root: &Path,
    path: &Path,
    instance: Option<&str>,
) -> Result<envelope::Opened, ReadError> {
    let text = files::read(path)?;
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
    Ok(envelope::open(&text, &name, instance)?)
}

/// The documents, in the order of their paths.
fn document_files(root: &Path) -> Vec<PathBuf> {
    let folders = files::folders_in(root).into_iter();
    let folders = folders.filter(|folder| !folder.ends_with(ATTIC));
    folders
        .flat_map(|folder| {
            files::files_in(&folder, |name| {
                let is_timeline = name.ends_with(DOCUMENT_SUFFIX) && !name.starts_with('.');
                is_timeline || name == PROJECT_FILE
            })
        })
        .collect()
}

/// The folders of the projects, and those of the attic.
fn project_folders(root: &Path) -> Vec<PathBuf> {
    let mut folders = files::folders_in(root);
    folders.extend(files::folders_in(&root.join(ATTIC)));
    folders.retain(|folder| {
        let name = folder.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name == ATTIC || name.bytes().all(|it| it.is_ascii_digit()))
    });
    folders
}

/// The project of a document, by the folder it is in.
fn project_of(path: &Path) -> Option<u64> {
    path.parent()?.file_name()?.to_str()?.parse().ok()
}

fn write_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

/// Gives an unreadable document a name that is not loaded and not taken.
fn quarantine(path: &Path) -> io::Result<PathBuf> {
    for number in 1.. {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".broken-{number}"));
        let target = PathBuf::from(name);
        if !target.try_exists()? {
            fs::rename(path, &target)?;
            return Ok(target);
        }
    }
    Err(io::Error::other("no free name"))
}
