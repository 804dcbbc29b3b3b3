//! Files of the state directory: private, never behind a link, and with the owner of the directory.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
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

/// Reads a regular file.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(no_link())
        .open(path)
        .map_err(|error| if is_link(path) { refused_link() } else { error })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
    file.read_to_end(&mut text)?;
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

/// Regular files in a folder whose names are wanted. Links are left out.
pub(super) fn files_in(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = entries(folder)
        .filter(|path| !path.is_dir() || is_link(path))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(&wanted)
        })
        .collect();
    files.sort();
    files
}

/// The folders in a folder, without links to folders.
pub(super) fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = entries(folder)
        .filter(|path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()))
        .collect();
    folders.sort();
    folders
}

pub(super) fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
}

pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

fn refused_link() -> io::Error {
    io::Error::other("it is a link or no regular file, and links are not followed: remove it")
}

/// Neither follow a link nor wait for the other end of a pipe.
fn no_link() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}
