//! Documents in a directory of the local disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use ci_history::{Shard, TimelineKey};

use super::document::decode;
use super::layout::document_path;
use super::outcome::{Loaded, Quarantined, ReadError};

const LOCK_FILE: &str = ".lock";
const TEMP_PREFIX: &str = ".tmp-";
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
        fs::create_dir_all(root).map_err(failed("creating it"))?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(root.join(LOCK_FILE))
            .map_err(failed("opening its lock file"))?;
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
            _lock: lock,
        };
        for leftover in files(root, |name| name.starts_with(TEMP_PREFIX)) {
            let _ = fs::remove_file(leftover);
        }
        Ok(directory)
    }

    /// Reads the documents of a shard. One that cannot be read is moved aside, never deleted, and the others go on.
    /// Where one is of a newer version, nothing is moved.
    pub fn load_shard(&self, shard: Shard) -> Loaded {
        read_all(&self.root, shard, |path| quarantine(path).ok())
    }

    /// Replaces a timeline's document; the former one stays whole until the new one is safely on disk.
    pub fn save(&self, key: &TimelineKey, text: &[u8]) -> Result<(), SaveError> {
        self.write(&document_path(key), text)
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
        if !folder.is_dir() {
            fs::create_dir_all(folder).map_err(failed("creating its folder"))?;
            sync(&self.root).map_err(failed("syncing the state directory"))?;
        }
        let mut temp = tempfile::Builder::new()
            .prefix(TEMP_PREFIX)
            .permissions(readable())
            .tempfile_in(folder)
            .map_err(failed("creating a temporary file beside it"))?;
        temp.write_all(text).map_err(failed("writing"))?;
        temp.as_file().sync_all().map_err(failed("syncing"))?;
        temp.persist(path)
            .map_err(|error| failed("renaming into place")(error.error))?;
        sync(folder).map_err(failed("syncing its folder"))
    }

    /// A file; `None` if there is none.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.root.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
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
        Ok(read_all(root, Shard::WHOLE, |_| None))
    }
}

/// Reads the documents of a shard below a directory; `move_aside` moves one that cannot be read.
fn read_all(root: &Path, shard: Shard, move_aside: impl Fn(&Path) -> Option<PathBuf>) -> Loaded {
    let mut loaded = Loaded::default();
    for path in files(root, |name| {
        name.ends_with(DOCUMENT_SUFFIX) && !name.starts_with('.')
    }) {
        // A folder that is no project's is for nobody to leave out.
        if project_of(&path).is_some_and(|id| !shard.owns(id)) {
            continue;
        }
        let read = fs::read(&path)
            .map_err(ReadError::from)
            .and_then(|text| Ok(decode(&text)?));
        match read {
            Ok(saved) => loaded.timelines.push(saved),
            Err(error) => loaded.quarantined.push(Quarantined {
                path,
                moved_to: None,
                error,
            }),
        }
    }
    if !loaded.quarantined.iter().any(Quarantined::is_newer) {
        for aside in &mut loaded.quarantined {
            aside.moved_to = move_aside(&aside.path);
        }
    }
    loaded
}

/// Files in the folders of the projects, in the order of their paths.
fn files(root: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let folders = entries(root).filter(|path| path.is_dir());
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| entries(&folder).collect::<Vec<_>>())
        .filter(|path| path.is_file())
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(&wanted)
        })
        .collect();
    files.sort();
    files
}

/// The project of a document, by the folder it is in.
fn project_of(path: &Path) -> Option<u64> {
    path.parent()?.file_name()?.to_str()?.parse().ok()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
}

fn write_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

/// A document is no secret: backups and the operator may read it.
fn readable() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
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
