//! A file with a secret, which is read again when somebody replaces it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use secrecy::SecretString;

use super::file;
use crate::base::file_stamp::FileStamp;
use crate::base::secret_source::SecretSource;

/// See the module.
pub struct SecretFile<T = SecretString> {
    path: PathBuf,
    parse: fn(&[u8]) -> Result<T, String>,
    /// The file as it was last read.
    read: Mutex<Option<FileStamp>>,
}

impl<T> SecretFile<T> {
    pub(super) fn new(path: PathBuf, parse: fn(&[u8]) -> Result<T, String>) -> Self {
        Self {
            path,
            parse,
            read: Mutex::default(),
        }
    }
}

impl<T> SecretSource<T> for SecretFile<T> {
    fn has_changed(&self) -> bool {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        FileStamp::of(&self.path) != *read
    }

    fn read(&self) -> Result<T, String> {
        let path = self.path.display();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the content: a change in between is a change after it.
        *read = FileStamp::of(&self.path);
        if read.is_none() {
            return Err(format!("{path} is missing, or is not a regular file"));
        }
        let content = file::read(&self.path).map_err(|why| {
            // The file may become readable without a change.
            *read = None;
            format!("{path}: {why}")
        })?;
        (self.parse)(&content).map_err(|why| format!("{path}: {why}"))
    }
}

impl<T> fmt::Debug for SecretFile<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("SecretFile").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use secrecy::ExposeSecret as _;

    use super::super::secret::token_of_file;
    use super::*;

    fn read(file: &SecretFile) -> Result<String, String> {
        assert!(file.has_changed());
        let secret = file.read();
        assert!(!file.has_changed());
        secret.map(|secret| secret.expose_secret().to_owned())
    }

    fn replace(path: &Path, text: &str) {
        let beside = path.with_extension("new");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, path).unwrap();
    }

    #[test]
    fn a_file_that_is_replaced_or_written_is_read_again_and_a_broken_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let file = SecretFile::new(path.clone(), token_of_file);
        assert!(!file.has_changed(), "there is none");
        assert!(file.read().unwrap_err().contains("is missing"));
        fs::write(&path, "first\n").unwrap();
        assert_eq!(read(&file).as_deref(), Ok("first"));
        replace(&path, "other\n");
        assert_eq!(read(&file).as_deref(), Ok("other"), "of the same length");
        fs::write(&path, "").unwrap();
        assert!(read(&file).unwrap_err().contains("is empty"));
        fs::write(&path, "third").unwrap();
        assert_eq!(read(&file).as_deref(), Ok("third"));
        fs::remove_file(&path).unwrap();
        assert!(read(&file).unwrap_err().contains("is missing"));
        fs::write(&path, "third").unwrap();
        assert_eq!(read(&file).as_deref(), Ok("third"));
    }

    #[test]
    fn a_mounted_secret_is_read_again_when_its_link_moves() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["one", "two"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("token"), version).unwrap();
        }
        let link = |version: &str| {
            std::os::unix::fs::symlink(version, at("new")).unwrap();
            fs::rename(at("new"), at("..data")).unwrap();
        };
        link("one");
        std::os::unix::fs::symlink("..data/token", at("token")).unwrap();
        let file = SecretFile::new(at("token"), token_of_file);
        assert_eq!(read(&file).as_deref(), Ok("one"));
        link("two");
        assert_eq!(read(&file).as_deref(), Ok("two"));
    }
}
