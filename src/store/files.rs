//! Files of the state directory: private, never behind a link, and with the owner of the directory.

use std::fs::{self, DirBuilder, File, FileType, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown,
};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// A temporary file is named `.job-failure-exporter-XXXXXX.tmp`.
const TEMP_PREFIX: &str = ".job-failure-exporter-";
const TEMP_SUFFIX: &str = ".tmp";

/// The longest document, in bytes (256 MiB). A longer file is none of ours: it is neither written nor read.
pub(super) const LONGEST: usize = 256 << 20;

const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// The permissions of group and others.
const OF_OTHERS: u32 = 0o077;

/// Who owns what is written: the owner of the state directory, where root writes into the directory of another user.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner(Option<(u32, u32)>);

impl Owner {
    pub(super) fn of(root: &Path) -> io::Result<Self> {
        let found = fs::metadata(root)?;
        let is_foreign = geteuid().is_root() && found.uid() != 0;
        Ok(Self(is_foreign.then(|| (found.uid(), found.gid()))))
    }

    pub(super) fn take(self, file: &File) -> io::Result<()> {
        self.0
            .map_or(Ok(()), |(uid, gid)| fchown(file, Some(uid), Some(gid)))
    }

    /// Creates a folder below the state directory, if it is missing.
    pub(super) fn create_folder(self, folder: &Path) -> io::Result<()> {
        match fs::symlink_metadata(folder) {
            Ok(found) if found.is_dir() => return Ok(()),
            Ok(_) => {
                return Err(io::Error::other(
                    "it is no folder, and links are not followed",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        DirBuilder::new().mode(PRIVATE_FOLDER).create(folder)?;
        self.0
            .map_or(Ok(()), |(uid, gid)| lchown(folder, Some(uid), Some(gid)))
    }

    /// Writes a temporary file in a folder; it is gone unless it is renamed.
    pub(super) fn write_temporary(
        self,
        folder: &Path,
        text: &[u8],
    ) -> Result<tempfile::NamedTempFile, (&'static str, io::Error)> {
        let mut temp = tempfile::Builder::new()
            .prefix(TEMP_PREFIX)
            .suffix(TEMP_SUFFIX)
            .permissions(Permissions::from_mode(PRIVATE_FILE))
            .tempfile_in(folder)
            .map_err(|error| ("creating a temporary file beside it", error))?;
        self.take(temp.as_file())
            .map_err(|error| ("giving it to the owner of the directory", error))?;
        temp.write_all(text).map_err(|error| ("writing", error))?;
        temp.as_file()
            .sync_all()
            .map_err(|error| ("syncing", error))?;
        Ok(temp)
    }
}

/// Creates the state directory if it is missing; its parents with the usual permissions.
pub(super) fn create_root(root: &Path) -> io::Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    if root.exists() {
        let what = "it is a file, and a directory is wanted";
        return Err(io::Error::new(io::ErrorKind::NotADirectory, what));
    }
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(PRIVATE_FOLDER).create(root) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && root.is_dir() => Ok(()),
        created => created,
    }
}

/// Opens a file that is to be locked. Refuses a link, or a file with another name elsewhere: writing would change it.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE_FILE)
        .custom_flags(no_link())
        .open(path)
        .map_err(|error| if is_link(path) { refused_link() } else { error })?;
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() != 1 {
        return Err(refused_link());
    }
    make_private(&file, &found, PRIVATE_FILE);
    Ok(file)
}

/// Reads a regular file. One that is longer than any document is refused, without reading it.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_link())
        .open(path)
        .map_err(|error| {
            // A socket cannot be opened either.
            if is_other_than_file(path) {
                refused_link()
            } else {
                error
            }
        })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if found.len() > LONGEST as u64 {
        return Err(too_long());
    }
    let mut text = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
    // It may grow meanwhile, or be longer than the system says.
    file.take(LONGEST as u64 + 1).read_to_end(&mut text)?;
    refuse_too_long(&text)?;
    Ok(text)
}

/// Takes the permissions of group and others from a file or folder of ours. Nothing happens if it belongs to another
/// user, as a mounted volume may.
pub(super) fn tighten(path: &Path) {
    let Ok(found) = fs::symlink_metadata(path) else {
        return;
    };
    let mode = if found.is_dir() {
        PRIVATE_FOLDER
    } else {
        PRIVATE_FILE
    };
    let is_ours = found.is_dir() || found.is_file();
    if !is_ours || found.mode() & OF_OTHERS == 0 {
        return;
    }
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(no_link())
        .open(path);
    if let Ok(file) = opened {
        make_private(&file, &found, mode);
    }
}

fn make_private(file: &File, found: &Metadata, mode: u32) {
    if found.mode() & OF_OTHERS != 0
        && let Err(error) = file.set_permissions(Permissions::from_mode(mode))
    {
        tracing::debug!("permissions of the state stay as they are: {error}");
    }
}

/// Whether this is the name of a temporary file of ours.
pub(super) fn is_temporary(name: &str) -> bool {
    let random = name
        .strip_prefix(TEMP_PREFIX)
        .and_then(|name| name.strip_suffix(TEMP_SUFFIX));
    random.is_some_and(|it| it.len() == 6 && it.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Something in a folder.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    kind: FileType,
}

impl Entry {
    /// Empty if it is no text, and so no name of ours.
    pub(super) fn name(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.unwrap_or_default()
    }

    /// Whether it is a folder itself, and no link to one.
    pub(super) fn is_folder(&self) -> bool {
        self.kind.is_dir()
    }
}

/// What is in a folder, in the order of the names.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) => entries.push(Entry {
                path: entry.path(),
                kind,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// Whether the error says that the system did not let something be read, and so nothing about what is there.
pub(super) fn is_of_system(error: &io::Error) -> bool {
    // Those of this file are made with `io::Error::other`, which nobody else does.
    error.kind() != io::ErrorKind::Other
}

/// Refuses a path below the state directory on whose way is a link.
pub(super) fn refuse_links(root: &Path, path: &Path) -> io::Result<()> {
    let folders = path.ancestors().skip(1);
    let mut below = folders.take_while(|folder| *folder != root);
    if below.any(is_link) {
        return Err(refused_link());
    }
    Ok(())
}

pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

fn is_other_than_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| !found.is_file())
}

/// Refuses to write a document that would not be read again.
pub(super) fn refuse_too_long(text: &[u8]) -> io::Result<()> {
    if text.len() > LONGEST {
        return Err(too_long());
    }
    Ok(())
}

fn too_long() -> io::Error {
    io::Error::other(format!(
        "it is longer than {} MiB, which no document is",
        LONGEST >> 20
    ))
}

fn refused_link() -> io::Error {
    io::Error::other("it is a link or no regular file, and links are not followed: remove it")
}

/// Neither follow a link nor wait for the other end of a pipe.
fn no_link() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}
