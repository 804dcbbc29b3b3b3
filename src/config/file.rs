//! Reads the files that a configuration consists of: bounded, and without waiting forever for a pipe.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Largest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Longest wait for what is not a regular file, such as the pipe of a process substitution.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Why a directory is not read.
pub(super) const DIRECTORY: &str = "it is a directory";

/// The content of a file, or why it cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let kind = fs::metadata(path).map_err(|error| error.to_string())?;
    if kind.is_dir() {
        return Err(DIRECTORY.to_owned());
    }
    if kind.is_file() {
        return read_bounded(path);
    }
    let (sender, receiver) = mpsc::channel();
    let pipe = path.to_owned();
    // Opening a pipe blocks until somebody writes to it; where nobody does, the thread stays behind.
    thread::spawn(move || sender.send(read_bounded(&pipe)));
    let seconds = MAX_WAIT.as_secs();
    let late = |_| format!("it is not a regular file, and did not end within {seconds} seconds");
    receiver.recv_timeout(MAX_WAIT).map_err(late)?
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let read = |content: &mut Vec<u8>| -> io::Result<()> {
        File::open(path)?.take(MAX_BYTES + 1).read_to_end(content)?;
        Ok(())
    };
    read(&mut content).map_err(|error| error.to_string())?;
    if content.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {} KiB", MAX_BYTES >> 10));
    }
    Ok(content)
}

/// The text of a file, without a byte order mark.
pub(super) fn text(content: &[u8]) -> Result<&str, String> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    str::from_utf8(content).map_err(|_| "the file is not UTF-8 text".to_owned())
}
