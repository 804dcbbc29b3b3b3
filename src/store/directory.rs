//! Documents in a directory of the local disk.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ci_history::{Shard, TimelineKey};

use super::attic::AtticName;
use super::checksum::named_checksum;
use super::contents::{self, Contents};
use super::envelope::{self, seal};
use super::files::{self, Owner, sync};
use super::layout::{LOCK_FILE, document_path};
use super::outcome::{Loaded, Quarantined, ReadError};
use super::packed;
use crate::base::compress::Compress;
use crate::base::parallel::in_parallel;

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
    compress: Compress,
    /// Held while folders are created, so that no document is called saved in a folder that is not yet safely on disk.
    creating: Mutex<()>,
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
            compress: Compress::default(),
            creating: Mutex::new(()),
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

    /// Which documents are compressed.
    #[must_use]
    pub fn compressing(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }

    /// Removes leftovers, and takes the permissions of other users from everything that an exporter writes. From the
    /// state directory itself only if nothing else is in it.
    fn tidy(&self) {
        // Reading the documents tells what cannot be read.
        let Ok(found) = Contents::of(&self.root) else {
            return;
        };
        found.warn(&self.root);
        in_parallel(&found.folders(), |folder| tidy_folder(folder));
        if !found.is_shared() {
            files::tighten(&self.root);
        }
    }

    /// Reads the documents of a shard. One that cannot be read is moved aside, never deleted, and the others go on.
    /// Where one is of a newer version, nothing is moved.
    pub fn load_shard(&self, shard: Shard) -> Loaded {
        let instance = self.instance.as_deref();
        let loaded = read_all(&self.root, shard, instance, |path| quarantine(path).ok());
        loaded.saved_again_unless(self.compress)
    }

    /// Replaces a timeline's document; the former one stays whole until the new one is safely on disk.
    pub fn save(&self, key: &TimelineKey, text: &[u8]) -> Result<(), SaveError> {
        self.save_text(key, text.to_vec()).map(drop)
    }

    /// Returns the checksum of the document.
    pub(super) fn save_text(
        &self,
        key: &TimelineKey,
        text: Vec<u8>,
    ) -> Result<Option<u32>, SaveError> {
        let text = seal(text, self.instance.as_deref());
        let name = document_path(key);
        files::refuse_too_long(&text).map_err(|source| SaveError {
            path: self.root.join(&name),
            action: "writing",
            source,
        })?;
        let checksum = named_checksum(&text);
        self.write(&name, &packed::pack(text, self.compress))?;
        Ok(checksum)
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
        let _alone = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !folder.exists();
        self.owner.create_folder(folder)?;
        if is_new { sync(parent) } else { Ok(()) }
    }

    /// A file; `None` if there is none.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.root.join(name);
        files::refuse_links(&self.root, &path)?;
        match files::read(&path) {
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
        files::refuse_links(&self.root, &from).map_err(failed("finding it"))?;
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
    pub(super) fn attic(&self) -> io::Result<Vec<AtticName>> {
        let mut names = Vec::new();
        for folder in Contents::of(&self.root)?.in_attic()? {
            for path in contents::files_in(&folder, |_| true)? {
                let name = path.strip_prefix(&self.root).ok();
                names.extend(name.and_then(|name| AtticName::parse(name.to_str()?)));
            }
        }
        Ok(names)
    }

    /// Removes a file, if there is one.
    pub(super) fn remove(&self, name: &str) -> Result<(), SaveError> {
        let path = self.root.join(name);
        let removed = files::refuse_links(&self.root, &path).and_then(|()| fs::remove_file(&path));
        match removed {
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
    let paths = documents(root, shard, &mut loaded);
    let read = in_parallel(&paths, |path| read_document(root, path, instance));
    for (path, opened) in paths.into_iter().zip(read) {
        match opened {
            Ok(opened) => loaded.push(opened),
            Err(error) => leave(&mut loaded, path, error),
        }
    }
    if !loaded.quarantined.iter().any(Quarantined::is_refused) {
        for aside in &mut loaded.quarantined {
            aside.moved_to = move_aside(&aside.path);
        }
    }
    loaded
}

/// The documents of a shard, in the order of their paths. What cannot be listed is told.
fn documents(root: &Path, shard: Shard, loaded: &mut Loaded) -> Vec<PathBuf> {
    let found = Contents::of(root).unwrap_or_else(|error| {
        leave(loaded, root.to_owned(), error.into());
        Contents::default()
    });
    let mut folders = found.projects;
    // The folder of another shard is for that one to read.
    folders.retain(|(id, _)| shard.owns(*id));
    let listed = in_parallel(&folders, |(_, folder)| contents::documents(folder));
    let mut documents = Vec::new();
    for ((_, folder), found) in folders.into_iter().zip(listed) {
        match found {
            Ok(found) => documents.extend(found),
            Err(error) => leave(loaded, folder, error.into()),
        }
    }
    documents
}

/// Removes leftovers in a folder of ours, and takes its permissions from other users.
fn tidy_folder(folder: &Path) {
    for file in contents::files_in(folder, |_| true).unwrap_or_default() {
        let name = file.file_name().and_then(|name| name.to_str());
        if name.is_some_and(files::is_temporary) {
            let _ = fs::remove_file(file);
        } else {
            files::tighten(&file);
        }
    }
    files::tighten(folder);
}

fn leave(loaded: &mut Loaded, path: PathBuf, error: ReadError) {
    loaded.quarantined.push(Quarantined {
        path,
        moved_to: None,
        error,
    });
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
        if is_free(&target)? {
            fs::rename(path, &target)?;
            return Ok(target);
        }
    }
    Err(io::Error::other("no free name"))
}

/// Whether nothing is there, not even a link to nothing.
fn is_free(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}
